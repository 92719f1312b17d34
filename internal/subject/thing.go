package subject

import (
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/term"
)

// Link says that a subject takes part in something that records are about, such as a call. A
// stand-in is the subject under whose key records of the thing are sealed that name nobody.
type Link struct {
	Thing   BindingKey // its digest is under the key of client ids, which isn't rotated
	Subject id.Subject
	StandIn bool
	Many    bool  // several people can take part in the thing
	At      int64 // Unix ms
}

// MostLinks bounds how many links of one thing are looked at; the stand-in comes first.
const MostLinks = 65

// LinkStore keeps who takes part in what.
type LinkStore interface {
	// Links calls each for the links of the given things, MostLinks of each at most.
	Links(tx store.Tx, things []BindingKey, each func(Link)) error
	// InsertLinks adds links; those that are there stay as they are.
	InsertLinks(tx store.Tx, links []Link) error
	// MakeMany makes things of one, of which a second person is known now, things of many.
	MakeMany(tx store.Tx, things []BindingKey) error
	// StandIns calls each for the stand-ins of things of many in which the given subjects take
	// part, as often as they are met.
	StandIns(tx store.Tx, of []Key, each func(of, standIn Key)) error
	// ManyThings calls each for the things of many in which the given subjects take part.
	ManyThings(tx store.Tx, of []Key, each func(thing BindingKey)) error
	// PruneLinks deletes links of people to things of one that were made before then.
	PruneLinks(tx store.Tx, before int64) (int64, error)
}

// StandIn creates a subject for a thing of which a server source spoke without naming anybody.
func (g *Graph) StandIn(tenant uint32, source string, at int64) (*Row, error) {
	return g.create(&Say{Tenant: tenant, Trust: term.Server, Source: source, At: at})
}

// Adopt makes the stand-in q one with the person p, since p is whom its thing is about, and returns
// the head of both.
func (g *Graph) Adopt(s *Say, p, q *Row) *Row {
	if p == q {
		return p
	}
	return g.join(s, p, q, "")
}

// TakesPart notes that p takes part in things whose records lie under keys of their own.
func (g *Graph) TakesPart(p *Row) {
	if p.State&InThings == 0 {
		p.State |= InThings
		g.touch(p)
	}
}
