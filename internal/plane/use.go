package plane

import (
	"fmt"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// Use is what a purpose of the programme may be used for.
type Use struct {
	// Categories are those that may be read for it. What is unclassified is in none.
	Categories map[string]bool
	// Media says that recordings and attachments may be, too.
	Media bool
	// Consent says that the purpose may rest on consent: who refused it isn't read for it. ConsentAlone
	// says that it rests on nothing else: only who gave it is.
	Consent, ConsentAlone bool
}

// has says whether the category may be read; for no purpose, every one may.
func (u *Use) has(category string) bool { return u == nil || u.Categories[category] }

// useOf returns what the caller's purpose may be used for, nil when it reads for none.
//
// Errors: Forbidden purpose.needed when the tenant wants one named; Unprocessable purpose.undeclared.
func (p *Plane) useOf(c *tenant.Caller) (*Use, error) {
	switch {
	case c.Access:
		return nil, nil
	case c.For == "" && c.Settings != nil && c.Settings.ForPurposes:
		return nil, fault.New(fault.Forbidden, "purpose.needed", "people of this tenant are read for a purpose only").
			WithHint("name a purpose of the programme in the header Domicile-Purpose; domicile subject records --for PURPOSE")
	case c.For == "":
		return nil, nil
	}
	if p.Uses != nil {
		if use := p.Uses(c.For); use != nil {
			return use, nil
		}
	}
	return nil, fault.New(fault.Unprocessable, "purpose.undeclared", "the programme declares no such purpose").WithHint("see the purposes in domicile programme show")
}

// mayRead says why the caller may not read of the person for its purpose.
//
// Errors: Forbidden subject.refuses.
func (p *Plane) mayRead(tx store.Tx, c *tenant.Caller, pers *somebody) error {
	use, err := p.useOf(c)
	if err != nil || use == nil || p.says == nil {
		return err
	}
	var said consent.Person
	if pers.head.State&subject.Spoken != 0 {
		if said, err = p.says.Person(tx, c.Tenant, pers.subjects()); err != nil {
			return err
		}
	}
	no := said.No(consent.Objection(c.For)) != nil || use.Consent && said.No(consent.Consent(c.For)) != nil
	if no || use.ConsentAlone && said.Yes(consent.Consent(c.For)) == nil {
		return fault.New(fault.Forbidden, "subject.refuses", "%s objects to that purpose, or has not consented to it", pers.head.Subject).
			WithHint("it shows with domicile subject show")
	}
	return nil
}

// refusesReading is mayRead for somebody in a record of another: no says why their parts are left out.
func (p *Plane) refusesReading(tx store.Tx, c *tenant.Caller, head *subject.Row) (no, err error) {
	if c.For == "" {
		return nil, nil
	}
	pers, err := p.personOf(tx, c.Tenant, head.Subject)
	if err != nil {
		return nil, fmt.Errorf("load somebody in the record: %w", err)
	}
	if err = p.mayRead(tx, c, pers); fault.ReasonOf(err) == "subject.refuses" {
		return err, nil
	}
	return nil, err
}

// mayReadMedia says why the caller may read no recording or attachment.
//
// Errors: those of useOf; Forbidden media.not_for_purpose.
func (p *Plane) mayReadMedia(c *tenant.Caller) error {
	use, err := p.useOf(c)
	if err != nil || use == nil || use.Media {
		return err
	}
	return fault.New(fault.Forbidden, "media.not_for_purpose", "recordings and attachments aren't data that this purpose may use").
		WithHint("the programme says which categories a purpose uses")
}
