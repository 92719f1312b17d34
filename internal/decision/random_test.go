package decision

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// What random programmes and registers are drawn from: few words, so that they meet.
var (
	someCountries  = []string{"IE", "DE", "US", "GB", "CH", "SG", "JP", "IN", "RU", "BR", "AU", "CA"}
	someEntities   = []string{"Helpdesk Inc", "Cloud/Store", "Example Inc", "Example Ireland"}
	someTenants    = []string{"acme", "other"}
	someCategories = []string{"contact_data", "device_data", "content", "staff_data"}
	someDays       = []string{"2025-01-01", "2026-10-20", "2026-11-01", "2026-11-20", "2026-11-24", "2026-11-25", "2026-11-26", "2027-06-01"}
	someRecipients = []string{"r0", "r1", "r2"}
	today          = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
)

func of(t *rapid.T, what string, from []string) string { return rapid.SampledFrom(from).Draw(t, what) }

func list(t *rapid.T, what string, from []string, least int) string {
	n := rapid.SliceOfNDistinct(rapid.SampledFrom(from), least, min(2, len(from)), rapid.ID[string]).Draw(t, what)
	return "[" + strings.Join(n, ", ") + "]"
}

func maybe(t *rapid.T, what, text string) string {
	if rapid.Bool().Draw(t, what) {
		return text
	}
	return ""
}

func seldom(t *rapid.T, what, text string) string {
	if rapid.IntRange(0, 4).Draw(t, what) == 4 {
		return text
	}
	return ""
}

func mostly(t *rapid.T, what, text string) string {
	if seldom(t, "no "+what, "x") == "" {
		return text
	}
	return ""
}

// randomProgramme is the base with recipients, flows and mechanisms drawn anew.
func randomProgramme(t *rapid.T, base string) *programme.Programme {
	var b strings.Builder
	head, rest, _ := strings.Cut(base, "recipients:\n")
	_, tail, _ := strings.Cut(rest, "retention:\n")
	b.WriteString(head + "recipients:\n  - {id: vendors, name: Vendors}\n")
	for i, id := range someRecipients {
		onward := ""
		if i == 0 {
			onward = maybe(t, "onward", ", onward: [r1]")
		}
		fmt.Fprintf(&b, "  - {id: %s, name: R%d, class: vendors, legal_entity: %q, locations: %s%s%s%s%s%s%s%s%s}\n", id, i, of(t, "entity", someEntities),
			list(t, "places", someCountries[:6], 1), mostly(t, "role", ", roles: ["+of(t, "role", []string{"processor", "processor", "independent_controller", "conduit"})+"]"),
			maybe(t, "ours", ", entity: ex_us"), seldom(t, "remote", ", remote_access: "+list(t, "remote access", someCountries, 1)),
			onward, seldom(t, "enabled", ", customer_enabled: true"),
			maybe(t, "its order", ", mechanisms: "+list(t, "order", []string{"dpf", "scc", "bcr", "cbpr", "art49"}, 1)), seldom(t, "announced", ", announced: "+of(t, "day", someDays)),
			maybe(t, "listed", ", sub_processor: {services: [all], subject_matter: x, nature: x, region_selectable: none, group_company: false, section: third_party}"))
	}
	b.WriteString("flows:\n")
	for i := range 2 {
		purpose, optOuts := of(t, "purpose", []string{"support", "analytics"}), []string{"marketing", "cpni", "targeted_advertising", "sale_or_sharing"}
		form := of(t, "form", append([]string{"clear", "clear"}, formNames[:forms]...))
		categories := someCategories
		if purpose == "analytics" {
			categories = someCategories[:2]
		}
		fmt.Fprintf(&b, "  - {id: f%d, from: %s, services: %s, categories: %s, purpose: %s, to: %s, form: %s, opt_outs: %s%s%s}\n", i, of(t, "from", []string{"ie1", "ie1", "gb1", "ch1", "sg1", "us1", "us1"}),
			list(t, "services", []string{"messaging", "portal"}, 1), list(t, "categories", categories, 1), purpose, of(t, "to", someRecipients),
			form, list(t, "opt outs", optOuts, 0), seldom(t, "of use", ", at_least: "+form), maybe(t, "own order", ", mechanisms: "+list(t, "order", []string{"adequacy", "dpf", "scc", "idta", "br_scc", "contract"}, 1)))
	}
	b.WriteString("mechanisms:\n")
	for _, m := range []string{"adequacy", "dpf", "bcr", "scc", "idta", "br_scc", "cbpr", "contract", "art49"} {
		kind := map[string]string{"cbpr": "cbpr_prp", "art49": "derogation"}[m]
		if kind == "" {
			kind = m
		}
		extra := ""
		if m == "bcr" {
			extra = ", scheme: " + of(t, "scheme", []string{"bcr-c", "bcr-p"}) + ", holders: [ex_us, ex_ie]" + maybe(t, "approved", ", approved_by: them")
		}
		fmt.Fprintf(&b, "  - {id: %s, name: M, kind: %s, origins: %s%s%s%s%s}\n", m, kind, list(t, "origins", []string{"EU", "EEA", "GB", "CH", "US", "SG", "BR"}, 1), extra,
			seldom(t, "destinations", ", destinations: "+list(t, "destinations", []string{"US", "EU", "GB", "JP"}, 1)), seldom(t, "until", ", valid_until: "+of(t, "day", someDays)),
			seldom(t, "tia", ", requires_tia: true"))
	}
	b.WriteString("retention:\n" + tail + maybe(t, "notice", "  sub_processor_page: {last_updated: 2026-04-09, notice_period: 10 days}\n"))
	p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: []byte(b.String())}})
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	return p
}

// randomRegister draws facts; about half of what a transfer could need.
func randomRegister(t *rapid.T) *register.Register {
	r := &register.Register{Version: "sha256:random", Format: register.Format}
	date := func(what string) programme.Date { return programme.Date(of(t, what, someDays)) }
	many := func(what string, most int, f func()) {
		for range rapid.IntRange(0, most).Draw(t, what) {
			f()
		}
	}
	for _, e := range someEntities { // nothing goes without one: mostly there
		if rapid.IntRange(0, 9).Draw(t, "contract of "+e) > 0 {
			r.Contracts = append(r.Contracts, register.Contract{Kind: "data_protection", With: e, Signed: "2025-01-01"})
		}
		for _, by := range someEntities {
			r.Contracts = append(r.Contracts, register.Contract{Kind: "data_protection", With: e, By: by, Signed: "2025-01-01"})
		}
	}
	many("checks", 10, func() {
		c := register.Check{Directory: "dpf", Entity: of(t, "entity", someEntities), Row: of(t, "row", []string{"eu-us", "uk-extension", "swiss-us"}),
			Status: of(t, "status", []string{"active", "active", "recertifying", "failed"}), Data: strings.Fields(of(t, "data", []string{"hr", "non_hr", "hr non_hr", "hr non_hr"})), Checked: date("checked")}
		if rapid.Bool().Draw(t, "certificate") {
			c.Directory, c.Row, c.Scheme = "cbpr", "", of(t, "scheme", []string{"apec_cbpr", "apec_prp", "global_cbpr", "global_prp"})
		}
		r.Checks = append(r.Checks, c)
	})
	many("contracts", 10, func() {
		r.Contracts = append(r.Contracts, register.Contract{Kind: of(t, "kind", []string{"scc", "scc", "addendum", "idta", "br_scc", "comparable"}), With: of(t, "entity", someEntities),
			Modules: []string{of(t, "module", []string{"c2c", "c2p", "p2p", "p2c"})}, Set: "2021/914", Annexes: true, Unaltered: true, Swiss: rapid.Bool().Draw(t, "swiss"),
			Own: rapid.Bool().Draw(t, "own"), Countries: []string{of(t, "country", someCountries)}, Signed: date("signed")})
	})
	many("assessments", 12, func() {
		a := register.Assessment{Kind: of(t, "kind", []string{"tia", "tia", "protection_test"}), Entity: of(t, "entity", someEntities), Country: of(t, "country", someCountries[:6]),
			Outcome: of(t, "outcome", []string{"proceed", "proceed", "proceed_with_measures", "stop"}), Assessed: date("assessed"), Due: date("due")}
		if a.Outcome == "proceed_with_measures" {
			a.Measures = []string{"pseudonymise"}
		}
		r.Assessments = append(r.Assessments, a)
	})
	many("attestations", 2, func() {
		r.Attestations = append(r.Attestations, register.Attestation{Entity: of(t, "entity", someEntities), Limit: of(t, "limit", []string{"pipeda", "appi", "lgpd"}), Dated: date("dated")})
	})
	many("enablements", 3, func() {
		r.Enablements = append(r.Enablements, register.Enablement{Tenant: of(t, "tenant", someTenants), Recipient: of(t, "recipient", someRecipients), From: date("from")})
	})
	many("announcements", 4, func() {
		a := register.Announcement{Recipient: of(t, "recipient", someRecipients), Announced: date("announced"), Until: date("until")}
		if rapid.IntRange(0, 4).Draw(t, "withdrawn") == 0 {
			a.Withdrawn = date("withdrawn")
		}
		r.Announcements = append(r.Announcements, a)
	})
	many("objections", 1, func() {
		r.Objections = append(r.Objections, register.Objection{Tenant: of(t, "tenant", someTenants), Recipient: of(t, "recipient", someRecipients), From: date("from")})
	})
	many("pins", 1, func() {
		r.Pins = append(r.Pins, register.Pin{Tenant: of(t, "tenant", someTenants), Places: []string{of(t, "place", []string{"EU", "EEA", "US", "GB"})}, From: date("from")})
	})
	many("pauses", 1, func() {
		r.Pauses = append(r.Pauses, register.Pause{Flow: of(t, "flow", []string{"f0", "f1"}), Reason: "x", From: date("from"), Until: date("until")})
	})
	many("askings", 2, func() {
		since := date("published")
		r.Askings.All = append(r.Askings.All, register.Asking{Purpose: of(t, "purpose", []string{"support", "analytics"}), N: 2 + len(r.Askings.All), Version: "v2", Since: since.Time().UnixMilli(),
			From: max(programme.FirstDay(since), programme.FirstDay(date("effective")))})
	})
	r.Askings.Notices = map[string]int{"notice-1": 1, "notice-2": 2, "notice-3": 3}
	many("cases", 1, func() {
		r.Cases = append(r.Cases, register.Case{ID: "case-1", Recipient: of(t, "recipient", someRecipients), Ground: "legal_claims", From: date("from"), Until: date("until")})
	})
	return r
}

// randomConsents are given on some day, to some text.
func randomConsents(t *rapid.T) (all []Consent) {
	for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"support", "analytics"}), 1, 2, rapid.ID[string]).Draw(t, "consents") {
		c := Consent{Purpose: p, At: programme.Date(of(t, "given", someDays)).Time().UnixMilli(), Text: of(t, "text", []string{"", "", "", "ours", "notice-1", "notice-2", "notice-3"})}
		if mostly(t, "anew", "x") != "" {
			c = Consented(p)[0]
		}
		all = append(all, c)
	}
	return all
}

// randomQuestion is about something that the flow declares, more often than not.
func randomQuestion(t *rapid.T, e *Engine) Question {
	words := func(what string, from []string, least, most int) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), least, min(most, len(from)), rapid.ID[string]).Draw(t, what)
	}
	q := Question{Flow: of(t, "flow", []string{"f0", "f0", "f1", "f1", "f1", "undeclared"}), Tenant: of(t, "tenant", someTenants),
		Origins: Set(seldom(t, "origin", of(t, "country", someCountries))), Recipient: seldom(t, "recipient", of(t, "which", someRecipients)),
		Purpose: seldom(t, "purpose", "analytics"), Region: seldom(t, "region", "ie1"), Case: seldom(t, "case", "case-1")}
	if seldom(t, "less", "x") != "" {
		q.Most = Form(rapid.IntRange(0, 2).Draw(t, "most"))
	}
	kinds, categories := []string{"messaging/message", "portal/visit", "portal/mystery"}, append([]string{"unclassified"}, someCategories...)
	if pl := e.plans[q.Flow]; pl != nil && mostly(t, "declared", "x") != "" {
		kinds, categories = pl.base[4].cond.set, pl.leaves
	}
	q.Service, q.Kind, _ = strings.Cut(of(t, "kind", kinds), "/")
	q.Categories = NewSet(words("categories", categories, 1, 2)...)
	if seldom(t, "nothing", "x") != "" {
		q.Categories = ""
	}
	q.Subject = Subject{Known: mostly(t, "known", "x") != "", Consents: randomConsents(t)}
	if seldom(t, "brings", "x") != "" {
		q.Subject.Origins = NewSet(of(t, "lives in", someCountries)+"=residence", of(t, "number of", someCountries)+"=phone_country")
	}
	if seldom(t, "against", "x") != "" {
		q.Subject.States = State(rapid.IntRange(0, 7).Draw(t, "states"))
		q.Subject.OptOuts = OptOut(rapid.IntRange(0, 31).Draw(t, "opt-outs"))
		q.Subject.Objects = words("objects", []string{"support", "analytics"}, 0, 1)
	}
	return q
}

func base(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/base/programme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func builtin() *law.Book { return law.Builtin() }
