package segment

import (
	"bytes"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// The events by which the SDKs say that a person just chose. Every other event repeats the choice of
// before.
const (
	segmentChose     = "Segment Consent Preference Updated"
	rudderStackChose = "Consent Management Interaction"
)

// choose reads what the event's context says of consent: Segment's consent.categoryPreferences, a
// boolean for each category, and RudderStack's consentManagement, two lists of them. Without either, or
// with an empty one, nothing is said. Where one is there, a category that it doesn't name is refused,
// and so is every category when it can't be read: no yes comes of a guess.
func (d *decoder) choose(e *ingest.Event, c call, consent, management int) {
	doc := &d.b.Doc
	act := false
	if c == track {
		if n := doc.Member(0, "event"); n > 0 && doc.Nodes[n].Kind == scan.String {
			name, _ := d.b.Text(n)
			act = string(name) == segmentChose || string(name) == rudderStackChose
		}
	}
	var raw [2][]byte
	for i, n := range [2]int{consent, management} {
		if n > 0 {
			raw[i] = doc.Raw(n)
		}
	}
	if d.choices == nil || d.choices.Act != act || !bytes.Equal(raw[0], d.chosen[0]) || !bytes.Equal(raw[1], d.chosen[1]) {
		made := &ingest.Choices{Role: term.RoleSubject, Act: act, How: "sdk"}
		said := d.preferences(made, consent)
		if d.lists(made, management) || said {
			if made.All = true; len(made.Of) > ingest.MaxChoices {
				made.Of = nil
			}
			d.choices = made
		} else {
			d.choices = &ingest.Choices{Act: act}
		}
		d.chosen = raw // views into the body, or into what the batch holds
	}
	if d.choices.All {
		e.Choices = d.choices
	}
}

// preferences reads Segment's object, and says whether it says anything.
func (d *decoder) preferences(c *ingest.Choices, n int) bool {
	doc := &d.b.Doc
	if n <= 0 || doc.Nodes[n].Kind == scan.Null {
		return false
	}
	if doc.Nodes[n].Kind != scan.Object {
		return true
	}
	p := doc.Member(n, "categoryPreferences")
	if p < 0 {
		return false
	}
	if doc.Nodes[p].Kind == scan.Object {
		for i := range doc.Members(p) {
			c.Of = append(c.Of, ingest.Choice{Category: bytes.Clone(doc.Key(i)), Yes: string(doc.Raw(i)) == "true"})
		}
	}
	return true
}

// lists reads RudderStack's object, and says whether it says anything: two empty lists are what its SDK
// sends before anybody chose.
func (d *decoder) lists(c *ingest.Choices, n int) bool {
	doc := &d.b.Doc
	if n <= 0 || doc.Nodes[n].Kind == scan.Null {
		return false
	}
	if doc.Nodes[n].Kind != scan.Object {
		return true
	}
	before, said := len(c.Of), false
	for _, list := range [2]string{"allowedConsentIds", "deniedConsentIds"} {
		m := doc.Member(n, list)
		if m <= 0 || doc.Nodes[m].Kind == scan.Null {
			continue
		}
		ok := doc.Nodes[m].Kind == scan.Array && d.list(c, m, list == "allowedConsentIds")
		if !ok { // nothing of it is believed
			c.Of = c.Of[:before]
			return true
		}
		said = said || len(c.Of) > before
	}
	return said
}

// list adds the ids of an array, each a text. An array has no nodes, so it is read by offsets.
func (d *decoder) list(c *ingest.Choices, n int, yes bool) bool {
	src := d.b.Doc.Src
	var one scan.Doc
	var scratch []byte
	sound := true
	_, err := scan.EachElement(src, int(d.b.Doc.Nodes[n].At), func(_, at int) (int, error) {
		end, err := one.Parse(src, at, scan.Limits{UTF8: true})
		if err != nil {
			return end, err
		}
		if one.Nodes[0].Kind != scan.String {
			sound = false
			return end, nil
		}
		id, whole := one.Text(0, &scratch)
		if !whole {
			sound = false
			return end, nil
		}
		c.Of = append(c.Of, ingest.Choice{Category: bytes.Clone(id), Yes: yes})
		return end, nil
	})
	return sound && err == nil
}
