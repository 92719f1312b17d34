package transit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/transit"
)

// somebody is a person who said something; change makes it worse.
func somebody(change func(*transit.Person)) transit.Person {
	p := transit.Person{Subject: "sub_" + strings.Repeat("a", 20), CreatedAt: 1, Identifiers: []transit.Identifier{},
		Standings: []transit.Standing{{About: "consent/ads", Channel: "src_ie1_abc/Advertising", NoAt: 5, No: "refused", How: "sdk", Source: "src_ie1_abc", ReceivedAt: 6},
			{About: "opt_out/gpc", Channel: "api", YesAt: 7, How: "form", Source: "tok_ie1_abc", Text: "v1", ReceivedAt: 8}},
		Words: []transit.Word{{About: "objection/ads", Word: "objects", Channel: "api", Act: true, At: 5, ReceivedAt: 6, How: "call", Source: "tok_ie1_abc"}}}
	change(&p)
	return p
}

func TestOnlyWordsOfTheirFormsAreTaken(t *testing.T) {
	decode := func(p transit.Person) error {
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = transit.DecodePerson(raw)
		return err
	}
	if err := decode(somebody(func(*transit.Person) {})); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*transit.Person){
		"an address for a purpose":    func(p *transit.Person) { p.Standings[0].About = "consent/ann@example.com" },
		"another sort":                func(p *transit.Person) { p.Words[0].About = "wish/ads" },
		"a channel that is none":      func(p *transit.Person) { p.Standings[0].Channel = "ann@example.com" },
		"a source without a category": func(p *transit.Person) { p.Standings[0].Channel = "src_ie1_abc/" },
		"a long channel":              func(p *transit.Person) { p.Standings[0].Channel += strings.Repeat("x", 300) },
		"a line break":                func(p *transit.Person) { p.Standings[0].Channel += "\n" },
		"a sentence for how":          func(p *transit.Person) { p.Words[0].How = "she called" },
		"a sentence for the version":  func(p *transit.Person) { p.Standings[1].Text = "as she saw it" },
		"nobody's word":               func(p *transit.Person) { p.Words[0].Source = "ann" },
		"a no without its word":       func(p *transit.Person) { p.Standings[0].No = "" },
		"a word for no no":            func(p *transit.Person) { p.Standings[1].No = "out" },
		"an unknown word":             func(p *transit.Person) { p.Words[0].Word = "maybe" },
		"before all time":             func(p *transit.Person) { p.Standings[0].NoAt = -5 },
		"never":                       func(p *transit.Person) { p.Words[0].At = 0 },
		"long after it came":          func(p *transit.Person) { p.Words[0].At = 7_000_000 },
		"two for one channel":         func(p *transit.Person) { p.Standings[1] = p.Standings[0] },
		"more than anybody ever said": func(p *transit.Person) { p.Words = make([]transit.Word, transit.MaxWords+1) },
	} {
		if err := decode(somebody(change)); fault.ReasonOf(err) != "move.malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
