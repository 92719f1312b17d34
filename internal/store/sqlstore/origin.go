package sqlstore

import (
	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/term"
)

// originDDL is whose law a person brings: countries, and no more of a number or an address than that.
// They are in the clear, as the states of subjects are, since every batch of every flow asks for them;
// decision 0031 says why that is right.
//
// Thief's gain: how many people, known by random ids, live in or have numbers of which country, and
// when and by which source they declared it.
const originDDL = `
ALTER TABLE subject ADD COLUMN numbers text; -- countries of numbers, a comma behind each; NULL: nobody looked
ALTER TABLE subject ADD COLUMN residence text NOT NULL DEFAULT ''; -- the country that was declared; empty: none
ALTER TABLE subject ADD COLUMN declared_at bigint NOT NULL DEFAULT 0; -- ms, the person's time
ALTER TABLE subject ADD COLUMN declared_by text NOT NULL DEFAULT ''; -- source id
`

// numbersOf is what a new row has: NULL of who arrives, whose identifiers come later and sealed.
func numbersOf(s *subject.Row) any {
	if s.State&subject.Arriving != 0 {
		return nil
	}
	return s.Numbers
}

// Origins implements subject.OriginStore.
func (Subjects) Origins(tx store.Tx, keys []subject.Key, each func(int, residency.Origins)) error {
	return conn(tx).QueryEach(`SELECT numbers, residence, declared_at, declared_by FROM subject WHERE tenant = $1 AND subject = $2`, subjectArgs(keys),
		func(i int, r Row) error {
			o := residency.Origins{Unlooked: r.Null(0), Residence: r.Text(1), DeclaredAt: r.Int(2), DeclaredBy: r.Text(3)}
			if !o.Unlooked {
				o.Numbers = r.Text(0)
			}
			each(i, o)
			return nil
		})
}

// NumbersOf implements subject.OriginStore.
func (Subjects) NumbersOf(tx store.Tx, keys []subject.Key, each func(int, subject.OldBinding)) error {
	c := conn(tx)
	args := subjectArgs(keys)
	for i := range args {
		args[i] = append(args[i], term.Phone, term.WhatsAppID)
	}
	return c.QueryEach(`SELECT i.digest, i.subject, i.type, i.flags, i.source, i.key_version, i.sealed, i.created_at, i.retired_at,
			(SELECT t.id FROM tenant t WHERE t.cell = 1 AND t.tenant = i.tenant), s.key_epoch, s.wrapped
		FROM identifier i`+by(c, "identifier_subject")+`JOIN subject s ON s.tenant = i.tenant AND s.subject = i.subject
		WHERE i.tenant = $1 AND i.subject = $2 AND i.type IN ($3, $4) AND i.flags >= 0`, args,
		func(i int, r Row) error {
			each(i, subject.OldBinding{Binding: scanBinding(keys[i].Tenant, r), TenantID: r.Text(9), Epoch: uint32(r.Int(10)), Wrapped: r.Bytes(11)})
			return nil
		})
}

// AddNumbers implements subject.OriginStore. What is added to NULL is NULL.
func (Subjects) AddNumbers(tx store.Tx, all []subject.Number) error {
	return conn(tx).ExecEach(`UPDATE subject SET numbers = numbers || $1 WHERE tenant = $2 AND subject = $3`, numberArgs(all))
}

// PutNumbers implements subject.OriginStore.
func (Subjects) PutNumbers(tx store.Tx, all []subject.Number) error {
	return conn(tx).ExecEach(`UPDATE subject SET numbers = $1 WHERE tenant = $2 AND subject = $3 AND numbers IS NULL`, numberArgs(all))
}

func numberArgs(all []subject.Number) [][]any {
	args := make([][]any, len(all))
	for i := range all {
		args[i] = []any{all[i].Countries, all[i].Tenant, all[i].Subject[:]}
	}
	return args
}

// PutResidences implements subject.OriginStore.
func (Subjects) PutResidences(tx store.Tx, all []subject.Residence) error {
	args := make([][]any, len(all))
	for i := range all {
		args[i] = []any{all[i].Country, all[i].At, all[i].Source, all[i].Tenant, all[i].Subject[:]}
	}
	return conn(tx).ExecEach(`UPDATE subject SET residence = $1, declared_at = $2, declared_by = $3 WHERE tenant = $4 AND subject = $5`, args)
}
