package plane

import (
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/subject"
)

// Reasons why an event is refused for where its people are at home.
const (
	// RefusedElsewhere: everybody whom the event is about is at home in one other region.
	RefusedElsewhere = "subject.elsewhere"
	// RefusedApart: the event is about people of different homes, so that no region may have it whole.
	RefusedApart = "subject.homes_apart"
)

// elsewhere returns why this region may not have the event, nil when it may: somebody in it is at
// home in another region. Who is known here is at home here, whatever the tenant's rules say of
// them. Nothing was resolved or made of the event before.
func (g *group) elsewhere(s *slowEvent) *ingest.Refusal {
	settings := s.o.src.Settings
	if !settings.Places() || len(s.e.says) == 0 {
		return nil
	}
	here := g.p.Region
	homes := map[string]bool{}
	away := ""
	for i := range s.e.says {
		say := &s.e.says[i]
		home := here
		if !g.known(say) {
			home, _ = settings.Home(here, factsOf(s.e, say))
		}
		if homes[home] = true; home != here {
			away = home
		}
	}
	switch {
	case away == "":
		return nil
	case len(homes) > 1:
		return &ingest.Refusal{Index: s.e.ev.Index, Reason: RefusedApart}
	}
	return &ingest.Refusal{Index: s.e.ev.Index, Reason: RefusedElsewhere, Region: away, URL: g.p.opt.URLs[away]}
}

// known says whether the person is known here, or the identifier that names them best is: one that
// several people here share is theirs, too.
func (g *group) known(s *said) bool {
	return g.graph.Lookup(&s.Say) != nil || g.graph.Held(subject.BindingKey{Tenant: s.Tenant, Digest: s.Primary().Digest})
}

// factsOf is what the event says of one person in it.
func factsOf(e *prepared, say *said) residency.Facts {
	f := residency.Facts{Identifiers: make([]residency.Identifier, len(say.Identifiers))}
	for i := range say.Identifiers {
		f.Identifiers[i] = residency.Identifier{Type: say.Identifiers[i].Type, Value: say.Identifiers[i].Value}
	}
	f.Residence = func(path string) string { return textAt(e, say, strings.Split(path, ".")) }
	return f
}

// textAt returns the text at a path of the event, "" when there is none or when it is somebody else's.
func textAt(e *prepared, say *said, path []string) string {
	for i := range e.ev.Fragments {
		f := &e.ev.Fragments[i]
		if !owns(e.says, f.Owner, say) {
			continue
		}
		if text := textIn(f.JSON, path); text != "" {
			return text
		}
	}
	return ""
}

func owns(says []said, owner string, say *said) bool {
	for _, s := range owners(says, owner) {
		if s == say {
			return true
		}
	}
	return false
}

// maxPlaceBytes is more than any country's name has.
const maxPlaceBytes = 128

// textIn returns the string at a path of a JSON object, "" when there is none.
func textIn(json []byte, path []string) string {
	var doc scan.Doc
	if err := doc.ParseAll(json, scan.Limits{}); err != nil {
		return ""
	}
	return stringAt(&doc, path)
}

// stringAt returns the string at a path of a parsed object, "" when there is none.
func stringAt(doc *scan.Doc, path []string) string {
	n := 0
	for _, name := range path {
		if doc.Nodes[n].Kind != scan.Object {
			return ""
		}
		if n = doc.Member(n, name); n <= 0 {
			return ""
		}
	}
	if doc.Nodes[n].Kind != scan.String || len(doc.Raw(n)) > maxPlaceBytes {
		return ""
	}
	var scratch []byte
	text, whole := doc.Text(n, &scratch)
	if !whole {
		return ""
	}
	return string(text)
}

// Elsewhere returns why a request of so many events kept none of them, when that is where their
// people are at home: WrongRegion, with the right address when it is one for all; Unprocessable when
// no region may have any of them. It returns nil when something was kept, or refused for another
// reason.
func (r *Result) Elsewhere(here string, events int) error {
	if r.Accepted+r.Duplicate > 0 || len(r.Refused) == 0 || len(r.Refused) < events {
		return nil
	}
	first, apart, same := r.Refused[0], 0, true
	for _, x := range r.Refused {
		switch x.Reason {
		case RefusedApart:
			apart++
		case RefusedElsewhere, RefusedMoved:
		default:
			return nil
		}
		same = same && x.Region == first.Region
	}
	switch {
	case apart == len(r.Refused):
		return fault.New(fault.Unprocessable, RefusedApart, "this is about people who are at home in different regions").
			WithHint("send each region what is about its people")
	case !same:
		return fault.New(fault.WrongRegion, RefusedElsewhere, "nobody whom this is about is at home in region %s", here).
			WithHint("send each person's events to their home")
	}
	f := fault.New(fault.WrongRegion, first.Reason, "the home of whom this is about is region %s, this is %s", first.Region, here).
		With("region", first.Region)
	if first.URL == "" {
		return f.WithHint("send it to that region, with a key of a source there")
	}
	return f.WithHint("send it to the address in url, with a key of a source there").With("url", first.URL)
}
