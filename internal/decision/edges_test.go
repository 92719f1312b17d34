package decision_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
)

// ownLaw is the book with an operator's own profile of the EU's or another law's, in a few rules.
func ownLaw(t *testing.T, id, countries, rules string) *law.Book {
	t.Helper()
	b, err := law.Load(fstest.MapFS{"own.law.yaml": {Data: []byte("format: domicile.law/v1\nid: " + id + "\nname: Own\ncountries: [" + countries +
		"]\nas_of: 2026-11-25\nreview: 2027-03-01\nsource: counsel\nmark: S\nrules:\n" + rules)}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const eea = "AT, BE, BG, HR, CY, CZ, DK, EE, FI, FR, DE, GR, HU, IE, IT, LV, LT, LU, MT, NL, PL, PT, RO, SK, SI, ES, SE, IS, LI, 'NO'"

func TestARuleHoldsWhereAndWhenItSays(t *testing.T) {
	const home = "  - {id: at-home, kind: within, countries: [IE], says: x, source: s, mark: S"
	for name, tt := range map[string]struct {
		rules string
		flow  string
		lines []string
		want  bool
	}{
		"within":                      {home + "}\n", "home", nil, true},
		"within, from today":          {home + ", from: 2026-11-25}\n", "home", nil, true},
		"within, no more":             {home + ", until: 2026-11-24}\n", "home", nil, false},
		"within, not yet":             {home + ", from: 2026-11-26}\n", "home", nil, false},
		"free for one place":          {"  - {id: f, kind: free, countries: [IE], says: x, source: s, mark: S}\n", "home", nil, true},
		"not for another":             {"  - {id: f, kind: free, countries: [DE], says: x, source: s, mark: S}\n", "home", nil, false},
		"counts that are not outside": {"  - {id: a, kind: anonymous, countries: [DE], says: x, source: s, mark: S}\n", "home", nil, false},
		"clauses for the place":       {"  - {id: c, kind: scc, countries: [US], says: x, source: s, mark: S}\n", "tickets", []string{clauses}, true},
		"clauses for another":         {"  - {id: c, kind: scc, countries: [IN], says: x, source: s, mark: S}\n", "tickets", []string{clauses}, false},
	} {
		d := decision.New(load(t), ownLaw(t, "eu", eea, tt.rules), registered(t, tt.lines...), nil).Decide(ptr(ask(tt.flow)), now)
		if d.Allowed != tt.want {
			t.Errorf("%s: %v %s: %+v", name, d.Allowed, d.Form, d.Reasons)
		}
	}
}

// baseText is the base programme.
func baseText(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("testdata/base/programme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func ptr(q decision.Question) *decision.Question { return &q }

// Where nothing is needed a lawyer reads why, and how well that is known.
func TestWhatNeedsNoMechanismSaysByWhichRule(t *testing.T) {
	d := decide(t, ask("home"))
	if len(d.Legs) != 1 || d.Legs[0].Rule != "eu-within" || d.Legs[0].Mark != "S" || d.Legs[0].Mechanism != "" || d.Mechanism != "" {
		t.Errorf("%+v", d.Legs)
	}
	if i := slices.IndexFunc(d.Reasons, func(r decision.Reason) bool { return r.Rule == "eu-within" }); i < 0 || d.Reasons[i].Code != "mechanism.not_needed" || d.Reasons[i].Source == "" {
		t.Errorf("%+v", d.Reasons)
	}
	p := between(t, "AU", "AU", "kind: contract, origins: [AU]", "processor", "processor")
	q := decision.Question{Flow: "f", Service: "messaging", Kind: "message", Categories: "device_data", Subject: decision.Subject{Known: true}}
	d = decision.Decide(p, law.Builtin(), registered(t, "contracts: {id: z, kind: data_protection, with: R Ltd, signed: 2025-01-01}"), q, now)
	if !d.Allowed || d.Legs[0].Mark != law.FromMemory {
		t.Errorf("what is known from memory is not marked: %+v", d.Legs)
	}
}

func TestADecisionIsKnownAsItsWorstRule(t *testing.T) {
	for want, marks := range map[string][]string{"": {""}, "P": {"P", ""}, "S": {"P", "S", "P"}, "M": {"S", "M", "P"}} {
		d := &decision.Decision{}
		for _, m := range marks {
			d.Legs = append(d.Legs, decision.Leg{Mark: m})
		}
		if d.Mark() != want {
			t.Errorf("%v: %s, want %s", marks, d.Mark(), want)
		}
	}
}

// Who gets data from two parties needs a contract and a mechanism with both.
func TestEachHandOverCounts(t *testing.T) {
	const two = "roles: [processor], locations: [IE], onward: [helpdesk, watched]}\n"
	src := strings.Replace(baseText(t), "roles: [processor], locations: [IE], onward: [helpdesk]}\n", two, 1)
	src = strings.Replace(src, "locations: [IE], remote_access: [IN]}", "locations: [IE], onward: [helpdesk]}", 1)
	p, err := programme.Load(fstest.MapFS{"programme.yaml": {Data: []byte(src)}})
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{listed, "contracts: {id: w, kind: data_protection, with: Watched Hosting, by: Chained Hosting, signed: 2025-01-01}"}
	d := decision.Decide(p, law.Builtin(), registered(t, lines...), ask("chained"), now)
	if d.Allowed || !d.Has("contract.missing") {
		t.Errorf("Watched Hosting passes data on without a contract: %+v", d.Legs)
	}
	lines = append(lines, "contracts: {id: wh, kind: data_protection, with: Helpdesk Inc, by: Watched Hosting, signed: 2025-01-01}")
	if d = decision.Decide(p, law.Builtin(), registered(t, lines...), ask("chained"), now); d.Form != decision.Clear {
		t.Errorf("%+v", d.Reasons)
	}
	// The clauses that Chained Hosting has are not those that Watched Hosting needs.
	lines[0] = strings.Replace(clauses, "Inc, modules", "Inc, by: Chained Hosting, modules", 1)
	if d = decision.Decide(p, law.Builtin(), registered(t, append(lines, assessed)...), ask("chained"), now); d.Form == decision.Clear {
		t.Errorf("%+v", d.Legs)
	}
}

func TestADerogationIsNotForThoseBehindTheRecipient(t *testing.T) {
	src := strings.Replace(baseText(t), "locations: [IE], onward: [helpdesk]}", "locations: [US], onward: [helpdesk], mechanisms: [art49]}", 1)
	src = strings.Replace(src, "locations: [US], mechanisms: [dpf, scc]}", "locations: [US], mechanisms: [dpf, scc, art49]}", 1)
	p, err := programme.Load(fstest.MapFS{"programme.yaml": {Data: []byte(src)}})
	if err != nil {
		t.Fatal(err)
	}
	q := ask("chained")
	q.Case = "c1"
	open := "cases: {id: c1, recipient: chained, ground: legal_claims, from: 2026-11-01, until: 2026-12-01}"
	d := decision.Decide(p, law.Builtin(), registered(t, open), q, now)
	if d.Form == decision.Clear || !d.Has("derogation.onward") {
		t.Errorf("%+v", d.Legs)
	}
	if d = decision.Decide(p, law.Builtin(), registered(t, open, listed), q, now); d.Form != decision.Clear {
		t.Errorf("with its own mechanism: %+v", d.Reasons)
	}
}

func TestWhatACustomerEnablesIsEnabledBehindTheRecipientToo(t *testing.T) {
	p := changed(t, "roles: [processor], locations: [US], mechanisms: [dpf, scc]}", "roles: [processor], locations: [US], mechanisms: [dpf, scc], customer_enabled: true}")
	d := decision.Decide(p, law.Builtin(), registered(t, listed), ask("chained"), now)
	if d.Allowed || !d.Has("recipient.not_enabled") || d.Scope != decision.OneTenant {
		t.Errorf("%v %+v", d.Scope, d.Reasons)
	}
	if d = decision.Decide(p, law.Builtin(), registered(t, listed, "enablements: {tenant: acme, recipient: helpdesk, from: 2026-01-01}"), ask("chained"), now); d.Form != decision.Clear {
		t.Errorf("%+v", d.Reasons)
	}
}

func TestTheReviewDateMindsChoicesAndCases(t *testing.T) {
	p := changed(t, "roles: [processor], locations: [IE]}", "roles: [processor], locations: [IE], customer_enabled: true}")
	d := decision.Decide(p, law.Builtin(), registered(t, "enablements: {tenant: acme, recipient: dublin, from: 2026-01-01, until: 2026-12-05}"), ask("home"), now)
	if !d.Allowed || d.Review != "2026-12-06" {
		t.Errorf("a choice that ends: %v review %s", d.Allowed, d.Review)
	}
	q := ask("occasional")
	q.Case = "c1"
	if d = decide(t, q, "cases: {id: c1, recipient: helpdesk, ground: legal_claims, from: 2026-11-01, until: 2026-12-01}"); d.Form != decision.Clear || d.Review != "2026-12-02" {
		t.Errorf("a case that ends: %s review %s", d.Form, d.Review)
	}
}

// What falls with the same ruling is no fallback.
func TestAFallbackStandsWhenTheFirstFalls(t *testing.T) {
	for flow, lines := range map[string][]string{"tickets": {listed}, "british": {listed, listedUK}} {
		src := strings.Replace(baseText(t), "mechanisms: [dpf, scc]", "mechanisms: [dpf, dpf2, scc]", 1)
		src = strings.Replace(src, "  - {id: bcr, name: BCR", "  - {id: dpf2, name: Also DPF, kind: dpf, origins: [EU, GB], destinations: [US]}\n  - {id: bcr, name: BCR", 1)
		p, err := programme.Load(fstest.MapFS{"programme.yaml": {Data: []byte(src)}})
		if err != nil {
			t.Fatal(err)
		}
		d := decision.Decide(p, law.Builtin(), registered(t, lines...), ask(flow), now)
		if d.Mechanism != "dpf" || d.Fallback != "" || !d.Has("fallback.none") {
			t.Errorf("%s: %s falls back on %q", flow, d.Mechanism, d.Fallback)
		}
	}
	d := decide(t, ask("tickets"), listed, clauses, assessed)
	if l := d.Legs[0]; l.Fallback != "scc" || l.FallbackRule != "eu-scc" || l.FallbackMark != "S" {
		t.Errorf("%+v", l)
	}
}

// What an assessment demands is said, and a plan says that it narrows the flow.
func TestWhatAnAssessmentDemandsIsSaid(t *testing.T) {
	demands := strings.Replace(assessed, "outcome: proceed", "outcome: proceed_with_measures, measures: [tls_1_3], drop: [contact_data]", 1)
	reg := registered(t, listed, clauses, demands)
	struck, _ := law.Builtin().Without("eu-us-dpf")
	d := decision.Decide(load(t), struck, reg, ask("tickets"), now)
	if i := slices.IndexFunc(d.Reasons, func(r decision.Reason) bool { return r.Code == "tia.demands" }); i < 0 || d.Reasons[i].Effect != decision.Notes ||
		!strings.Contains(d.Reasons[i].Says, "contact_data") || !strings.Contains(d.Reasons[i].Says, "1.3") {
		t.Errorf("%+v", d.Reasons)
	}
	if d = decision.Decide(load(t), law.Builtin(), reg, ask("tickets"), now); d.Has("tia.demands") {
		t.Errorf("the demand of what doesn't carry: %+v", d.Reasons)
	}
	changes := decision.Plan(decision.New(load(t), law.Builtin(), reg, nil), decision.New(load(t), struck, reg, nil), now)
	i := slices.IndexFunc(changes, func(c decision.Change) bool { return c.Flow == "tickets" })
	if c := changes[i]; c.What != decision.Narrows || !slices.Contains(c.Lost, "messaging/message: contact_data") || !slices.ContainsFunc(c.Reasons, func(r decision.Reason) bool { return r.Code == "tia.demands" }) {
		t.Errorf("%+v", c)
	}
}

// Of two assessments of one day both demands count, in whichever order they were noted.
func TestOfOneDayAllDemandsCount(t *testing.T) {
	one := strings.Replace(assessed, "outcome: proceed", "outcome: proceed_with_measures, drop: [contact_data]", 1)
	two := strings.NewReplacer("outcome: proceed", "outcome: proceed_with_measures, measures: [tls_1_3]", "2027-06-01", "2026-12-10").Replace(assessed)
	for _, lines := range [][]string{{clauses, one, two, assessed}, {clauses, assessed, two, one}} {
		d := decide(t, ask("tickets"), lines...)
		drop, tls := false, false
		for _, o := range d.Obligations {
			drop = drop || o.Do == "drop" && slices.Contains(o.What, "contact_data")
			tls = tls || o.Do == "minimum_tls" && o.What[0] == "1.3"
		}
		if !drop || !tls || d.Review != "2026-12-11" {
			t.Errorf("%+v review %s", d.Obligations, d.Review)
		}
	}
}

// With safeguards the UK's data protection test is asked for since 5 February 2026, of BCR too.
func TestUKBindingRulesNeedTheProtectionTest(t *testing.T) {
	p := between(t, "GB", "US", "kind: bcr, scheme: bcr-c, approved_by: them, holders: [ex_sg, ex_us], origins: [GB]", "controller", "processor")
	q := decision.Question{Flow: "f", Service: "messaging", Kind: "message", Categories: "device_data", Subject: decision.Subject{Known: true}}
	lines := []string{"contracts: {id: y, kind: data_protection, with: Example Inc, signed: 2025-01-01}", "contracts: {id: z, kind: data_protection, with: R Ltd, signed: 2025-01-01}",
		"assessments: {kind: tia, entity: Example Inc, country: US, outcome: proceed, assessed: 2025-01-01, due: 2027-01-01}"}
	test := "assessments: {kind: protection_test, entity: Example Inc, country: US, outcome: proceed, assessed: 2026-02-05, due: 2027-01-01}"
	for _, tt := range []struct {
		day  string
		with bool
		want bool
	}{{"2026-02-04", false, true}, {"2026-02-05", false, false}, {"2026-02-05", true, true}, {"2026-11-25", false, false}} {
		reg := registered(t, lines...)
		if tt.with {
			reg = registered(t, append(lines, test)...)
		}
		if d := decision.Decide(p, law.Builtin(), reg, q, programme.Date(tt.day).Time()); d.Allowed != tt.want {
			t.Errorf("on %s with the test %v: %v %+v", tt.day, tt.with, d.Allowed, d.Denials())
		}
	}
}
