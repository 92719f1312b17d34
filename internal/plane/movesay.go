package plane

import (
	"fmt"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
)

// packSaid adds to doc what the person said, as of one subject: there is one at the target.
func (p *Plane) packSaid(tx store.Tx, c *tenant.Caller, pers *somebody, doc *transit.Person) error {
	if pers.head.State&subject.Spoken == 0 || p.says == nil {
		return nil
	}
	who, err := p.says.Person(tx, c.Tenant, pers.subjects())
	if err != nil {
		return err
	}
	for _, s := range who.Flat() {
		doc.Standings = append(doc.Standings, transit.Standing{About: string(s.About), Channel: s.Channel, NoAt: s.NoAt, YesAt: s.YesAt, ToldAt: s.ToldAt,
			No: s.No, How: s.How, Source: s.Source, Text: s.Text, ReceivedAt: s.ReceivedAt})
	}
	words, err := p.says.History(tx, c.Tenant, pers.subjects(), transit.MaxWords)
	if err != nil {
		return err
	}
	for _, w := range words[:min(len(words), transit.MaxWords)] {
		doc.Words = append(doc.Words, transit.Word{About: string(w.About), Word: w.Word, Channel: w.Channel, Act: w.Act, At: w.At, ReceivedAt: w.ReceivedAt,
			How: w.How, Source: w.Source, Text: w.Text})
	}
	return nil
}

// unpackSaid keeps what somebody who arrives said, under their own subject: where they become one with
// somebody here, the no of either stands.
func (g *group) unpackSaid(c *tenant.Caller, s id.Subject, person *transit.Person) error {
	p := g.p
	if p.says == nil || len(person.Standings)+len(person.Words) == 0 {
		return nil
	}
	now := g.now.Add(clocksApart).UnixMilli()
	changes := make([]consent.Change, len(person.Standings))
	for i, x := range person.Standings {
		changes[i] = consent.Change{Subject: s, Standing: consent.Standing{About: consent.About(x.About), Channel: x.Channel, NoAt: x.NoAt,
			YesAt: min(x.YesAt, now), ToldAt: min(x.ToldAt, now), // another region's clock lifts nothing that is still to be said here
			No: x.No, How: x.How, Source: x.Source, Text: x.Text, ReceivedAt: x.ReceivedAt}}
	}
	words := make([]consent.Word, len(person.Words))
	whose := make([]id.Subject, len(words))
	for i, x := range person.Words {
		whose[i] = s
		words[i] = consent.Word{About: consent.About(x.About), Word: x.Word, Channel: x.Channel, Act: x.Act, At: x.At, ReceivedAt: x.ReceivedAt,
			How: x.How, Source: x.Source, Text: x.Text}
	}
	if err := p.says.Write(g.tx, c.Tenant, changes, whose, words); err != nil {
		return fmt.Errorf("keep what %s said elsewhere: %w", s, err)
	}
	return nil
}
