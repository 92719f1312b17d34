package decision

import (
	"fmt"
	"os"
	"slices"
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
	mechanisms     = []string{"adequacy", "dpf", "bcr", "scc", "idta", "br_scc", "cbpr", "contract", "art49"}
	dozen          = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
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
	if rapid.SampledFrom(dozen).Draw(t, what) == 11 { // of integers small ones are drawn more often
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
	return loaded(t, randomText(t, base))
}

func loaded(t *rapid.T, text string) *programme.Programme {
	p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

const two = "processor, independent_controller"

// randomText is that programme's text. The third region is in a country of any law.
func randomText(t *rapid.T, base string) string {
	var b strings.Builder
	head, rest, _ := strings.Cut(base, "recipients:\n")
	_, tail, _ := strings.Cut(rest, "retention:\n")
	asia := of(t, "third region", []string{"SG", "SG", "JP", "KR", "AU", "CA", "BR", "BR", "BM", "PH", "TW", "IN"})
	head = strings.NewReplacer("name: Example Singapore, country: SG", "name: Example Singapore, country: "+asia, "name: Singapore, country: SG", "name: Singapore, country: "+asia).Replace(head)
	b.WriteString(head + "recipients:\n  - {id: vendors, name: Vendors}\n")
	roles := map[string]string{}
	for i, id := range someRecipients {
		roles[id] = of(t, "role", []string{"processor", "processor", "processor", "processor", "processor", "independent_controller", "independent_controller", "conduit", "joint_controller", two})
		declaredRoles := mostly(t, "a role", ", roles: ["+roles[id]+"]")
		if declaredRoles == "" {
			roles[id] = ""
		}
		onward := seldom(t, "onward", ", onward: "+list(t, "to others", slices.DeleteFunc(slices.Clone(someRecipients), func(x string) bool { return x == id }), 1))
		if i == 0 {
			onward = maybe(t, "first onward", ", onward: "+list(t, "first to others", someRecipients[1:], 1))
		}
		fmt.Fprintf(&b, "  - {id: %s, name: R%d, class: vendors, legal_entity: %q, locations: %s%s%s%s%s%s%s%s%s}\n", id, i, of(t, "entity", someEntities),
			mostlyPlaces(t), declaredRoles,
			maybe(t, "ours", ", entity: ex_us"), seldom(t, "remote", ", remote_access: "+list(t, "remote access", someCountries, 1)),
			onward, seldom(t, "enabled", ", customer_enabled: true"),
			maybe(t, "its order", ", mechanisms: "+list(t, "order", mechanisms, 1)), seldom(t, "announced", ", announced: "+of(t, "day", someDays)),
			seldom(t, "listed", ", sub_processor: {services: [all], subject_matter: x, nature: x, region_selectable: none, group_company: false, section: third_party}"))
	}
	b.WriteString("flows:\n")
	for i := range 2 {
		to, its := of(t, "to", someRecipients), ""
		if roles[to] == two {
			its = ", recipient_role: " + of(t, "its role", []string{"processor", "independent_controller"})
		}
		purpose, optOuts := of(t, "purpose", []string{"support", "analytics"}), []string{"marketing", "cpni", "targeted_advertising", "sale_or_sharing"}
		form := of(t, "form", append([]string{"clear", "clear", "clear", "clear"}, formNames[:forms]...))
		categories := someCategories
		if purpose == "analytics" {
			categories = someCategories[:2]
		}
		fmt.Fprintf(&b, "  - {id: f%d, from: %s, services: %s, categories: %s, purpose: %s, to: %s, form: %s, opt_outs: %s%s%s%s%s%s}\n", i, of(t, "from", []string{"ie1", "ie1", "gb1", "ch1", "sg1", "sg1", "us1", "us1"}),
			list(t, "services", []string{"messaging", "portal"}, 1), list(t, "categories", categories, 1), purpose, to,
			form, list(t, "opt outs", optOuts, 0), seldom(t, "of use", ", at_least: "+form), maybe(t, "own order", ", mechanisms: "+list(t, "order", mechanisms, 1)),
			its, seldom(t, "tls", ", minimum_tls: '1.3'"),
			seldom(t, "other basis", ", legal_basis: "+map[string]string{"support": "legitimate_interest", "analytics": "consent"}[purpose]))
	}
	b.WriteString("mechanisms:\n")
	for _, m := range mechanisms {
		kind := map[string]string{"cbpr": "cbpr_prp", "art49": "derogation"}[m]
		if kind == "" {
			kind = m
		}
		extra := ""
		if m == "bcr" {
			extra = ", scheme: " + of(t, "scheme", []string{"bcr-c", "bcr-p"}) + ", holders: [ex_us, ex_ie]" + mostly(t, "approved", ", approved_by: them")
		}
		origins := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"EU", "GB", "CH", "US", asia}), 2, 5, rapid.ID[string]).Draw(t, "origins")
		fmt.Fprintf(&b, "  - {id: %s, name: M, kind: %s, origins: [%s]%s%s%s%s}\n", m, kind, strings.Join(origins, ", "), extra,
			seldom(t, "destinations", ", destinations: "+list(t, "destinations", []string{"US", "EU", "GB", "JP"}, 1)), seldom(t, "until", ", valid_until: "+of(t, "day", someDays)),
			seldom(t, "tia", ", requires_tia: true"))
	}
	b.WriteString("retention:\n" + tail + maybe(t, "notice", "  sub_processor_page: {last_updated: 2026-04-09, notice_period: 10 days}\n"))
	return b.String()
}

// mostlyPlaces is a list of countries, seldom with an area in it.
func mostlyPlaces(t *rapid.T) string {
	list := "[" + of(t, "place", []string{"US", "US", "US", "IE", "GB", "CH", "SG", "JP", "BR"}) + "]"
	if seldom(t, "two places", "x") != "" {
		list = strings.Replace(list, "]", ", "+of(t, "second", []string{"DE", "IN", "AU", "CA"})+"]", 1)
	}
	if seldom(t, "area", "x") != "" && seldom(t, "an area", "x") != "" {
		return strings.Replace(list, "]", ", {area: North America}]", 1)
	}
	return list
}

// good adds, group by group and mostly, all that a transfer to an entity could need.
func good(t *rapid.T, r *register.Register, e string) {
	has := func(group string) bool { return mostly(t, group+" of "+e, "x") != "" }
	if has("contract") { // nothing goes without one
		r.Contracts = append(r.Contracts, register.Contract{Kind: "data_protection", With: e, Signed: "2025-01-01"})
	}
	for _, row := range []string{"eu-us", "uk-extension", "swiss-us"} {
		if has(row) {
			r.Checks = append(r.Checks, register.Check{Directory: "dpf", Entity: e, Row: row, Status: "active", Data: []string{"hr", "non_hr"}, Checked: programme.Date(of(t, "looked up", someDays[1:5]))})
		}
	}
	for _, s := range []string{"apec_cbpr", "apec_prp", "global_cbpr", "global_prp"} {
		if has(s) {
			r.Checks = append(r.Checks, register.Check{Directory: "cbpr", Entity: e, Scheme: s, Status: "active", Checked: programme.Date(of(t, "looked up", someDays[1:5]))})
		}
	}
	for _, kind := range []string{"scc", "addendum", "idta", "br_scc", "comparable"} {
		if !has(kind) {
			continue
		}
		for _, by := range append([]string{""}, someEntities...) {
			r.Contracts = append(r.Contracts, register.Contract{Kind: kind, With: e, By: by, Modules: []string{"c2c", "c2p", "p2p", "p2c"}, Set: "2021/914", Annexes: true, Unaltered: true,
				Swiss: true, Own: true, Countries: someCountries, Signed: "2025-01-01"})
		}
	}
	for _, by := range someEntities {
		r.Contracts = append(r.Contracts, register.Contract{Kind: "data_protection", With: e, By: by, Signed: "2025-01-01"})
	}
	for _, kind := range []string{"tia", "protection_test"} {
		if !has(kind) {
			continue
		}
		a := register.Assessment{Kind: kind, Entity: e, Outcome: "proceed", Assessed: "2026-03-01", Due: "2027-06-01"}
		if seldom(t, "demands", "x") != "" {
			a.Outcome, a.Measures, a.Drop = "proceed_with_measures", []string{"tls_1_3"}, someCategories[:1]
		}
		for _, a.Country = range someCountries {
			r.Assessments = append(r.Assessments, a)
		}
	}
	if has("attestations") {
		for _, l := range []string{"pipeda", "appi", "lgpd", "automated", "pipa", "kr_no_resident_numbers_or_credit_data"} {
			r.Attestations = append(r.Attestations, register.Attestation{Entity: e, Limit: l, Dated: "2026-01-01"})
		}
	}
}

// randomRegister draws facts: mostly what a transfer could need, and some that say otherwise.
func randomRegister(t *rapid.T) *register.Register {
	r := &register.Register{Version: "sha256:random", Format: register.Format}
	date := func(what string) programme.Date { return programme.Date(of(t, what, someDays)) }
	many := func(what string, most int, f func()) {
		for range rapid.SampledFrom(dozen[:most+1]).Draw(t, what) {
			f()
		}
	}
	few := len(seldom(t, "something against it", "x"))
	for _, e := range someEntities {
		good(t, r, e)
	}
	many("checks", 4, func() {
		c := register.Check{Directory: "dpf", Entity: of(t, "entity", someEntities), Row: of(t, "row", []string{"eu-us", "uk-extension", "swiss-us"}),
			Status: of(t, "status", []string{"active", "active", "recertifying", "failed"}), Data: strings.Fields(of(t, "data", []string{"hr", "non_hr", "hr non_hr", "hr non_hr"})), Checked: date("checked")}
		if rapid.Bool().Draw(t, "certificate") {
			c.Directory, c.Row, c.Scheme = "cbpr", "", of(t, "scheme", []string{"apec_cbpr", "apec_prp", "global_cbpr", "global_prp"})
		}
		c.ValidUntil = programme.Date(seldom(t, "its end", of(t, "certified until", someDays)))
		r.Checks = append(r.Checks, c)
	})
	many("contracts", 4, func() {
		r.Contracts = append(r.Contracts, register.Contract{Kind: of(t, "kind", []string{"scc", "scc", "addendum", "idta", "br_scc", "comparable"}), With: of(t, "entity", someEntities),
			Modules: []string{of(t, "module", []string{"c2c", "c2p", "p2p", "p2c"})}, Set: "2021/914", Annexes: true, Unaltered: true, Swiss: rapid.Bool().Draw(t, "swiss"),
			Own: rapid.Bool().Draw(t, "own"), Countries: []string{of(t, "country", someCountries)}, Signed: date("signed"),
			By: seldom(t, "by", of(t, "whom", someEntities)), ValidUntil: programme.Date(seldom(t, "its end", of(t, "in force until", someDays)))})
	})
	many("assessments", 4, func() {
		a := register.Assessment{Kind: of(t, "kind", []string{"tia", "tia", "protection_test"}), Entity: of(t, "entity", someEntities), Country: of(t, "country", someCountries[:6]),
			Outcome: of(t, "outcome", []string{"proceed", "proceed", "proceed_with_measures", "stop"}), Assessed: date("assessed"), Due: date("due")}
		if a.Outcome == "proceed_with_measures" {
			a.Measures = [][]string{{"pseudonymise"}, {"tls_1_3"}, nil}[rapid.IntRange(0, 2).Draw(t, "measure")]
			a.Drop = []string{of(t, "drop", someCategories)}
		}
		r.Assessments = append(r.Assessments, a)
	})
	many("attestations", 3, func() {
		r.Attestations = append(r.Attestations, register.Attestation{Entity: of(t, "entity", someEntities), Limit: of(t, "limit", []string{"pipeda", "appi", "lgpd", "automated", "pipa", "kr_no_resident_numbers_or_credit_data"}), Dated: date("dated")})
	})
	many("enablements", 3, func() {
		r.Enablements = append(r.Enablements, register.Enablement{Tenant: of(t, "tenant", someTenants), Recipient: of(t, "recipient", someRecipients), From: date("from"), Until: programme.Date(seldom(t, "its end", of(t, "enabled until", someDays)))})
	})
	many("announcements", 4, func() {
		a := register.Announcement{Recipient: of(t, "recipient", someRecipients), Announced: date("announced"), Until: date("until")}
		if rapid.IntRange(0, 4).Draw(t, "withdrawn") == 0 {
			a.Withdrawn = date("withdrawn")
		}
		r.Announcements = append(r.Announcements, a)
	})
	many("objections", few, func() {
		r.Objections = append(r.Objections, register.Objection{Tenant: of(t, "tenant", someTenants), Recipient: of(t, "recipient", someRecipients), From: date("from")})
	})
	many("pins", few, func() {
		r.Pins = append(r.Pins, register.Pin{Tenant: of(t, "tenant", someTenants), Places: []string{of(t, "place", []string{"EU", "EEA", "US", "GB"})}, From: date("from")})
	})
	many("pauses", few, func() {
		r.Pauses = append(r.Pauses, register.Pause{Flow: of(t, "flow", []string{"f0", "f1"}), Reason: "x", From: date("from"), Until: date("until")})
	})
	many("askings", 2, func() {
		since := date("published")
		r.Askings.All = append(r.Askings.All, register.Asking{Purpose: of(t, "purpose", []string{"support", "analytics"}), N: 2 + len(r.Askings.All), Version: "v2", Since: since.Time().UnixMilli(),
			From: max(programme.FirstDay(since), programme.FirstDay(date("effective")))})
	})
	r.Askings.Notices = map[string]int{"notice-1": 1, "notice-2": 2, "notice-3": 3}
	if mostly(t, "a case", "x") != "" {
		r.Cases = append(r.Cases, register.Case{ID: "case-1", Recipient: of(t, "recipient", someRecipients), Ground: "legal_claims", From: "2026-11-01", Until: date("until")})
	}
	return r
}

// randomConsents are given on some day, to some text.
func randomConsents(t *rapid.T) (all []Consent) {
	purposes := strings.Fields(mostly(t, "consent", "analytics"))
	for _, p := range append(purposes, strings.Fields(seldom(t, "another", "support"))...) {
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
	q := Question{Flow: of(t, "flow", []string{"f0", "f0", "f0", "f0", "f0", "f0", "f1", "f1", "f1", "f1", "f1", "undeclared"}), Tenant: of(t, "tenant", someTenants),
		Origins: Set(seldom(t, "origin", of(t, "country", someCountries))), Recipient: seldom(t, "recipient", of(t, "which", someRecipients)),
		Purpose: seldom(t, "purpose", "analytics"), Region: seldom(t, "region", "ie1"), Case: of(t, "case", []string{"", "", "case-1"})}
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
