package sqlstore

import (
	"strconv"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// retiredDDL adds when an identifier ceased to be the subject's. Such a row has the flags -1, so that
// it is found before any claim.
const retiredDDL = `
ALTER TABLE identifier ADD COLUMN retired_at bigint NOT NULL DEFAULT 0; -- ms, 0: it is the subject's
`

// refusedLinkDDL is what sources said of identity and was not followed, by whom it was about. There are
// no values, but the type of the identifier that said so.
//
// Thief's gain: which random subject ids somebody thought to be one person.
const refusedLinkDDL = `
CREATE TABLE refused_link (
	tenant   integer NOT NULL,
	subject  bytea   NOT NULL,
	other    bytea   NOT NULL, -- zero bytes: not looked at
	reason   text    NOT NULL,
	type     text    NOT NULL, -- of the identifier
	source   text    NOT NULL, -- source id
	n        bigint  NOT NULL,
	first_at bigint  NOT NULL, -- ms
	last_at  bigint  NOT NULL,
	PRIMARY KEY (tenant, subject, other, reason, type, source)
) /*sqlite: WITHOUT ROWID */;
`

func flagsOf(b *subject.Binding) int {
	switch {
	case b.RetiredAt != 0:
		return flagRetired
	case b.Claimed:
		return flagClaimed
	case b.Solo:
		return flagSolo
	}
	return 0
}

// RetireBindings implements subject.Store. What was retired before, and held again, has one row.
func (Subjects) RetireBindings(tx store.Tx, bindings []*subject.Binding) error {
	c := conn(tx)
	keys, rows, whose := make([][]any, len(bindings)), make([][]any, len(bindings)), make([][]any, len(bindings))
	for i, b := range bindings {
		keys[i], whose[i] = []any{b.Tenant, b.Digest[:], b.Subject[:]}, []any{b.Tenant, b.Subject[:]}
		flags := 0
		if b.Solo {
			flags = flagSolo
		}
		rows[i] = []any{b.RetiredAt, b.Tenant, b.Digest[:], flags, b.Subject[:]}
	}
	if err := c.ExecEach(`DELETE FROM identifier WHERE tenant = $1 AND digest = $2 AND flags = -1 AND subject = $3`, keys); err != nil {
		return err
	}
	if err := c.ExecEach(`UPDATE subject SET numbers = NULL WHERE tenant = $1 AND subject = $2`, whose); err != nil {
		return err
	}
	return c.ExecEach(`UPDATE identifier SET flags = -1, retired_at = $1 WHERE tenant = $2 AND digest = $3 AND flags = $4 AND subject = $5`, rows)
}

// AddRefused implements subject.RefusedStore.
func (Subjects) AddRefused(tx store.Tx, links []subject.RefusedCount) error {
	args := make([][]any, len(links))
	for i, l := range links {
		args[i] = []any{l.Tenant, l.Subject[:], l.Other[:], l.Reason, l.Type, l.Source, l.N, l.FirstAt, l.LastAt}
	}
	return conn(tx).ExecEach(`INSERT INTO refused_link (tenant, subject, other, reason, type, source, n, first_at, last_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (tenant, subject, other, reason, type, source)
		DO UPDATE SET n = refused_link.n + excluded.n, last_at = excluded.last_at`, args)
}

// Refused implements subject.RefusedStore.
func (Subjects) Refused(tx store.Tx, of []subject.Key, each func(subject.RefusedCount)) error {
	return conn(tx).QueryEach(`SELECT other, reason, type, source, n, first_at, last_at FROM refused_link
		WHERE tenant = $1 AND subject = $2 ORDER BY tenant, subject, other, reason, type, source LIMIT `+strconv.Itoa(subject.MostRefused), subjectArgs(of),
		func(i int, r Row) error {
			l := subject.RefusedCount{RefusedLink: subject.RefusedLink{Key: of[i], Reason: r.Text(1), Type: r.Text(2), Source: r.Text(3)},
				N: r.Int(4), FirstAt: r.Int(5), LastAt: r.Int(6)}
			copy(l.Other[:], r.Bytes(0))
			each(l)
			return nil
		})
}

// eraseRefused deletes what was refused of erased subjects, on both sides. Each of keys is a tenant and a subject.
func eraseRefused(c Conn, keys [][]any) error {
	if len(keys) == 0 {
		return nil
	}
	var others [][]any
	if err := c.QueryEach(`SELECT DISTINCT other FROM refused_link WHERE tenant = $1 AND subject = $2`, keys, func(i int, r Row) error {
		if other := r.Bytes(0); id.Subject(other) != id.Nobody {
			others = append(others, []any{keys[i][0], other, keys[i][1]})
		}
		return nil
	}); err != nil {
		return err
	}
	if err := c.ExecEach(`DELETE FROM refused_link WHERE tenant = $1 AND subject = $2`, keys); err != nil {
		return err
	}
	return c.ExecEach(`DELETE FROM refused_link WHERE tenant = $1 AND subject = $2 AND other = $3`, others)
}
