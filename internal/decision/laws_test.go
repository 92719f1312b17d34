package decision_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// between is a programme with a region in one country and a recipient in another, and one mechanism.
func between(t *testing.T, from, to, mechanism, serviceRole, role string) *programme.Programme {
	t.Helper()
	src, err := os.ReadFile("testdata/base/programme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(src), "recipients:\n")
	_, tail, _ := strings.Cut(string(src), "retention:\n")
	head = strings.NewReplacer("{id: ex_sg, name: Example Singapore, country: SG}", "{id: ex_sg, name: Exporter, country: "+from+"}",
		"{id: sg1, name: Singapore, country: SG,", "{id: sg1, name: There, country: "+from+",", "name: Messaging, role: processor", "name: Messaging, role: "+serviceRole).Replace(head)
	entity := ""
	if strings.Contains(mechanism, "holders") {
		entity = ", entity: ex_us"
	}
	text := head + fmt.Sprintf(`recipients:
  - {id: vendors, name: Vendors}
  - {id: r, name: R, legal_entity: R Ltd, class: vendors, roles: [%s], locations: [%s]%s}
flows:
  - {id: f, from: sg1, services: [messaging], categories: [device_data], purpose: support, to: r, form: clear, at_least: clear}
mechanisms:
  - {id: m, name: M, %s}
retention:
`, role, to, entity, mechanism) + tail
	p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestEachLaw: what carries data from where to where, and what doesn't.
func TestEachLaw(t *testing.T) {
	const (
		controller, processor = "controller", "processor"
		contract              = "contracts: {id: z, kind: data_protection, with: R Ltd, signed: 2025-01-01}"
		comparable            = "contracts: {id: x, kind: comparable, with: R Ltd, countries: [US], signed: 2025-01-01}"
		brazil                = "contracts: {id: x, kind: br_scc, with: R Ltd, unaltered: true, signed: 2025-01-01}"
		idta                  = "contracts: {id: x, kind: idta, with: R Ltd, signed: 2025-01-01}"
		tia                   = "assessments: {kind: tia, entity: R Ltd, country: US, outcome: proceed, assessed: 2026-01-01, due: 2027-01-01}"
		tiaUS                 = "assessments: {kind: tia, entity: Example Inc, country: US, outcome: proceed, assessed: 2026-01-01, due: 2027-01-01}"
		ours                  = "contracts: {id: y, kind: data_protection, with: Example Inc, signed: 2025-01-01}"
		listedUS              = "checks: {directory: dpf, entity: Example Inc, row: eu-us, status: active, data: [non_hr], checked: 2026-11-20}"
		test                  = "assessments: {kind: protection_test, entity: R Ltd, country: US, outcome: proceed, assessed: 2026-03-01, due: 2027-01-01}"
		anyOrigin             = "origins: [EEA, GB, CH, BR, JP, KR, SG, AU, CA, PH, TW, BM]"
	)
	adequacy := "kind: adequacy, " + anyOrigin
	bcr := func(scheme string) string {
		return "kind: bcr, scheme: " + scheme + ", approved_by: them, holders: [ex_sg, ex_us], " + anyOrigin
	}
	cert := func(scheme string) string {
		return "checks: {directory: cbpr, entity: R Ltd, scheme: " + scheme + ", status: active, checked: 2026-11-20}"
	}
	limit := func(l string) string { return "attestations: {entity: R Ltd, limit: " + l + ", dated: 2026-01-01}" }
	for _, tt := range []struct {
		from, to, mechanism, service, role string
		lines                              []string
		want                               bool
	}{
		{"IE", "CH", adequacy, processor, processor, nil, true},
		{"NO", "UY", adequacy, processor, processor, nil, true}, // the EEA's law is the EU's
		{"IE", "CA", adequacy, processor, processor, nil, false},
		{"IE", "CA", adequacy, processor, processor, []string{limit("pipeda")}, true},
		{"IE", "CA", adequacy, processor, processor, []string{limit("appi")}, false},
		{"IE", "JP", adequacy, processor, processor, []string{limit("appi")}, true},
		{"CH", "JP", adequacy, processor, processor, []string{limit("appi")}, false},
		{"IE", "BR", adequacy, processor, processor, []string{limit("lgpd")}, true},
		{"GB", "BR", adequacy, processor, processor, []string{limit("lgpd")}, false},
		{"GB", "KR", adequacy, processor, processor, nil, true},
		{"IE", "KR", adequacy, processor, processor, nil, false},
		{"IE", "US", adequacy, processor, processor, nil, false},
		{"BR", "IE", adequacy, processor, processor, nil, true},
		{"BR", "US", adequacy, processor, processor, nil, false},
		{"BR", "US", "kind: br_scc, origins: [BR]", processor, processor, []string{brazil}, true},
		{"BR", "US", "kind: br_scc, origins: [BR]", processor, processor, []string{strings.Replace(brazil, "unaltered: true, ", "", 1)}, false},
		{"BR", "US", "kind: scc, " + anyOrigin, processor, processor, []string{brazil, tia}, false},
		{"IE", "US", "kind: br_scc, " + anyOrigin, processor, processor, []string{brazil, tia}, false},
		{"GB", "US", "kind: idta, origins: [GB]", processor, processor, []string{idta, tia, test}, true},
		{"GB", "US", "kind: idta, origins: [GB]", processor, processor, []string{idta, tia}, false},
		{"IE", "US", "kind: idta, origins: [EU]", processor, processor, []string{idta, tia, test}, false},
		{"IE", "US", bcr("bcr-c"), controller, processor, []string{ours, tiaUS}, true},
		{"IE", "US", bcr("bcr-c"), processor, processor, []string{ours, tiaUS}, false},
		{"IE", "US", bcr("bcr-p"), processor, processor, []string{ours, tiaUS}, true},
		{"IE", "US", bcr("bcr-p"), controller, processor, []string{ours, tiaUS}, false},
		{"IE", "US", strings.Replace(bcr("bcr-c"), "[ex_sg, ex_us]", "[ex_us]", 1), controller, processor, []string{ours, tiaUS}, false},
		{"IE", "US", strings.Replace(bcr("bcr-c"), "[ex_sg, ex_us]", "[ex_sg]", 1), controller, processor, []string{ours, tiaUS}, false},
		{"IE", "US", strings.Replace(bcr("bcr-c"), "approved_by: them, ", "", 1), controller, processor, []string{ours, tiaUS}, false},
		{"GB", "US", strings.Replace(bcr("bcr-c"), anyOrigin, "origins: [EU]", 1), controller, processor, []string{ours, tiaUS}, false},
		{"IE", "US", "kind: dpf, holders: [ex_us], origins: [EU]", processor, processor, []string{ours, listedUS}, true},
		{"IE", "US", "kind: dpf, holders: [ex_ie], origins: [EU]", processor, processor, []string{ours, listedUS}, false}, // declared for another company of the group
		{"BR", "US", "kind: br_scc, requires_tia: true, origins: [BR]", processor, processor, []string{brazil}, false},
		{"BR", "US", "kind: br_scc, requires_tia: true, origins: [BR]", processor, processor, []string{brazil, tia}, true},
		{"SG", "US", "kind: contract, " + anyOrigin, processor, processor, []string{comparable}, true},
		{"SG", "IN", "kind: contract, " + anyOrigin, processor, processor, []string{comparable}, false}, // it names the US
		{"AU", "US", "kind: contract, " + anyOrigin, processor, processor, []string{comparable}, true},
		{"IE", "US", "kind: contract, " + anyOrigin, processor, processor, []string{comparable, tia}, false},
		{"CA", "US", "kind: contract, " + anyOrigin, processor, processor, []string{comparable}, false},
		{"CA", "US", "kind: contract, " + anyOrigin, processor, processor, []string{comparable, tia}, true},
		{"SG", "US", "kind: cbpr_prp, " + anyOrigin, processor, processor, []string{cert("global_prp")}, true},
		{"SG", "US", "kind: cbpr_prp, " + anyOrigin, processor, "independent_controller", []string{cert("global_prp")}, false}, // PRP is for processors
		{"SG", "US", "kind: cbpr_prp, " + anyOrigin, processor, "independent_controller", []string{cert("global_cbpr")}, true},
		{"SG", "AU", "kind: cbpr_prp, " + anyOrigin, processor, processor, []string{cert("global_prp")}, false}, // no agent grants it there
		{"JP", "US", "kind: cbpr_prp, " + anyOrigin, processor, processor, []string{cert("apec_cbpr")}, true},
		{"JP", "US", "kind: cbpr_prp, " + anyOrigin, processor, processor, []string{cert("apec_prp")}, false},
		{"BM", "US", "kind: cbpr_prp, " + anyOrigin, processor, processor, []string{cert("apec_cbpr")}, true},
		{"KR", "US", "kind: cbpr_prp, " + anyOrigin, processor, processor, []string{cert("apec_cbpr")}, false},
		{"IE", "US", "kind: cbpr_prp, " + anyOrigin, processor, processor, []string{cert("apec_cbpr"), tia}, false}, // evidence at most
		{"KR", "IE", adequacy, processor, processor, []string{limit("kr_no_resident_numbers_or_credit_data")}, true},
		{"KR", "IE", adequacy, processor, processor, nil, false},
		{"US", "IN", adequacy, processor, processor, nil, true},
		{"US", "CN", adequacy, processor, processor, nil, false},
		{"IN", "IN", adequacy, processor, processor, nil, false}, // nobody wrote it down
	} {
		name := fmt.Sprintf("%s to %s by %s as %s to %s with %d", tt.from, tt.to, strings.Split(tt.mechanism, ",")[0], tt.service, tt.role, len(tt.lines))
		t.Run(name, func(t *testing.T) {
			p := between(t, tt.from, tt.to, tt.mechanism, tt.service, tt.role)
			q := decision.Question{Flow: "f", Service: "messaging", Kind: "message", Categories: "device_data", Subject: decision.Subject{Known: true}}
			d := decision.Decide(p, law.Builtin(), registered(t, append([]string{contract}, tt.lines...)...), q, now)
			if d.Allowed != tt.want || d.Allowed && d.Form != decision.Clear {
				t.Errorf("%v %s, want %v: %+v", d.Allowed, d.Form, tt.want, d.Reasons)
			}
		})
	}
}

// The UK decision ends on 27 December 2031, and Brazil's began on 26 January 2026.
func TestRulesHoldOnTheirDays(t *testing.T) {
	for _, tt := range []struct {
		to, day string
		want    bool
	}{{"GB", "2031-12-27", true}, {"GB", "2031-12-28", false}, {"GB", "2025-12-18", false}, {"BR", "2026-01-25", false}, {"BR", "2026-01-26", true}} {
		p := between(t, "IE", tt.to, "kind: adequacy, origins: [EU]", "processor", "processor")
		q := decision.Question{Flow: "f", Service: "messaging", Kind: "message", Categories: "device_data", Subject: decision.Subject{Known: true}}
		reg := registered(t, "contracts: {id: z, kind: data_protection, with: R Ltd, signed: 2025-01-01}", "attestations: {entity: R Ltd, limit: lgpd, dated: 2025-06-01}")
		if d := decision.Decide(p, law.Builtin(), reg, q, programme.Date(tt.day).Time()); d.Allowed != tt.want {
			t.Errorf("%s on %s: %v %+v", tt.to, tt.day, d.Allowed, d.Denials())
		}
	}
}

func TestARegionWhoseLawNobodyWroteDownHalts(t *testing.T) {
	p := between(t, "IN", "IN", "kind: adequacy, origins: [EU]", "processor", "processor")
	q := decision.Question{Flow: "f", Service: "messaging", Kind: "message", Categories: "device_data", Subject: decision.Subject{Known: true}}
	d := decision.Decide(p, law.Builtin(), registered(t, "contracts: {id: z, kind: data_protection, with: R Ltd, signed: 2025-01-01}"), q, now)
	if !d.HaltsFlow() || !d.Manual || d.Form != decision.None {
		t.Errorf("%+v", d)
	}
}

func TestWhoOperatesARegionBringsItsLaw(t *testing.T) {
	p := changed(t, "{id: ie1, name: Ireland, country: IE, entity: ex_ie,", "{id: ie1, name: Ireland, country: IE, entity: ex_us,")
	d := decision.Decide(p, law.Builtin(), registered(t), ask("home"), now)
	if !slices.Equal(d.Laws, []string{"eu", "us"}) || !d.Allowed {
		t.Errorf("%v %v", d.Laws, d.Allowed)
	}
	p = changed(t, "{id: ie1, name: Ireland, country: IE, entity: ex_ie,", "{id: ie1, name: Ireland, country: IE, entity: ex_sg,")
	if d = decision.Decide(p, law.Builtin(), registered(t), ask("home"), now); d.Form == decision.Clear {
		t.Errorf("Singapore's exporter sends to Ireland by Ireland's law alone: %+v", d.Legs)
	}
}

func TestASubProcessorsOwnContractCounts(t *testing.T) {
	reg := registered(t, listed)
	reg.Contracts = slices.DeleteFunc(reg.Contracts, func(c register.Contract) bool { return c.By == "Chained Hosting" })
	if d := decision.Decide(load(t), law.Builtin(), reg, ask("chained"), now); d.Allowed || !d.Has("contract.missing") {
		t.Errorf("%+v", d.Reasons)
	}
}
