package sqlstore

import (
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// Spoke implements consent.Store.
func (Consents) Spoke(tx store.Tx, tenant uint32, after id.Subject, limit int, each func(head id.Subject)) error {
	return conn(tx).Query(`SELECT subject FROM subject WHERE tenant = $1 AND subject > $2 AND head = subject AND (state & $3) = $4
		ORDER BY tenant, subject LIMIT $5`,
		func(r Row) error {
			var head id.Subject
			copy(head[:], r.Bytes(0))
			each(head)
			return nil
		}, tenant, after[:], uint32(subject.Spoken|subject.Arriving), uint32(subject.Spoken), limit)
}
