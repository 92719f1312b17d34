package sqlstore

import "domicile.dev/internal/id"

// lookup is a query about one subject of a tenant: SELECT columns FROM from WHERE where, with $1 for the
// tenant and @id for the subject.
type lookup struct {
	columns, from, where string
	n                    int // columns
}

// fewest is for how many subjects one statement for all is cheaper than one for each.
const fewest = 8

// each runs q for n subjects, in order, and calls fn with the number of each and a row.
//
// On PostgreSQL that is one statement for all subjects of a tenant, which looks each of them up by the
// index: a statement for each costs more in messages than in look-ups. OFFSET 0 keeps the planner from
// reading the whole table instead.
func (q *lookup) each(c Conn, n int, key func(int) (uint32, id.Subject), fn func(i int, r Row) error) error {
	if n == 0 {
		return nil
	}
	tenant, _ := key(0)
	together := n >= fewest && c.Engine() == "postgres"
	for i := 0; together && i < n; i++ {
		t, _ := key(i)
		together = t == tenant
	}
	if !together {
		args := make([][]any, n)
		for i := range args {
			t, s := key(i)
			args[i] = []any{t, s[:]}
		}
		return c.QueryEach(q.sql("$2"), args, fn)
	}
	packed := make([]byte, 0, n*len(id.Subject{}))
	for i := range n {
		_, s := key(i)
		packed = append(packed, s[:]...)
	}
	return c.Query(`SELECT x.*, g.i FROM generate_series(0, CAST($3 AS bigint) - 1) AS g(i) CROSS JOIN LATERAL (`+
		q.sql(`substring(CAST($2 AS bytea) FROM CAST(g.i * 12 + 1 AS integer) FOR 12)`)+` OFFSET 0) AS x ORDER BY g.i`,
		func(r Row) error { return fn(int(r.Int(q.n)), r) }, tenant, packed, n)
}

func (q *lookup) sql(subject string) string {
	return `SELECT ` + q.columns + ` FROM ` + q.from + ` WHERE ` + q.where + subject
}
