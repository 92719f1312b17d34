package sqlstore

import (
	"time"

	"domicile.dev/internal/store"
)

// leaseDDL is who does what only one node of a cell may do at a time.
//
// Thief's gain: names of nodes.
const leaseDDL = `
CREATE TABLE lease (
	cell   integer NOT NULL,
	name   text    NOT NULL, -- what is leased: "merge", "rotate"
	holder text    NOT NULL, -- the node
	until  bigint  NOT NULL, -- ms
	PRIMARY KEY (cell, name)
) /*sqlite: WITHOUT ROWID */;
`

// Leases are by row: whoever wrote its name last and not longer ago than its time to live. A lease
// saves work that would be done twice. It keeps nobody from writing late; the gate does that.
type Leases struct{}

// clockSlack is how far ahead of one's own a clock can be that wrote the end of a lease: those of a cell agree
// to a second. What ends later was written by one that has been set back since, and would hold up
// whoever comes next for as long as it was ahead.
const clockSlack = time.Minute

// Lease takes or prolongs the lease on name until now + ttl and says whether holder has it. It goes
// to another holder from the millisecond on at which it ends, and when it ends in more than ttl + clockSlack.
func (Leases) Lease(tx store.Tx, name, holder string, now time.Time, ttl time.Duration) (bool, error) {
	n, err := conn(tx).Exec(`INSERT INTO lease (cell, name, holder, until) VALUES (1, $1, $2, $3)
		ON CONFLICT (cell, name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE lease.holder = excluded.holder OR lease.until <= $4 OR lease.until > $5`,
		name, holder, now.Add(ttl).UnixMilli(), now.UnixMilli(), now.Add(ttl+clockSlack).UnixMilli())
	return n == 1, err
}

// Release gives the lease up, so that another node need not wait for its end. It does nothing when
// holder does not have it.
func (Leases) Release(tx store.Tx, name, holder string) error {
	_, err := conn(tx).Exec(`DELETE FROM lease WHERE cell = 1 AND name = $1 AND holder = $2`, name, holder)
	return err
}
