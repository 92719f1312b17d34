package sqlstore

import (
	"time"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
)

// violationDDL counts what tracking plans don't have, and places that were too exact to be kept.
//
// Thief's gain: names of fields and events as far as the programme knows them.
const violationDDL = `
CREATE TABLE violation (
	tenant   integer NOT NULL,
	source   text    NOT NULL,
	plan     text    NOT NULL, -- id, or empty
	event    text    NOT NULL, -- of the plan's vocabulary, or *
	path     text    NOT NULL, -- masked
	what     text    NOT NULL,
	rule     text    NOT NULL, -- keyword of a schema
	done     text    NOT NULL,
	looks    text    NOT NULL, -- like what, of our vocabulary
	category text    NOT NULL, -- where it might belong
	element  text    NOT NULL,
	n        bigint  NOT NULL,
	first_at bigint  NOT NULL,
	last_at  bigint  NOT NULL,
	PRIMARY KEY (tenant, source, plan, event, path, what, rule, done, looks, category, element)
) /*sqlite: WITHOUT ROWID */;
`

// AddViolations implements plane.StatStore.
func (Stats) AddViolations(tx store.Tx, found []plane.Violation) error {
	args := make([][]any, len(found))
	for i, v := range found {
		args[i] = []any{v.Tenant, v.Source, v.Plan, v.Event, v.Path, v.What, v.Rule, v.Done, v.Looks, v.Suggest.Category, v.Suggest.Element,
			int64(v.N), v.FirstAt.UnixMilli(), v.LastAt.UnixMilli()}
	}
	return conn(tx).ExecEach(`INSERT INTO violation (tenant, source, plan, event, path, what, rule, done, looks, category, element, n, first_at, last_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (tenant, source, plan, event, path, what, rule, done, looks, category, element)
		DO UPDATE SET n = violation.n + excluded.n, last_at = excluded.last_at`, args)
}

// Violations implements plane.StatStore.
func (Stats) Violations(tx store.Tx, tenant uint32, limit int) (found []plane.Violation, err error) {
	err = conn(tx).Query(`SELECT source, plan, event, path, what, rule, done, looks, category, element, n, first_at, last_at FROM violation
		WHERE tenant = $1 ORDER BY last_at DESC, source, plan, event, path, what, rule, done LIMIT $2`, func(r Row) error {
		found = append(found, plane.Violation{Tenant: tenant, Source: r.Text(0), Finding: ingest.Finding{Plan: r.Text(1), Event: r.Text(2), Path: r.Text(3),
			What: r.Text(4), Rule: r.Text(5), Done: r.Text(6), Looks: r.Text(7), Suggest: ingest.Place{Category: r.Text(8), Element: r.Text(9)}, N: int(r.Int(10))},
			FirstAt: time.UnixMilli(r.Int(11)).UTC(), LastAt: time.UnixMilli(r.Int(12)).UTC()})
		return nil
	}, tenant, limit)
	return found, err
}
