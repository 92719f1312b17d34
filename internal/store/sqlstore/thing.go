package sqlstore

import (
	"strconv"

	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// thingDDL is who takes part in what records are about: calls, conversations, rooms. Things are blind
// (HMAC under the tenant's client key); links of erased people stay, so that what comes late is refused.
//
// Thief's gain: which random subject ids took part in the same thing, and how many things there were.
const thingDDL = `
CREATE TABLE thing (
	tenant  integer NOT NULL,
	digest  bytea   NOT NULL, -- 16 bytes
	part    integer NOT NULL, -- 0 stand-in for whoever it is about, 1 takes part; in the key, so that the stand-in comes first
	subject bytea   NOT NULL,
	many    integer NOT NULL, -- 1: several people can take part
	at      bigint  NOT NULL, -- ms
	PRIMARY KEY (tenant, digest, part, subject)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX thing_subject ON thing (tenant, subject) WHERE many = 1 AND part = 1;
CREATE INDEX thing_old ON thing (at) WHERE many = 0 AND part = 1;
`

// Links implements subject.LinkStore.
func (Subjects) Links(tx store.Tx, things []subject.BindingKey, each func(subject.Link)) error {
	return conn(tx).QueryEach(`SELECT subject, part, many, at FROM thing WHERE tenant = $1 AND digest = $2
		ORDER BY tenant, digest, part, subject LIMIT `+strconv.Itoa(subject.MostLinks), bindingArgs(things),
		func(i int, r Row) error {
			l := subject.Link{Thing: things[i], StandIn: r.Int(1) == 0, Many: r.Int(2) == 1, At: r.Int(3)}
			copy(l.Subject[:], r.Bytes(0))
			each(l)
			return nil
		})
}

// InsertLinks implements subject.LinkStore.
func (Subjects) InsertLinks(tx store.Tx, links []subject.Link) error {
	args := make([][]any, len(links))
	for i, l := range links {
		args[i] = []any{l.Thing.Tenant, l.Thing.Digest[:], !l.StandIn, l.Subject[:], l.Many, l.At}
	}
	return conn(tx).ExecEach(`INSERT INTO thing (tenant, digest, part, subject, many, at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, digest, part, subject) DO NOTHING`, args)
}

// MakeMany implements subject.LinkStore.
func (Subjects) MakeMany(tx store.Tx, things []subject.BindingKey) error {
	if len(things) == 0 {
		return nil
	}
	return conn(tx).ExecEach(`UPDATE thing SET many = 1 WHERE tenant = $1 AND digest = $2 AND part = 1`, bindingArgs(things))
}

// StandIns implements subject.LinkStore.
func (Subjects) StandIns(tx store.Tx, of []subject.Key, each func(of, standIn subject.Key)) error {
	var things []subject.BindingKey
	var whose []subject.Key
	if err := manyThings(tx, of, func(i int, k subject.BindingKey) {
		things, whose = append(things, k), append(whose, of[i])
	}); err != nil {
		return err
	}
	return conn(tx).QueryEach(`SELECT subject FROM thing WHERE tenant = $1 AND digest = $2 AND part = 0`, bindingArgs(things),
		func(i int, r Row) error {
			k := subject.Key{Tenant: things[i].Tenant}
			copy(k.Subject[:], r.Bytes(0))
			each(whose[i], k)
			return nil
		})
}

// ManyThings implements subject.LinkStore.
func (Subjects) ManyThings(tx store.Tx, of []subject.Key, each func(subject.BindingKey)) error {
	return manyThings(tx, of, func(_ int, k subject.BindingKey) { each(k) })
}

func manyThings(tx store.Tx, of []subject.Key, each func(i int, k subject.BindingKey)) error {
	c := conn(tx)
	return c.QueryEach(`SELECT digest FROM thing`+by(c, "thing_subject")+`WHERE tenant = $1 AND subject = $2 AND many = 1 AND part = 1`, subjectArgs(of),
		func(i int, r Row) error {
			k := subject.BindingKey{Tenant: of[i].Tenant}
			copy(k.Digest[:], r.Bytes(0))
			each(i, k)
			return nil
		})
}

// PruneLinks implements subject.LinkStore.
func (Subjects) PruneLinks(tx store.Tx, before int64) (int64, error) {
	return conn(tx).Exec(`DELETE FROM thing WHERE many = 0 AND part = 1 AND at < $1`, before)
}
