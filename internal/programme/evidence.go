package programme

// EvidenceFormat is the version of a pack's form.
const EvidenceFormat = "domicile.evidence/v1"

// EvidencePack is what a certificate asks for, with what is done and shown for it: for who reviews it.
type EvidencePack struct {
	Format       string         `json:"format"`
	Programme    string         `json:"programme"` // its hash: the pack is frozen as of it
	Organisation string         `json:"organisation"`
	Set          string         `json:"set"`
	Name         string         `json:"name"`
	Note         string         `json:"note,omitempty"`
	Certificate  string         `json:"certificate"`
	Agent        string         `json:"agent,omitempty"`
	Holders      []string       `json:"holders"` // registered names
	States       map[string]int `json:"states"`  // how many requirements are in each
	Requirements []Evidenced    `json:"requirements"`
}

// Evidenced is one requirement of a pack.
type Evidenced struct {
	ID        string             `json:"id"`
	Principle string             `json:"principle"`
	Says      string             `json:"says"`
	State     string             `json:"state"`
	Owner     string             `json:"owner"`
	Controls  []EvidencedControl `json:"controls,omitempty"`
	Documents []EvidencedFile    `json:"documents,omitempty"`
	Laws      []string           `json:"laws,omitempty"` // those of its controls, too
	Reviews   []EvidencedReview  `json:"reviews,omitempty"`
}

// EvidencedControl is a control that serves a requirement.
type EvidencedControl struct {
	ID         string              `json:"id"`
	Name       string              `json:"name"`
	Says       string              `json:"says"`
	Owner      string              `json:"owner"`
	Measured   string              `json:"measured,omitempty"` // which of a node's looks shows it, on /privacy/controls
	Frameworks map[string][]string `json:"frameworks,omitempty"`
	Reviewed   Date                `json:"reviewed,omitempty"`
}

// EvidencedFile is a document that shows something.
type EvidencedFile struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Version string `json:"version,omitempty"`
	Address string `json:"address,omitempty"`
}

// EvidencedReview is what a reviewer found.
type EvidencedReview struct {
	By      string `json:"by"`
	On      When   `json:"on"`
	Finding string `json:"finding"`
	Note    string `json:"note,omitempty"`
}

// Evidence returns the pack of a set of requirements, nil when there is no such set.
func (p *Programme) Evidence(set string) *EvidencePack {
	for i := range p.RequirementSets {
		if p.RequirementSets[i].ID == set {
			return p.pack(&p.RequirementSets[i])
		}
	}
	return nil
}

func (p *Programme) pack(s *RequirementSet) *EvidencePack {
	out := &EvidencePack{Format: EvidenceFormat, Programme: p.Hash, Organisation: p.Organisation.Name, Set: s.ID, Name: s.Name, Note: s.Note,
		Holders: []string{}, States: map[string]int{}}
	for i := range p.Certifications {
		if c := &p.Certifications[i]; c.ID == s.Certification {
			out.Certificate, out.Agent = c.Name, c.Agent
			for _, h := range c.Holders {
				out.Holders = append(out.Holders, p.Entity(h).Name)
			}
		}
	}
	for i := range s.Items {
		e := p.evidenced(s, &s.Items[i])
		out.States[e.State]++
		out.Requirements = append(out.Requirements, e)
	}
	return out
}

func (p *Programme) evidenced(s *RequirementSet, r *Requirement) Evidenced {
	e := Evidenced{ID: r.ID, Principle: p.Principle(r.Principle).Name, Says: r.Says, State: r.Status(), Owner: r.Owner, Laws: union(nil, r.Laws)}
	if e.Owner == "" {
		e.Owner = s.Owner
	}
	files := union(nil, r.Evidence)
	for _, id := range r.Controls {
		c := p.Control(id)
		x := EvidencedControl{ID: c.ID, Name: c.Name, Says: c.Says, Owner: c.Owner, Measured: c.Measured, Reviewed: c.Reviewed, Frameworks: map[string][]string{}}
		for _, m := range c.Maps {
			x.Frameworks[m.Framework] = m.At
		}
		e.Controls = append(e.Controls, x)
		e.Laws, files = union(e.Laws, c.Laws), union(files, c.Evidence)
	}
	for _, id := range files {
		d := p.Document(id)
		at := d.URL
		if at == "" {
			at = d.Path
		}
		e.Documents = append(e.Documents, EvidencedFile{d.ID, d.Title, d.Version, at})
	}
	for _, x := range r.Reviews {
		e.Reviews = append(e.Reviews, EvidencedReview(x))
	}
	return e
}

// union adds what of more isn't in all.
func union(all, more []string) []string { return append(all[:len(all):len(all)], less(more, all)...) }
