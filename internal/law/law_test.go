package law_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
)

func TestTheListsAreNotInterchangeable(t *testing.T) {
	lists := map[string][]string{}
	for _, p := range law.Builtin().Profiles() {
		for _, r := range p.OfKind(law.Adequacy) {
			lists[p.ID] = append(lists[p.ID], r.Countries...)
		}
	}
	for _, tt := range []struct {
		law, country string
		want         bool
	}{
		{"eu", "JP", true}, {"eu", "KR", true}, {"eu", "BR", true}, {"eu", "GB", true}, {"eu", "CH", true},
		{"ch", "JP", false}, {"ch", "KR", false}, {"ch", "BR", false}, {"ch", "GB", true}, {"ch", "IE", true}, {"ch", "MC", true},
		{"gb", "BR", false}, {"gb", "KR", true}, {"gb", "GI", true}, {"gb", "IE", true}, {"eu", "GI", false}, {"eu", "MC", false},
		{"br", "IE", true}, {"br", "US", false}, {"br", "GB", false}, {"jp", "GB", true}, {"jp", "CH", false}, {"kr", "IE", true}, {"kr", "GB", false},
		// The US is on no list as a country: only listed organisations are.
		{"eu", "US", false}, {"gb", "US", false}, {"ch", "US", false},
		{"eu", "AU", false}, {"eu", "SG", false}, {"eu", "CL", false}, {"eu", "TW", false}, {"eu", "PH", false}, {"eu", "MX", false}, {"eu", "IN", false}, {"eu", "KE", false},
	} {
		if got := slices.Contains(lists[tt.law], tt.country); got != tt.want {
			t.Errorf("%s is adequate under %s: %v, want %v", tt.country, tt.law, got, tt.want)
		}
	}
	if n := len(law.Builtin().Of("CH").OfKind(law.Adequacy)[0].Countries); n != 42 {
		t.Errorf("%d countries on the Swiss list beside Canada and US organisations, want 42", n)
	}
}

func TestWhatNobodyWroteDownIsManualReview(t *testing.T) {
	for _, c := range []string{"IN", "MX", "KE", "AE", "CN"} {
		if p := law.Builtin().Of(c); p != nil {
			t.Errorf("%s has the profile %s", c, p.ID)
		}
	}
	for c, id := range map[string]string{"IE": "eu", "NO": "eu", "GB": "gb", "CH": "ch", "US": "us"} {
		if p := law.Builtin().Of(c); p == nil || p.ID != id {
			t.Errorf("the law of %s: %v, want %s", c, p, id)
		}
	}
}

func TestEveryRuleSaysWhereItWasReadAndHowWellItIsKnown(t *testing.T) {
	for _, p := range law.Builtin().Profiles() {
		for i := range p.Rules {
			r := &p.Rules[i]
			if r.Place().Line == 0 || !strings.HasPrefix(r.Place().File, "law/") {
				t.Errorf("%s has no place", r.ID)
			}
			if strings.Contains(r.Source, "from memory") && r.Mark != law.FromMemory {
				t.Errorf("%s is from memory and marked %s", r.ID, r.Mark)
			}
		}
	}
	for id, mark := range map[string]string{"eu-us-dpf": "S", "eu-anonymous": "M", "sg-certified": "S", "us-free": "M", "us-countries-of-concern": "M",
		"au-contract": "M", "bm-cbpr": "P", "gb-adequacy-fo": "M", "ch-bcr-c": "M", "jp-contract": "M"} {
		if r := law.Builtin().Rule(id); r == nil || r.Mark != mark {
			t.Errorf("%s: %+v, want mark %s", id, r, mark)
		}
	}
}

func TestAnOperatorsProfileReplacesTheOneWithItsID(t *testing.T) {
	const own = `format: domicile.law/v1
id: au
name: Ours
countries: [AU]
as_of: 2026-11-25
review: 2027-01-01
source: counsel
mark: P
rules:
  - {id: au-nowhere, kind: within, countries: [AU], says: stays, source: counsel, mark: P}
`
	b, err := law.Load(fstest.MapFS{"own.law.yaml": {Data: []byte(own)}, "categories.yaml": {Data: []byte("x: 1")}})
	if err != nil {
		t.Fatal(err)
	}
	if b.Of("AU").Name != "Ours" || b.Rule("au-contract") != nil || b.Of("IE") == nil || b.Version == law.Builtin().Version {
		t.Errorf("%+v %s", b.Of("AU"), b.Version)
	}
	if at := b.Rule("au-nowhere").Place().String(); at != "own.law.yaml:10" {
		t.Errorf("the rule stands at %s", at)
	}
}

func TestAFaultyProfileNamesLineAndColumn(t *testing.T) {
	head := "format: domicile.law/v1\nid: xx\nname: X\ncountries: [IN]\nas_of: 2026-11-25\nreview: 2027-01-01\nsource: s\nmark: P\nrules:\n"
	for name, tt := range map[string]struct {
		src  string
		line int
	}{
		"no mark":              {head + "  - {id: a, kind: free, says: x, source: s}\n", 10},
		"an unknown mark":      {head + "  - {id: a, kind: free, says: x, source: s, mark: X}\n", 10},
		"dpf without a row":    {head + "  - {id: a, kind: dpf, says: x, source: s, mark: S, countries: [US], check_days: 30}\n", 10},
		"dpf for ever":         {head + "  - {id: a, kind: dpf, says: x, source: s, mark: S, countries: [US], row: eu-us}\n", 10},
		"bcr without a role":   {head + "  - {id: a, kind: bcr, says: x, source: s, mark: S, scheme: bcr-c}\n", 10},
		"adequate everywhere":  {head + "  - {id: a, kind: adequacy, says: x, source: s, mark: S}\n", 10},
		"ends before it began": {head + "  - {id: a, kind: free, says: x, source: s, mark: S, from: 2026-02-01, until: 2026-01-01}\n", 10},
		"an unknown key":       {head + "  - {id: a, kind: free, says: x, source: s, mark: S, colour: red}\n", 10},
		"a country of another": {strings.Replace(head, "[IN]", "[IE]", 1) + "  - {id: a, kind: free, says: x, source: s, mark: S}\n", 1},
		"a rule of another":    {head + "  - {id: eu-scc, kind: free, says: x, source: s, mark: S}\n", 10},
		"a limit nobody asks":  {head + "  - {id: a, kind: contract, says: x, source: s, mark: S, limit: appi}\n", 10},
		"a need nobody asks":   {head + "  - {id: a, kind: free, says: x, source: s, mark: S, needs: [tia]}\n", 10},
		"Swiss changes of one": {head + "  - {id: a, kind: idta, says: x, source: s, mark: S, needs: [swiss_changes]}\n", 10},
		"look-ups of nothing":  {head + "  - {id: a, kind: scc, says: x, source: s, mark: S, check_days: 30}\n", 10},
		"categories of others": {head + "  - {id: a, kind: adequacy, says: x, source: s, mark: S, countries: [US], categories: [x]}\n", 10},
		"a bar that can fall":  {head + "  - {id: a, kind: localisation, says: x, source: s, mark: S, countries: [US], stands_on: eu-scc}\n", 10},
		"stands on nothing":    {head + "  - {id: a, kind: free, says: x, source: s, mark: S, stands_on: b}\n", 10},
	} {
		_, err := law.Load(fstest.MapFS{"x.law.yaml": {Data: []byte(tt.src)}})
		var faults programme.Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if faults[0].File != "x.law.yaml" || faults[0].Line != tt.line {
			t.Errorf("%s: %v", name, faults[0])
		}
	}
}

// Whoever takes a rule out of one profile needn't rewrite the other whose rule stands on it.
func TestWhatStandsOnARuleFallsWithIt(t *testing.T) {
	src := "format: domicile.law/v1\nid: eu\nname: X\ncountries: [IE]\nas_of: 2026-11-25\nreview: 2027-01-01\nsource: s\nmark: P\nrules:\n  - {id: one, kind: free, says: x, source: s, mark: S}\n"
	b, err := law.Load(fstest.MapFS{"a.law.yaml": {Data: []byte(src)}})
	if err != nil || b.Rule("eu-us-dpf") != nil || b.Rule("uk-extension") == nil {
		t.Errorf("%v", err)
	}
}

// Of two files with one id neither is the one that holds.
func TestAProfileIsWrittenOnce(t *testing.T) {
	src := "format: domicile.law/v1\nid: au\nname: X\ncountries: [AU]\nas_of: 2026-11-25\nreview: 2027-01-01\nsource: s\nmark: P\nrules:\n  - {id: %s, kind: free, says: x, source: s, mark: S}\n"
	_, err := law.Load(fstest.MapFS{"a.law.yaml": {Data: []byte(strings.Replace(src, "%s", "one", 1))}, "b.law.yaml": {Data: []byte(strings.Replace(src, "%s", "two", 1))}})
	var faults programme.Faults
	if !errors.As(err, &faults) || faults[0].File != "b.law.yaml" || !strings.Contains(faults[0].Message, "a.law.yaml") {
		t.Errorf("%v", err)
	}
}

func TestStrikingARule(t *testing.T) {
	b, unknown := law.Builtin().Without("eu-us-dpf", "nothing")
	if b.Rule("eu-us-dpf") != nil || law.Builtin().Rule("eu-us-dpf") == nil || !slices.Equal(unknown, []string{"nothing"}) {
		t.Errorf("struck: %v, unknown: %v", b.Rule("eu-us-dpf"), unknown)
	}
	if b.Rule("uk-extension").StandsOn != "eu-us-dpf" {
		t.Error("the UK extension doesn't stand on the EU-US framework")
	}
}

func TestDays(t *testing.T) {
	for _, s := range []string{"1969-12-31", "1970-01-01", "2024-02-29", "2026-11-25"} {
		at, _ := time.Parse(time.DateOnly, s)
		if got := programme.DayOf(at.Add(23*time.Hour + 59*time.Minute)).Date(); string(got) != s {
			t.Errorf("the day of %s is %s", s, got)
		}
	}
	if programme.Never.Date() != "" || programme.LastDay("") != programme.Never || programme.FirstDay("") != 0 {
		t.Error("no date is the beginning or the end of time")
	}
}

// A bad profile gives no profile and no panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte("format: domicile.law/v1\nid: xx\nname: X\ncountries: [IN]\nas_of: 2026-11-25\nreview: 2027-01-01\nsource: s\nmark: P\nrules:\n  - {id: a, kind: free, says: x, source: s, mark: M}\n"))
	f.Add([]byte("rules: [{kind: dpf}]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := law.Parse("f", src)
		if (p == nil) == (err == nil) {
			t.Fatalf("%v and %v", p, err)
		}
	})
}
