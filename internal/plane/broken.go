package plane

import (
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
)

// brokenIdentifiers are those that don't open.
type brokenIdentifiers struct {
	n     int64
	first id.Subject
}

func (b *brokenIdentifiers) add(s id.Subject) { b.join(brokenIdentifiers{1, s}) }

func (b *brokenIdentifiers) join(more brokenIdentifiers) {
	if b.n == 0 {
		b.first = more.first
	}
	b.n += more.n
}

func (b *brokenIdentifiers) fault(left int64) error {
	if b.n == 0 {
		return fault.New(fault.Unavailable, "subject.identifiers_left", "%d identifiers are still under the version before", left).
			WithHint("nodes of an older version of domicile write them: stop those")
	}
	return fault.New(fault.Conflict, "subject.identifiers_broken", "%d identifiers don't open, the first is one of %s", left, b.first).
		WithHint("restore these rows from a backup, or erase these persons; until then the version before goes on to count")
}
