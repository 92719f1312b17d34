package plane

import (
	"fmt"

	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/transit"
)

// packResidence adds to doc the country that the person declared last.
func (p *Plane) packResidence(tx store.Tx, all []subject.Key, doc *transit.Person) error {
	var rows []residency.Origins
	if err := p.Subjects.Origins(tx, all, func(_ int, o residency.Origins) { rows = append(rows, o) }); err != nil {
		return fmt.Errorf("load what was declared: %w", err)
	}
	if o := residency.Declared(rows); o != nil {
		doc.Residence, doc.DeclaredAt, doc.DeclaredBy = o.Residence, o.DeclaredAt, o.DeclaredBy
	}
	return nil
}

// unpackResidence keeps what somebody who arrives declared, under their own subject. Another region's clock
// makes nothing later than now.
func (g *group) unpackResidence(k subject.Key, person *transit.Person) error {
	if person.Residence == "" {
		return nil
	}
	at := min(person.DeclaredAt, g.now.UnixMilli())
	if err := g.p.Subjects.PutResidences(g.tx, []subject.Residence{{Key: k, Country: person.Residence, Source: person.DeclaredBy, At: at}}); err != nil {
		return fmt.Errorf("keep where who arrives lives: %w", err)
	}
	return nil
}
