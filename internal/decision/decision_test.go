package decision_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

var now = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// What the register may say, as lines of its lists.
const (
	listed    = "checks: {directory: dpf, entity: Helpdesk Inc, row: eu-us, status: active, data: [non_hr], checked: 2026-11-20}"
	listedUK  = "checks: {directory: dpf, entity: Helpdesk Inc, row: uk-extension, status: active, data: [non_hr], checked: 2026-11-20}"
	listedCH  = "checks: {directory: dpf, entity: Helpdesk Inc, row: swiss-us, status: active, data: [non_hr], checked: 2026-11-20}"
	clauses   = "contracts: {id: s1, kind: scc, with: Helpdesk Inc, modules: [p2p], set: 2021/914, annexes_complete: true, unaltered: true, signed: 2025-01-01}"
	assessed  = "assessments: {kind: tia, entity: Helpdesk Inc, country: US, outcome: proceed, assessed: 2026-06-01, due: 2027-06-01}"
	assessHQ  = "assessments: {kind: tia, entity: Example Inc, country: US, outcome: proceed, assessed: 2026-06-01, due: 2027-06-01}"
	addendum  = "contracts: {id: a1, kind: addendum, with: Helpdesk Inc, signed: 2025-01-01}"
	ukTest    = "assessments: {kind: protection_test, entity: Helpdesk Inc, country: US, outcome: proceed, assessed: 2026-06-01, due: 2027-06-01}"
	certified = "checks: {directory: cbpr, entity: Tokyo KK, scheme: apec_prp, status: active, checked: 2026-11-10, valid_until: 2027-01-01}"
)

func load(t testing.TB) *programme.Programme {
	t.Helper()
	p, err := programme.Load(os.DirFS("testdata/base"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// registered is the base register with lines added to its lists.
func registered(t testing.TB, lines ...string) *register.Register {
	t.Helper()
	src, err := os.ReadFile("testdata/base/base.register.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, lists := string(src), map[string]string{}
	for _, l := range lines {
		list, item, _ := strings.Cut(l, ": ")
		lists[list] += "  - " + item + "\n"
	}
	text += lists["contracts"]
	for list, items := range lists {
		if list != "contracts" {
			text += list + ":\n" + items
		}
	}
	r, err := register.Parse("test.register.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ask is a question about a message's device data of a person against whom nothing stands.
func ask(flow string) decision.Question {
	q := decision.Question{Flow: flow, Tenant: "acme", Service: "messaging", Kind: "message", Categories: decision.NewSet("device_data"), Subject: decision.Subject{Known: true}}
	switch flow {
	case "visits":
		q.Service, q.Kind = "portal", "visit"
	case "staff":
		q.Service, q.Kind, q.Categories = "portal", "visit", decision.NewSet("staff_data")
	}
	return q
}

func decide(t testing.TB, q decision.Question, lines ...string) *decision.Decision {
	t.Helper()
	return decision.Decide(load(t), law.Builtin(), registered(t, lines...), q, now)
}

// TestDecide is the table of what others get wrong. want is a form, or the code of a reason that denies.
func TestDecide(t *testing.T) {
	with := func(q decision.Question, f func(*decision.Question)) decision.Question { f(&q); return q }
	for _, tt := range []struct {
		name  string
		q     decision.Question
		lines []string
		want  string
		codes []string // that must be among the reasons
	}{
		{"a US recipient that nobody looked up is not adequate", ask("tickets"), nil, "aggregated", []string{"dpf.listing.missing", "mechanism.none", "mechanism.no_rule"}},
		{"a listed one is", ask("tickets"), []string{listed}, "clear", []string{"mechanism.holds", "fallback.none"}},
		{"not when the directory doesn't have it", ask("tickets"), []string{strings.Replace(listed, "status: active", "status: not_listed", 1)}, "aggregated", []string{"dpf.listing.negative"}},
		{"a failed look-up denies", ask("tickets"), []string{strings.Replace(listed, "status: active", "status: failed", 1)}, "aggregated", []string{"dpf.listing.negative"}},
		{"a failed look-up overrules the good one before it", ask("tickets"), []string{listed, strings.NewReplacer("active", "failed", "11-20", "11-24").Replace(listed)}, "aggregated", []string{"dpf.listing.negative"}},
		{"a good one overrules the failed one before it", ask("tickets"), []string{listed, strings.NewReplacer("active", "failed", "11-20", "11-19").Replace(listed)}, "clear", nil},
		{"an expired look-up denies", ask("tickets"), []string{strings.Replace(listed, "11-20", "10-01", 1)}, "aggregated", []string{"dpf.listing.expired"}},
		{"an expired certification denies", ask("tickets"), []string{strings.Replace(listed, "2026-11-20}", "2026-11-20, valid_until: 2026-11-24}", 1)}, "aggregated", []string{"dpf.listing.expired"}},
		{"a look-up from tomorrow is not known today", ask("tickets"), []string{strings.Replace(listed, "11-20", "11-26", 1)}, "aggregated", []string{"dpf.listing.missing"}},
		{"another entity's listing is another entity's", ask("tickets"), []string{strings.Replace(listed, "Helpdesk Inc", "Helpdesk", 1)}, "aggregated", []string{"dpf.listing.missing"}},
		{"a listing for other data doesn't cover staff", ask("staff"), []string{listed}, "aggregated", []string{"dpf.listing.negative"}},
		{"the UK extension doesn't stand without the EU row", ask("british"), []string{listedUK}, "aggregated", []string{"dpf.listing.missing"}},
		{"it stands with it", ask("british"), []string{listed, listedUK}, "clear", nil},
		{"the EU row is not the UK's", ask("british"), []string{listed}, "aggregated", []string{"dpf.listing.missing"}},
		{"nor Switzerland's", ask("swiss"), []string{listed, listedUK}, "aggregated", []string{"dpf.listing.missing"}},
		{"the Swiss row is", ask("swiss"), []string{listedCH}, "clear", nil},
		{"a completed assessment alone allows nothing", ask("tickets"), []string{assessed}, "aggregated", []string{"scc.missing"}},
		{"clauses without an assessment don't either", ask("tickets"), []string{clauses}, "aggregated", []string{"tia.missing"}},
		{"both do", ask("tickets"), []string{clauses, assessed}, "clear", []string{"mechanism.holds"}},
		{"an expired assessment denies", ask("tickets"), []string{clauses, strings.Replace(assessed, "due: 2027-06-01", "due: 2026-11-24", 1)}, "aggregated", []string{"tia.expired"}},
		{"stop denies", ask("tickets"), []string{clauses, strings.Replace(assessed, "proceed", "stop", 1)}, "aggregated", []string{"tia.negative"}},
		{"a later stop overrules", ask("tickets"), []string{clauses, assessed, strings.NewReplacer("proceed", "stop", "2026-06-01", "2026-07-01").Replace(assessed)}, "aggregated", []string{"tia.negative"}},
		{"an assessment that asks for pseudonyms gives them", ask("tickets"), []string{clauses, strings.Replace(assessed, "outcome: proceed", "outcome: proceed_with_measures, measures: [pseudonymise, tls_1_3]", 1)}, "pseudonymised", []string{"tia.negative"}},
		{"the module must be that of the roles", ask("tickets"), []string{strings.Replace(clauses, "p2p", "c2p", 1), assessed}, "aggregated", []string{"scc.missing"}},
		{"the set of 2010 is dead", ask("tickets"), []string{strings.Replace(clauses, "2021/914", "2010/87", 1), assessed}, "aggregated", []string{"scc.missing"}},
		{"empty annexes are no clauses", ask("tickets"), []string{strings.Replace(clauses, "annexes_complete: true", "annexes_complete: false", 1), assessed}, "aggregated", []string{"scc.missing"}},
		{"EU clauses alone are not valid in the UK", ask("british"), []string{clauses, assessed, ukTest}, "aggregated", []string{"addendum.missing"}},
		{"nor with the Addendum but without the test", ask("british"), []string{clauses, assessed, addendum}, "aggregated", []string{"protection_test.missing"}},
		{"with both they are", ask("british"), []string{clauses, assessed, addendum, ukTest}, "clear", nil},
		{"nor in Switzerland without its changes", ask("swiss"), []string{clauses, assessed}, "aggregated", []string{"scc.missing"}},
		{"with them they are", ask("swiss"), []string{strings.Replace(clauses, "unaltered: true", "unaltered: true, swiss_changes: true", 1), assessed}, "clear", nil},
		{"BCR-C carries the group's own data", ask("visits"), []string{assessHQ}, "clear", nil},
		{"BCR-C doesn't carry processor data", ask("entrusted"), []string{assessHQ}, "aggregated", []string{"bcr.other_role"}},
		{"a company of the group is a recipient like any other", ask("visits"), nil, "aggregated", []string{"tia.missing"}},
		{"Zurich and London labelled EU are outside of the EU", with(ask("storage"), func(q *decision.Question) { q.Tenant = "pinned" }),
			[]string{"pins: {tenant: pinned, places: [EU], from: 2026-01-01}"}, "pseudonymised", []string{"pin.outside"}},
		{"they are adequate, though", ask("storage"), nil, "clear", nil},
		{"Zurich is not adequate by the EU's list for Singapore's law", with(ask("storage"), func(q *decision.Question) { q.Origins = "SG" }), nil, "aggregated", []string{"mechanism.none"}},
		{"a pin beats every mechanism for clear data", with(ask("tickets"), func(q *decision.Question) { q.Tenant = "pinned" }),
			[]string{listed, clauses, assessed, "pins: {tenant: pinned, places: [EEA], from: 2026-01-01}"}, "pseudonymised", []string{"pin.outside"}},
		{"within the EEA nothing is needed", ask("home"), nil, "clear", nil},
		{"remote access from elsewhere is a destination", ask("watched"), nil, "aggregated", []string{"mechanism.none"}},
		{"so is a sub-processor's place", ask("chained"), nil, "aggregated", []string{"dpf.listing.missing"}},
		{"which needs its own mechanism", ask("chained"), []string{listed}, "clear", nil},
		{"ours with it is not the one it needs", ask("chained"), []string{clauses, assessed}, "aggregated", []string{"scc.missing"}},
		{"its own is", ask("chained"), []string{strings.Replace(clauses, "Inc, modules", "Inc, by: Chained Hosting, modules", 1), assessed}, "clear", nil},
		{"an area is no country", ask("vague"), nil, "place.not_a_country", nil},
		{"no place is no place within", ask("nowhere"), nil, "recipient.no_places", nil},
		{"an undeclared flow is denied", ask("rumours"), nil, "flow.undeclared", nil},
		{"an unmarked field is denied, not skipped", with(ask("home"), func(q *decision.Question) { q.Categories = decision.NewSet("device_data", "unclassified") }), nil, "category.unclassified", []string{"category.undeclared"}},
		{"so is a category that the flow doesn't declare", with(ask("home"), func(q *decision.Question) { q.Categories = "content" }), nil, "category.undeclared", nil},
		{"and asking for nothing", with(ask("home"), func(q *decision.Question) { q.Categories = "" }), nil, "category.none", nil},
		{"and a kind that nobody mapped", with(ask("home"), func(q *decision.Question) { q.Kind = "mystery" }), nil, "kind.undeclared", nil},
		{"and a kind that the flow leaves out", with(ask("tickets"), func(q *decision.Question) { q.Kind = "unmapped.by.flow" }), []string{listed}, "kind.undeclared", nil},
		{"another recipient is another flow", with(ask("home"), func(q *decision.Question) { q.Recipient = "helpdesk" }), nil, "recipient.not_of_flow", nil},
		{"another purpose too", with(ask("home"), func(q *decision.Question) { q.Purpose = "analytics" }), nil, "purpose.undeclared", nil},
		{"another region too", with(ask("home"), func(q *decision.Question) { q.Region = "us1" }), nil, "flow.other_region", nil},
		{"a person nobody looked up is denied", with(ask("home"), func(q *decision.Question) { q.Subject.Known = false }), nil, "subject.unknown", nil},
		{"an erased one", with(ask("home"), func(q *decision.Question) { q.Subject.States = decision.Erased }), nil, "subject.erased", nil},
		{"a restricted one", with(ask("home"), func(q *decision.Question) { q.Subject.States = decision.Restricted }), nil, "subject.restricted", nil},
		{"one who objects", with(ask("home"), func(q *decision.Question) { q.Subject.Objects = []string{"support"} }), nil, "subject.objects", nil},
		{"not one who objects to something else", with(ask("home"), func(q *decision.Question) { q.Subject.Objects = []string{"analytics"} }), nil, "clear", nil},
		{"no consent", ask("counted"), nil, "consent.missing", nil},
		{"consent to something else", with(ask("counted"), func(q *decision.Question) { q.Subject.Consents = decision.Consented("support") }), nil, "consent.missing", nil},
		{"consent", with(ask("counted"), func(q *decision.Question) { q.Subject.Consents = decision.Consented("analytics") }), nil, "clear", nil},
		{"GPC stops what targets", with(ask("counted"), func(q *decision.Question) {
			q.Subject.Consents, q.Subject.OptOuts = decision.Consented("analytics"), decision.GPC
		}), nil, "subject.opted_out", nil},
		{"GPC is no objection to the organisation's own use", with(ask("home"), func(q *decision.Question) { q.Subject.OptOuts = decision.GPC }), nil, "clear", nil},
		{"a partner that the customer didn't enable", ask("shared"), nil, "recipient.not_enabled", nil},
		{"enabled by another customer", ask("shared"), []string{"enablements: {tenant: other, recipient: partner, from: 2026-01-01}"}, "recipient.not_enabled", nil},
		{"module 4 is for the exporter's own controller", ask("shared"), []string{"enablements: {tenant: acme, recipient: partner, from: 2026-01-01}",
			"contracts: {id: s2, kind: scc, with: Partner, modules: [p2c], set: 2021/914, annexes_complete: true, unaltered: true, signed: 2025-01-01}",
			"assessments: {kind: tia, entity: Partner, country: US, outcome: proceed, assessed: 2026-06-01, due: 2027-06-01}"}, "aggregated", []string{"scc.missing"}},
		{"an objection to a recipient", ask("home"), []string{"objections: {tenant: acme, recipient: dublin, from: 2026-11-01}"}, "recipient.objected", nil},
		{"one that was settled", ask("home"), []string{"objections: {tenant: acme, recipient: dublin, from: 2026-11-01, until: 2026-11-20}"}, "clear", nil},
		{"a paused flow", ask("home"), []string{"pauses: {flow: home, reason: an incident, from: 2026-11-25}"}, "flow.paused", nil},
		{"a certificate for the role, in a territory that grants it", ask("asian"), []string{certified}, "clear", nil},
		{"a look-up of 31 days ago is too old", ask("asian"), []string{strings.Replace(certified, "11-10", "10-25", 1)}, "aggregated", []string{"certificate.expired"}},
		{"of 30 days ago is not", ask("asian"), []string{strings.Replace(certified, "11-10", "10-26", 1)}, "clear", nil},
		{"taking part is not recognising", with(ask("asian"), func(q *decision.Question) { q.Origins = "AU" }), []string{certified}, "aggregated", []string{"mechanism.no_rule"}},
		{"a derogation is never for a running flow", ask("occasional"), []string{"cases: {id: case-1, recipient: helpdesk, ground: legal_claims, from: 2026-11-01, until: 2026-12-01}"}, "aggregated", []string{"derogation.recurring"}},
		{"but for one transfer with a case", with(ask("occasional"), func(q *decision.Question) { q.Case = "case-1" }),
			[]string{"cases: {id: case-1, recipient: helpdesk, ground: legal_claims, from: 2026-11-01, until: 2026-12-01}"}, "clear", nil},
		{"that is open", with(ask("occasional"), func(q *decision.Question) { q.Case = "case-1" }),
			[]string{"cases: {id: case-1, recipient: helpdesk, ground: legal_claims, from: 2026-11-01, until: 2026-11-24}"}, "aggregated", []string{"derogation.recurring"}},
		{"and about this recipient", with(ask("occasional"), func(q *decision.Question) { q.Case = "case-1" }),
			[]string{"cases: {id: case-1, recipient: dublin, ground: legal_claims, from: 2026-11-01, until: 2026-12-01}"}, "aggregated", []string{"derogation.recurring"}},
		{"no mechanism overrides a localisation", ask("eastern"), nil, "law.localisation", nil},
		{"the US has no general rule", ask("western"), nil, "clear", []string{"mechanism.not_needed"}},
		{"every law that applies is asked", with(ask("western"), func(q *decision.Question) { q.Origins = decision.NewSet("DE", "GB") }), []string{listed}, "aggregated", []string{"dpf.listing.missing"}},
		{"and a law that nobody wrote down is for a person", with(ask("home"), func(q *decision.Question) { q.Origins = "IN" }), nil, "law.manual_review", nil},
		{"a flow that asks for less never gets more", ask("modest"), []string{listed}, "pseudonymised", nil},
		{"even less", ask("numbers"), []string{listed}, "aggregated", nil},
		{"a question may ask for less", with(ask("tickets"), func(q *decision.Question) { q.Most = decision.Aggregated }), []string{listed}, "aggregated", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := decide(t, tt.q, tt.lines...)
			got := "denied"
			if d.Allowed {
				got = d.Form.String()
			}
			form := slices.Contains([]string{"clear", "pseudonymised", "aggregated"}, tt.want)
			if form && got != tt.want || !form && (d.Allowed || !slices.ContainsFunc(d.Denials(), func(r decision.Reason) bool { return r.Code == tt.want })) {
				t.Errorf("%s, want %s: %+v", got, tt.want, d.Reasons)
			}
			for _, c := range tt.codes {
				if !d.Has(c) {
					t.Errorf("no reason %s in %+v", c, d.Reasons)
				}
			}
		})
	}
}

func TestAFallbackIsNamedBeforeItIsNeeded(t *testing.T) {
	d := decide(t, ask("tickets"), listed, clauses, assessed)
	if d.Mechanism != "dpf" || d.Fallback != "scc" || d.Has("fallback.none") {
		t.Errorf("%s, then %s: %+v", d.Mechanism, d.Fallback, d.Reasons)
	}
	struck, _ := law.Builtin().Without("eu-us-dpf")
	d = decision.Decide(load(t), struck, registered(t, listed, clauses, assessed), ask("tickets"), now)
	if !d.Allowed || d.Mechanism != "scc" || d.Form != decision.Clear {
		t.Errorf("struck: %+v", d)
	}
	d = decision.Decide(load(t), struck, registered(t, listed, listedUK), ask("british"), now)
	if d.Form == decision.Clear || !d.Has("rule.fallen") {
		t.Errorf("the UK extension stands without the framework it extends: %+v", d)
	}
}

func TestEveryReasonHasACodeWordsAndAPlace(t *testing.T) {
	p := load(t)
	e := decision.New(p, law.Builtin(), registered(t, listed, clauses), nil)
	for i := range p.Flows {
		q := ask(p.Flows[i].ID)
		d := e.Decide(&q, now)
		if len(d.Reasons) == 0 {
			t.Errorf("%s: no reasons", d.Flow)
		}
		for _, r := range d.Reasons {
			if r.Code == "" || r.Says == "" || r.Policy == "" || !strings.HasPrefix(r.At, "programme.yaml:") || r.Rule != "" && !strings.HasPrefix(r.RuleAt, "law/") {
				t.Errorf("%s: %+v", d.Flow, r)
			}
			if r.Rule != "" && r.Effect == decision.Permits && r.Mark == "" {
				t.Errorf("%s: a rule without its mark: %+v", d.Flow, r)
			}
		}
		if d.Programme != p.Hash || !strings.HasPrefix(d.Register, "sha256:") || !strings.HasPrefix(d.Rules, "sha256:") || d.At != "2026-11-25" {
			t.Errorf("%s: %s %s %s %s", d.Flow, d.Programme, d.Register, d.Rules, d.At)
		}
	}
	d := decide(t, ask("home"), "pauses: {flow: home, reason: an incident, from: 2026-11-25}")
	if r := d.Denials()[0]; r.At != "programme.yaml:63" || r.Seen != "an incident" {
		t.Errorf("%+v", r)
	}
}

func TestARuleFromMemoryIsNeverShownAsVerified(t *testing.T) {
	d := decide(t, ask("western"))
	if d.Legs[0].Rule != "us-free" || d.Legs[0].Mark != law.FromMemory {
		t.Errorf("%+v", d.Legs)
	}
}

func TestHowFarADenialReaches(t *testing.T) {
	for name, tt := range map[string]struct {
		q     decision.Question
		lines []string
		scope string
	}{
		"a mechanism":            {ask("entrusted"), nil, ""},
		"no contract":            {func() decision.Question { q := ask("home"); return q }(), []string{"pauses: {flow: home, reason: x, from: 2026-01-01}"}, decision.WholeFlow},
		"a person":               {func() decision.Question { q := ask("home"); q.Subject.States = decision.Erased; return q }(), nil, decision.OnePerson},
		"a kind":                 {func() decision.Question { q := ask("home"); q.Kind = "x"; return q }(), nil, decision.OneRecord},
		"a customer's objection": {ask("home"), []string{"objections: {tenant: acme, recipient: dublin, from: 2026-11-01}"}, decision.OneTenant},
		"a localisation":         {ask("eastern"), nil, decision.WholeFlow},
		"the person's own law":   {func() decision.Question { q := ask("home"); q.Origins = "IN"; return q }(), nil, decision.OneRecord},
	} {
		d := decide(t, tt.q, tt.lines...)
		if d.Scope != tt.scope || d.HaltsFlow() != (tt.scope == decision.WholeFlow) {
			t.Errorf("%s: %q, want %q", name, d.Scope, tt.scope)
		}
	}
}

func TestObligations(t *testing.T) {
	find := func(d *decision.Decision, do string) *decision.Obligation {
		for i := range d.Obligations {
			if d.Obligations[i].Do == do {
				return &d.Obligations[i]
			}
		}
		return nil
	}
	d := decide(t, ask("tickets"), clauses, strings.Replace(assessed, "outcome: proceed", "outcome: proceed_with_measures, measures: [pseudonymise, tls_1_3], drop: [contact_data]", 1))
	if find(d, "pseudonymise") == nil || find(d, "minimum_tls").What[0] != "1.3" {
		t.Errorf("%+v", d.Obligations)
	}
	if got := find(d, "drop").What; !slices.Equal(got, []string{"contact_data", "content", "unclassified"}) {
		t.Errorf("drops %v", got)
	}
	if d = decide(t, ask("numbers")); find(d, "aggregate").Least != 50 {
		t.Errorf("%+v", d.Obligations)
	}
	if d = decide(t, ask("home")); find(d, "minimum_tls").What[0] != "1.2" || find(d, "aggregate") != nil {
		t.Errorf("%+v", d.Obligations)
	}
}

func TestTheReviewDateIsTheFirstDayOnWhichSomethingEnds(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  string
	}{
		{[]string{listed}, "2026-12-22"},            // the look-up of 20 November is good for 31 days
		{[]string{clauses, assessed}, "2027-03-01"}, // the profile is reviewed before the assessment is due
		{[]string{clauses, strings.Replace(assessed, "due: 2027-06-01", "due: 2026-12-01", 1)}, "2026-12-02"},
	} {
		if d := decide(t, ask("tickets"), tt.lines...); string(d.Review) != tt.want || !d.Allowed {
			t.Errorf("review %s, want %s", d.Review, tt.want)
		}
	}
}

func TestTheNoticePeriod(t *testing.T) {
	src, _ := os.ReadFile("testdata/base/programme.yaml")
	text := strings.Replace(string(src), "name: Dublin Hosting,", "name: Dublin Hosting, announced: 2026-11-01,", 1) +
		"  sub_processor_page: {last_updated: 2026-11-01, notice_period: 30 days}\n"
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/p.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := programme.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]bool{"2026-11-30": false, "2026-12-01": true} {
		at, _ := time.Parse(time.DateOnly, day)
		d := decision.Decide(p, law.Builtin(), registered(t), ask("home"), at)
		if d.Allowed != want || d.Has("notice.running") == want {
			t.Errorf("%s: %v %+v", day, d.Allowed, d.Denials())
		}
	}
}

// Where lists are published, a sub-processor gets nothing before it is on one and the time to object is over; what the
// programme declares no longer counts.
func TestThePublishedList(t *testing.T) {
	src, _ := os.ReadFile("testdata/base/programme.yaml")
	text := strings.Replace(string(src), "name: Dublin Hosting,", "name: Dublin Hosting, announced: 2026-01-01, sub_processor: {services: [all], subject_matter: x, nature: x, region_selectable: none, group_company: false, section: third_party},", 1) +
		"  sub_processor_page: {last_updated: 2026-11-01, notice_period: 30 days}\n"
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/p.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := programme.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	other := "announcements: {recipient: another, announced: 2026-01-01, until: 2026-01-31}"
	for _, tt := range []struct {
		name, day string
		lines     []string
		code      string
	}{
		{"no list is published", "2026-11-25", nil, ""},
		{"it is on none", "2026-11-25", []string{other}, "recipient.unpublished"},
		{"the last day to object", "2026-12-20", []string{other, "announcements: {recipient: dublin, announced: 2026-11-20, until: 2026-12-20}"}, "notice.running"},
		{"the day after", "2026-12-21", []string{other, "announcements: {recipient: dublin, announced: 2026-11-20, until: 2026-12-20}"}, ""},
		{"announced tomorrow", "2026-11-19", []string{other, "announcements: {recipient: dublin, announced: 2026-11-20, until: 2026-11-20}"}, "recipient.unpublished"},
		{"it left the list", "2026-12-21", []string{"announcements: {recipient: dublin, announced: 2026-11-01, until: 2026-11-02, withdrawn: 2026-12-21}"}, "recipient.unpublished"},
		{"the day before it leaves", "2026-12-20", []string{"announcements: {recipient: dublin, announced: 2026-11-01, until: 2026-11-02, withdrawn: 2026-12-21}"}, ""},
		{"announced anew", "2026-12-21", []string{"announcements: {recipient: dublin, announced: 2026-12-01, until: 2026-12-31}", "announcements: {recipient: dublin, announced: 2026-11-01, until: 2026-11-02}"}, "notice.running"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, _ := time.Parse(time.DateOnly, tt.day)
			d := decision.Decide(p, law.Builtin(), registered(t, tt.lines...), ask("home"), at)
			if d.Allowed != (tt.code == "") || tt.code != "" && (!d.Has(tt.code) || d.Scope != decision.WholeFlow) {
				t.Errorf("%v %s %+v", d.Allowed, d.Scope, d.Denials())
			}
		})
	}
}
