package sqlstore

import (
	"time"

	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
)

// statDDL counts what came in, by the hour, and what was refused, by reason and masked path.
//
// Thief's gain: volumes by service, kind and hour; names of fields as far as the programme knows them.
const statDDL = `
CREATE TABLE stat (
	tenant  integer NOT NULL,
	hour    bigint  NOT NULL, -- start, ms
	service text    NOT NULL,
	kind    text    NOT NULL,
	outcome text    NOT NULL, -- accepted, duplicate, refused
	reason  text    NOT NULL, -- of a refusal, else empty
	n       bigint  NOT NULL,
	PRIMARY KEY (tenant, hour, service, kind, outcome, reason)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE refusal (
	tenant   integer NOT NULL,
	source   text    NOT NULL,
	reason   text    NOT NULL,
	path     text    NOT NULL, -- masked
	n        bigint  NOT NULL,
	first_at bigint  NOT NULL,
	last_at  bigint  NOT NULL,
	PRIMARY KEY (tenant, source, reason, path)
) /*sqlite: WITHOUT ROWID */;
`

// Stats implements plane.StatStore.
type Stats struct{}

var _ plane.StatStore = Stats{}

// AddCounts implements plane.StatStore.
func (Stats) AddCounts(tx store.Tx, counts []plane.Count) error {
	args := make([][]any, len(counts))
	for i, n := range counts {
		args[i] = []any{n.Tenant, n.Hour.UnixMilli(), n.Service, n.Kind, n.Outcome, n.Reason, n.N}
	}
	return conn(tx).ExecEach(`INSERT INTO stat (tenant, hour, service, kind, outcome, reason, n) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant, hour, service, kind, outcome, reason) DO UPDATE SET n = stat.n + excluded.n`, args)
}

// AddRefusals implements plane.StatStore.
func (Stats) AddRefusals(tx store.Tx, refusals []plane.RefusalCount) error {
	args := make([][]any, len(refusals))
	for i, n := range refusals {
		args[i] = []any{n.Tenant, n.Source, n.Reason, n.Path, n.N, n.FirstAt.UnixMilli(), n.LastAt.UnixMilli()}
	}
	return conn(tx).ExecEach(`INSERT INTO refusal (tenant, source, reason, path, n, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant, source, reason, path) DO UPDATE SET n = refusal.n + excluded.n, last_at = excluded.last_at`, args)
}

// Counts implements plane.StatStore.
func (Stats) Counts(tx store.Tx, tenant uint32, since time.Time) (counts []plane.Count, err error) {
	err = conn(tx).Query(`SELECT service, kind, outcome, reason, CAST(sum(n) AS bigint) FROM stat WHERE tenant = $1 AND hour >= $2
		GROUP BY service, kind, outcome, reason ORDER BY service, kind, outcome, reason`, func(r Row) error {
		counts = append(counts, plane.Count{Tenant: tenant, Service: r.Text(0), Kind: r.Text(1), Outcome: r.Text(2), Reason: r.Text(3), N: r.Int(4)})
		return nil
	}, tenant, since.UnixMilli())
	return counts, err
}

// Refusals implements plane.StatStore.
func (Stats) Refusals(tx store.Tx, tenant uint32, limit int) (refusals []plane.RefusalCount, err error) {
	err = conn(tx).Query(`SELECT source, reason, path, n, first_at, last_at FROM refusal WHERE tenant = $1
		ORDER BY last_at DESC, source, reason, path LIMIT $2`, func(r Row) error {
		refusals = append(refusals, plane.RefusalCount{Tenant: tenant, Source: r.Text(0), Reason: r.Text(1), Path: r.Text(2), N: r.Int(3),
			FirstAt: time.UnixMilli(r.Int(4)).UTC(), LastAt: time.UnixMilli(r.Int(5)).UTC()})
		return nil
	}, tenant, limit)
	return refusals, err
}

// OldestRemains implements plane.StatStore.
func (Stats) OldestRemains(tx store.Tx, tenant uint32) (at int64, err error) {
	_, err = one(conn(tx), `SELECT coalesce(min(erased_at), 0) FROM erased WHERE tenant = $1 AND compacted_at = 0`,
		func(r Row) { at = r.Int(0) }, tenant)
	return at, err
}
