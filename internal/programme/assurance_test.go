package programme_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/programme"
)

func loadExample(t *testing.T) *programme.Programme {
	t.Helper()
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The table of economies says what the certification page says: 21 endorsed, nine take part, four are on their
// way; two take part in the processors' system, which is apart.
func TestEconomies(t *testing.T) {
	p := loadExample(t)
	var joined, candidates, processors []string
	endorsed := 0
	for _, e := range p.Economies {
		if e.Endorsed {
			endorsed++
		}
		switch {
		case programme.TakesPart(e.CBPR):
			joined = append(joined, e.Country)
		case e.CBPR == "candidate":
			candidates = append(candidates, e.Country)
		}
		if programme.TakesPart(e.PRP) {
			processors = append(processors, e.Country)
		}
	}
	slices.Sort(joined)
	if got := strings.Join(joined, " "); endorsed != 21 || got != "AU CA JP KR MX PH SG TW US" {
		t.Errorf("%d endorsed, %s take part", endorsed, got)
	}
	slices.Sort(candidates)
	if got := strings.Join(candidates, " "); got != "CL ID MY VN" {
		t.Errorf("candidates %s", got)
	}
	if got := strings.Join(processors, " "); got != "SG US" {
		t.Errorf("in the processors' system: %s", got)
	}
	var origins []string
	for _, m := range p.Mechanisms {
		if m.Kind == "cbpr_prp" {
			origins = slices.Sorted(slices.Values(m.Origins))
		}
	}
	if !slices.Equal(origins, joined) {
		t.Errorf("the mechanism is for %v", origins)
	}
}

// A pack has every requirement with what is done for it, and one piece of evidence serves several laws.
func TestEvidence(t *testing.T) {
	p := loadExample(t)
	for set, want := range map[string]int{"cbpr": 50, "prp": 18} {
		e := p.Evidence(set)
		n := 0
		for _, c := range e.States {
			n += c
		}
		if len(e.Requirements) != want || n != want || e.Programme != p.Hash || len(e.Holders) != 4 {
			t.Errorf("%s: %d requirements, %d in %v, of %v", set, len(e.Requirements), n, e.States, e.Holders)
		}
		again, _ := json.Marshal(p.Evidence(set))
		if once, _ := json.Marshal(e); string(once) != string(again) {
			t.Errorf("%s: two packs of one programme differ", set)
		}
	}
	if p.Evidence("iso") != nil {
		t.Error("a set that isn't there has a pack")
	}
	r := p.Evidence("cbpr").Requirements[26] // safeguards
	if r.State != "covered" || !slices.Contains(r.Laws, "GDPR art. 32") || !slices.Contains(r.Laws, "LGPD art. 46") || len(r.Controls) != 2 || r.Controls[0].Measured != "tls" || len(r.Documents) != 1 {
		t.Errorf("%+v", r)
	}
	if r := p.Evidence("cbpr").Requirements[28]; r.State != "open" || r.Owner != "data protection officer" {
		t.Errorf("training: %+v", r)
	}
}

func TestStatusOfARequirement(t *testing.T) {
	for want, r := range map[string]programme.Requirement{
		"open": {}, "covered": {Evidence: []string{"x"}}, "not_met": {Controls: []string{"x"}, Reviews: []programme.Review{{Finding: "not_met"}, {Finding: "met"}}}} {
		if got := r.Status(); got != want {
			t.Errorf("%+v is %s, want %s", r, got, want)
		}
	}
}

func TestAuthoritiesOver(t *testing.T) {
	p := loadExample(t)
	for entity, want := range map[string]string{"example_us": "ftc", "example_ie": "irish_dpc_authority", "example_sg": ""} {
		got := ""
		for _, a := range p.AuthorityOver(entity) {
			got += a.ID
		}
		if got != want {
			t.Errorf("over %s: %q, want %q", entity, got, want)
		}
	}
	p.Authorities = append(p.Authorities, programme.Authority{ID: "pdpc", Kind: "supervisory", Country: "SG"}, programme.Authority{ID: "court", Kind: "arbitration", Country: "SG"})
	if got := p.AuthorityOver("example_sg"); len(got) != 1 || got[0].ID != "pdpc" {
		t.Errorf("by country: %+v", got)
	}
}

// What comes again is on the calendar, the first first, and what was never done is late.
func TestCalendar(t *testing.T) {
	p := loadExample(t)
	p.Recipients = []programme.Recipient{{ID: "old", Name: "Old", Class: "x", Mechanisms: []string{"scc"}, TIA: programme.TIA{Assessed: "2020-07-01", Due: "2030-01-01"}},
		{ID: "new", Name: "New", Class: "x", Mechanisms: []string{"scc"}, TIA: programme.TIA{Assessed: "2021-01-01", Due: "2030-01-01"}}}
	p.Events[0].ReassessBy = "2021-06-27"
	p.Certifications = append(p.Certifications, programme.Certification{ID: "dated", Name: "Dated", ValidUntil: "2024-12-31"})
	at := func(day programme.Date, within int) map[string]programme.Due {
		out := map[string]programme.Due{}
		last := programme.Date("")
		for _, d := range p.Calendar(programme.FirstDay(day), within) {
			if d.On < last || d.Days >= within {
				t.Errorf("%s: %+v after %s", day, d, last)
			}
			last = d.On
			out[d.ID] = d
		}
		return out
	}
	got := at("2024-11-25", 30)
	for id, want := range map[string]programme.Due{"regional_plan": {On: "2024-12-06", Days: 11}, "sub_processors": {On: "2024-12-06", Days: 11},
		"addendum_2026": {On: "2024-11-25", Days: 0}, "security_policy": {On: "2024-11-25", Days: 0}, "old": {On: "2021-06-27", Days: -1247}} {
		if d := got[id]; d.On != want.On || d.Days != want.Days || d.What == "" {
			t.Errorf("%s: %+v, want %+v", id, d, want)
		}
	}
	for _, id := range []string{"apec_cbpr", "new", "dated", "support_page_2022"} {
		if d, there := got[id]; there {
			t.Errorf("%s is due: %+v", id, d)
		}
	}
	got = at("2025-01-02", 300)
	if d := got["apec_cbpr"]; d.On != "2025-09-01" || d.Last != "2022-09" || d.Owner != "TrustArc" {
		t.Errorf("the certificate: %+v", d)
	}
	if d := got["dated"]; d.On != "2025-01-01" || d.Days != -1 {
		t.Errorf("one with a last day: %+v", d)
	}
}
