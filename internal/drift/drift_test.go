package drift_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/drift"
	"domicile.dev/internal/programme"
)

// edited loads the example with some texts replaced.
func edited(t *testing.T, replace ...string) *programme.Programme {
	t.Helper()
	m := fstest.MapFS{}
	done := make([]bool, len(replace)/3)
	if err := fs.WalkDir(examples.Communications(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(examples.Communications(), name)
		text := string(b)
		for i := 0; i < len(replace); i += 3 {
			if name == replace[i] && strings.Contains(text, replace[i+1]) {
				text, done[i/3] = strings.Replace(text, replace[i+1], replace[i+2], 1), true
			}
		}
		m[name] = &fstest.MapFile{Data: []byte(text)}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(done, false) {
		t.Fatal("a text to replace isn't in the example")
	}
	p, err := programme.Load(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTheExampleHasNoDrift: what the example runs by, its own notice says.
func TestTheExampleHasNoDrift(t *testing.T) {
	p := edited(t)
	for _, region := range []string{"ie1", "us1", "au1"} {
		for _, f := range drift.Find(p, p, region, drift.Observed{}) {
			t.Errorf("%s: %s: %s", region, f.Code, f.Says)
		}
	}
}

const newcomer = "recipients:\n  - {id: newcomer, name: Newcomer, class: third_party_service_providers, roles: [processor], locations: [US], mechanisms: [scc]}\n"

// TestPaperBehindPractice: what the region is told to do, and the published notice doesn't say.
func TestPaperBehindPractice(t *testing.T) {
	for _, c := range []struct {
		name               string
		published, running []string // edits
		code               string
		holds              func(drift.Finding) bool
	}{
		{"a new category", nil, []string{"categories.yaml", "  - id: contact_data\n", "  - {id: biometrics, name: Biometrics, source: direct, elements: [face]}\n  - id: contact_data\n",
			"kinds-cdp.yaml", "    kind: track\n", "    kind: track\n    fields: [{path: properties.face, category: biometrics}]\n"},
			drift.Category, func(f drift.Finding) bool {
				return f.Category == "biometrics" && f.Kind == "track" && f.Path == "properties.face"
			}},
		{"a flow of a new category", nil, []string{"categories.yaml", "  - id: contact_data\n", "  - {id: biometrics, name: Biometrics, source: direct, elements: [face]}\n  - id: contact_data\n",
			"purposes.yaml", "categories: [contact_data, customer_account_data, customer_content, communications_usage_data, support_feedback_data,", "categories: [biometrics, contact_data, customer_account_data, customer_content, communications_usage_data, support_feedback_data,",
			"flows.yaml", "categories: [contact_data,", "categories: [biometrics, contact_data,"},
			drift.Category, func(f drift.Finding) bool { return f.Category == "biometrics" && f.Flow == "message_screening" }},
		{"an undeclared recipient", nil, []string{"flows.yaml", "    to: sp-01\n", "    to: newcomer\n", "recipients.yaml", "recipients:\n", newcomer},
			drift.Recipient, func(f drift.Finding) bool { return f.Flow == "message_screening" && f.Recipient == "newcomer" }},
		{"another company under a known id", nil, []string{"sub-processors.yaml", "    name: Adaptive Mobile\n", "    name: Somebody Else\n"},
			drift.Recipient, func(f drift.Finding) bool { return f.Recipient == "sp-01" }},
		{"onward to somebody unpublished", nil, []string{"sub-processors.yaml", "    locations: [US]\n", "    locations: [US]\n    onward: [newcomer]\n", "recipients.yaml", "recipients:\n", newcomer},
			drift.Recipient, func(f drift.Finding) bool { return f.Flow == "message_screening" && f.Recipient == "newcomer" }},
		{"a place not on the list", nil, []string{"sub-processors.yaml", "    locations: [US]\n", "    locations: [US, IN]\n"},
			drift.Place, func(f drift.Finding) bool { return f.Country == "IN" && f.Recipient == "sp-01" }},
		{"a place from which it is seen", nil, []string{"sub-processors.yaml", "    locations: [US]\n", "    locations: [US]\n    remote_access: [PH]\n"},
			drift.Place, func(f drift.Finding) bool { return f.Country == "PH" && f.Recipient == "sp-01" }},
		{"a place nobody can name", nil, []string{"sub-processors.yaml", "    locations: [US]\n", "    locations: [US, {area: South America}]\n"},
			drift.Unknowable, func(f drift.Finding) bool { return f.Recipient == "sp-01" }},
		{"a basis that isn't published", []string{"purposes.yaml", "legal_bases: [consent, legitimate_interest, legal_obligation]\n\n  - id: service_support", "legal_bases: [consent, legal_obligation]\n\n  - id: service_support",
			"flows.yaml", "    legal_basis: legitimate_interest\n", "    legal_basis: consent\n", "flows.yaml", "    purpose: platform_security_fraud_prevention\n    legal_basis: legitimate_interest\n", "    purpose: platform_security_fraud_prevention\n    legal_basis: consent\n"},
			nil, drift.Basis, func(f drift.Finding) bool { return f.Flow == "message_screening" }},
		{"a use that isn't published", []string{"purposes.yaml", "categories: [contact_data, customer_account_data, customer_content, communications_usage_data, support_feedback_data,", "categories: [customer_account_data, customer_content, communications_usage_data, support_feedback_data,",
			"flows.yaml", "categories: [contact_data,", "categories: [", "flows.yaml", "categories: [contact_data,", "categories: ["},
			nil, drift.Use, func(f drift.Finding) bool { return f.Flow == "message_screening" && f.Category == "contact_data" }},
		{"a purpose that isn't published", nil, []string{"purposes.yaml", "  - id: platform_security_fraud_prevention\n", "  - {id: resale, name: Resale, statement: we sell it, categories: [contact_data, customer_content, communications_usage_data], legal_bases: [legitimate_interest]}\n  - id: platform_security_fraud_prevention\n",
			"flows.yaml", "    purpose: platform_security_fraud_prevention\n", "    purpose: resale\n"},
			drift.Purpose, func(f drift.Finding) bool { return f.Flow == "message_screening" && f.Purpose == "resale" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := drift.Find(edited(t, c.published...), edited(t, c.running...), "ie1", drift.Observed{})
			if !slices.ContainsFunc(all, func(f drift.Finding) bool { return f.Code == c.code && c.holds(f) && f.At != "" && f.Says != "" }) {
				t.Errorf("no %s among %d findings: %+v", c.code, len(all), all)
			}
		})
	}
}

func TestAFlowOfAnotherRegionDoesNotCount(t *testing.T) {
	published := edited(t)
	running := edited(t, "sub-processors.yaml", "    locations: [US]\n", "    locations: [US, IN]\n")
	if all := drift.Find(published, running, "au1", drift.Observed{}); len(all) != 0 {
		t.Errorf("au1 sends nothing to that recipient: %+v", all)
	}
	if all := drift.Flow(published, running, "message_screening"); len(all) != 1 || all[0].Code != drift.Place {
		t.Errorf("the flow itself: %+v", all)
	}
	if all := drift.Flow(published, running, "event_analytics"); len(all) != 0 {
		t.Errorf("another flow: %+v", all)
	}
}

func TestPracticeAheadOfPaper(t *testing.T) {
	p := edited(t)
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	all := drift.Find(p, p, "ie1", drift.Observed{
		Collected: []drift.Collected{
			{Tenant: "acme", Service: "cdp", Kind: "track", Category: "contact_data", Count: 3, FirstAt: day, LastAt: day},
			{Tenant: "acme", Service: "cdp", Kind: "track", Category: "gone_category", Count: 2, FirstAt: day, LastAt: day},
			{Tenant: "acme", Service: "cdp", Kind: "gone_kind", Category: "contact_data", Count: 1},
			{Tenant: "acme", Service: "cdp", Kind: "gone_kind", Category: "usage_data", Count: 1},
		},
		Unmapped:  []drift.Unmapped{{Tenant: "acme", Source: "src_1", Service: "cdp", Kind: "track", Path: "properties.bloodType", Count: 4, FirstAt: day, LastAt: day}},
		Disclosed: []drift.Disclosed{{Tenant: "acme", Flow: "old", Recipient: "gone", Purpose: "gone_purpose", Categories: []string{"contact_data", "gone_category"}, Count: 9}},
	})
	var codes []string
	for _, f := range all {
		codes = append(codes, f.Code)
	}
	want := []string{drift.Category, drift.Category, drift.Element, drift.Kind, drift.Purpose, drift.Recipient}
	if !slices.Equal(codes, want) {
		t.Errorf("codes are %v, want %v", codes, want)
	}
	if e := all[2]; e.Path != "properties.bloodType" || e.Count != 4 || e.FirstAt == nil || !e.FirstAt.Equal(day) {
		t.Errorf("the element: %+v", e)
	}
}
