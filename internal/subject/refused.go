package subject

import (
	"bytes"
	"cmp"
	"strings"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// RefusedLink is something that a source said of a person's identity and that was not followed. It
// has the type of the identifier and never its value.
type RefusedLink struct {
	Key
	Other  id.Subject // with whom they would have been one; Nobody when that wasn't looked at
	Type   string     // of the identifier that said so
	Source string
	Reason string
}

// RefusedCount is how often a link was refused, and when, in Unix milliseconds.
type RefusedCount struct {
	RefusedLink
	N               int64
	FirstAt, LastAt int64
}

// Compare puts links into one order everywhere, so that two nodes never wait for each other's rows.
func (a RefusedCount) Compare(b RefusedCount) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), bytes.Compare(a.Subject[:], b.Subject[:]), bytes.Compare(a.Other[:], b.Other[:]),
		strings.Compare(a.Reason, b.Reason), strings.Compare(a.Type, b.Type), strings.Compare(a.Source, b.Source))
}

// RefusedStore keeps refused links with the people they are about.
type RefusedStore interface {
	// AddRefused adds counts to what is there.
	AddRefused(tx store.Tx, links []RefusedCount) error
	// Refused calls each for the refused links of subjects: MostRefused of each at most.
	Refused(tx store.Tx, of []Key, each func(RefusedCount)) error
}

// MostRefused bounds how many refused links of a subject are shown.
const MostRefused = 100

// refuseTwo notes, with both of them, that p and q stay two people.
func (g *Graph) refuseTwo(s *Say, p, q *Row, typ string) {
	g.Refusals[Refusal{s.Tenant, s.Source, RefusedTwoUsers}]++
	g.refuseLink(s, p, q.Subject, typ, RefusedTwoUsers)
	g.refuseLink(s, q, p.Subject, typ, RefusedTwoUsers)
}

func (g *Graph) refuseLink(s *Say, p *Row, other id.Subject, typ, reason string) {
	g.RefusedLinks[RefusedLink{p.Key, other, typ, s.Source, reason}]++
	if p.State&Contested == 0 {
		p.State |= Contested
		g.touch(p)
	}
}
