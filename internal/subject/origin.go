package subject

import (
	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
)

// OriginStore keeps, beside each subject, the countries whose law its person brings.
type OriginStore interface {
	// Origins calls each for every given subject that exists, in order; i is its place in keys.
	Origins(tx store.Tx, keys []Key, each func(i int, o residency.Origins)) error
	// NumbersOf calls each for the identifiers of the given subjects that can tell a country and that are
	// theirs now, with the keys to open them; i is the subject's place in keys.
	NumbersOf(tx store.Tx, keys []Key, each func(i int, b OldBinding)) error
	// AddNumbers adds countries of numbers to subjects that are there. Of one whose numbers are unlooked
	// they stay so: whoever looks finds the new one, too.
	AddNumbers(tx store.Tx, all []Number) error
	// PutNumbers writes what was found of subjects whose numbers are unlooked, and nothing of others.
	PutNumbers(tx store.Tx, all []Number) error
	// PutResidences writes what subjects declared.
	PutResidences(tx store.Tx, all []Residence) error
}

// Number is what a subject's numbers tell: countries, as residency.Origins has them.
type Number struct {
	Key
	Countries string
}

// Residence is a country that a subject declared.
type Residence struct {
	Key
	Country, Source string
	At              int64 // by the person's own time, Unix ms
}

// country notes which country a new binding tells.
func (b *Binding) country() {
	if b.RetiredAt == 0 && b.Country == "" && b.Value != nil {
		b.Country = residency.Identifier{Type: b.Type, Value: b.Value}.Country()
	}
}

// numbers gives new people the countries of their numbers, and returns those that people who are stored
// get more of.
func (g *Graph) numbers(fresh map[Key]bool) (more []Number) {
	for _, b := range g.newBindings {
		if b.country(); b.Country == "" || b.RetiredAt != 0 {
			continue
		}
		k := Key{b.Tenant, b.Subject}
		if fresh[k] {
			g.rows[k].Numbers += b.Country + ","
		} else {
			more = append(more, Number{k, b.Country + ","})
		}
	}
	g.numbered = more
	return more
}

// Fresh says whether the subject of k was made by this graph, so that nobody has seen them yet.
func (g *Graph) Fresh(k Key) bool { return g.fresh[k] }

// Numbered returns the stored subjects that got a number whose country counts from now on.
func (g *Graph) Numbered() []Number { return g.numbered }

// Countries returns the countries that bindings tell, as residency.Origins has them.
func Countries(all []residency.Identifier) (countries string) {
	for _, i := range all {
		if c := i.Country(); c != "" {
			countries += c + ","
		}
	}
	return countries
}
