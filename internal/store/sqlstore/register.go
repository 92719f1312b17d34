package sqlstore

import (
	"time"

	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
)

// registerDDL is what was observed. A row is never changed or deleted: a fact ends where a later row names it.
//
// Thief's gain: with which companies there are contracts, which customers enabled what, and what
// assessments found.
const registerDDL = `
CREATE TABLE register_fact (
	cell    integer NOT NULL,
	seq     bigint  NOT NULL, -- gapless in commit order
	id      text    NOT NULL,
	kind    text    NOT NULL, -- a list of docs/formats/register.md
	tenant  text    NOT NULL, -- of a customer's choice, else empty
	body    text    NOT NULL, -- canonical JSON; empty where a fact was struck
	ends    bigint  NOT NULL, -- seq of the fact that this replaces or strikes, 0 for none
	assumed integer NOT NULL,
	by      text    NOT NULL,
	at      bigint  NOT NULL, -- ms
	entry   bytea   NOT NULL,
	PRIMARY KEY (cell, seq)
) /*sqlite: WITHOUT ROWID */;
CREATE UNIQUE INDEX register_fact_ends ON register_fact (cell, ends) WHERE ends > 0;
`

const factSelect = `SELECT seq, id, kind, tenant, body, ends, assumed, by, at, entry FROM register_fact `

// Registers implements register.Store.
type Registers struct{}

var _ register.Store = Registers{}

func scanFact(r Row) (f register.Row) {
	f = register.Row{Seq: r.Int(0), ID: r.Text(1), Line: register.Line{Kind: r.Text(2), Body: r.Text(4)}, Tenant: r.Text(3), Ends: r.Int(5),
		Assumed: r.Int(6) != 0, By: r.Text(7), At: time.UnixMilli(r.Int(8)).UTC()}
	copy(f.Entry[:], r.Bytes(9))
	return f
}

// LastFact implements register.Store.
func (Registers) LastFact(tx store.Tx) (seq int64, err error) {
	_, err = one(conn(tx), `SELECT coalesce(max(seq), 0) FROM register_fact WHERE cell = 1`, func(r Row) { seq = r.Int(0) })
	return seq, err
}

// StandingFacts implements register.Store.
func (Registers) StandingFacts(tx store.Tx, each func(register.Row) error) error {
	return conn(tx).Query(factSelect+`WHERE cell = 1 AND body <> '' AND NOT EXISTS
		(SELECT 1 FROM register_fact later WHERE later.cell = 1 AND later.ends > 0 AND later.ends = register_fact.seq) ORDER BY seq`,
		func(r Row) error { return each(scanFact(r)) })
}

// FactsAfter implements register.Store.
func (Registers) FactsAfter(tx store.Tx, after int64, limit int, tenant string, each func(register.Row) error) error {
	sql, args := factSelect+`WHERE cell = 1 AND seq > $1 ORDER BY seq LIMIT $2`, []any{after, limit}
	if tenant != "" {
		sql, args = factSelect+`WHERE cell = 1 AND seq > $1 AND tenant = $2 ORDER BY seq LIMIT $3`, []any{after, tenant, limit}
	}
	return conn(tx).Query(sql, func(r Row) error { return each(scanFact(r)) }, args...)
}

// AppendFacts implements register.Store.
func (Registers) AppendFacts(tx store.Tx, rows []register.Row) error {
	args := make([][]any, len(rows))
	for i := range rows {
		f := &rows[i]
		args[i] = []any{f.Seq, f.ID, f.Kind, f.Tenant, f.Body, f.Ends, f.Assumed, f.By, f.At.UnixMilli(), f.Entry[:]}
	}
	return conn(tx).ExecEach(`INSERT INTO register_fact (cell, seq, id, kind, tenant, body, ends, assumed, by, at, entry)
		VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, args)
}
