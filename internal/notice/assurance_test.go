package notice

import (
	"strings"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/programme"
)

func exampleOf(t *testing.T) *programme.Programme {
	t.Helper()
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// factOf is what an entry of a document says under a label.
func factOf(d *Document, entry, label string) string {
	for _, s := range d.Sections {
		for _, e := range s.Entries {
			if e.ID != entry {
				continue
			}
			var all []string
			for _, f := range e.Facts {
				if f.Label == label {
					all = append(all, f.Values...)
				}
			}
			return strings.Join(all, "; ")
		}
	}
	return "no such entry"
}

func sectionOf(t *testing.T, d *Document, id string) Section {
	t.Helper()
	for _, s := range d.Sections {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("no section %s", id)
	return Section{}
}

// small says that a page stays below the bound of pages, in each form.
func small(t *testing.T, d *Document) {
	t.Helper()
	h, err := d.Page(Frame{})
	if err != nil || len(h) > 100_000 || len(d.Markdown()) == 0 {
		t.Errorf("%s: %d bytes, %v", d.ID, len(h), err)
	}
}

// Each role has its certificates with what a look-up found today, and every requirement is on the page.
func TestAssurance(t *testing.T) {
	p := exampleOf(t)
	look := func(scheme, entity string) Holding {
		if scheme == "apec_prp" && entity == "Example Communications Inc." {
			return Holding{Checked: "2026-11-01", Status: "active", Counts: true}
		}
		return Holding{}
	}
	d := Assurance(p, look, programme.FirstDay("2026-11-25"), "2026-11-25T00:00:00Z")
	small(t, d)
	if got := factOf(d, "assured-apec_prp", "State"); got != "listed" {
		t.Errorf("the processors': %s", got)
	}
	if got := factOf(d, "assured-apec_prp", "Holders listed"); got != "Example Communications Inc., looked up on 2026-11-01" {
		t.Errorf("the processors': %s", got)
	}
	if got := factOf(d, "assured-apec_cbpr", "State"); got != "no look-up counts today" {
		t.Errorf("the controllers': %s", got)
	}
	if got := factOf(d, "assured-apec_cbpr", "Next renewal"); got != "2027-09" {
		t.Errorf("renewal: %s", got)
	}
	if got := factOf(d, "attested-soc2_voice", "Service"); got != "Programmable Voice" {
		t.Errorf("attested: %s", got)
	}
	if n := len(sectionOf(t, d, "requirements-cbpr").Table.Rows); n != 50 {
		t.Errorf("%d requirements of the controllers", n)
	}
	if n := len(sectionOf(t, d, "requirements-prp").Table.Rows); n != 18 {
		t.Errorf("%d requirements of the processors", n)
	}
	economies := sectionOf(t, d, "economies").Table.Rows
	if len(economies) != 21 {
		t.Errorf("%d economies", len(economies))
	}
	for _, row := range economies {
		want := map[string][2]string{"Chile": {"candidate", "endorsed"}, "Japan": {"takes part", "endorsed"}, "Singapore": {"takes part", "takes part"},
			"United States": {"takes part, with an agent", "takes part, with an agent"}, "China": {"endorsed", "endorsed"}}[row[0]]
		if want[0] != "" && (row[1] != want[0] || row[2] != want[1]) {
			t.Errorf("%v, want %v", row, want)
		}
	}
}

// Controls show what the node found when it looked, and the measures beside mechanisms are made from them.
func TestControls(t *testing.T) {
	p := exampleOf(t)
	s := &State{At: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), TLS: &TLS{Accepted: []string{"1.2", "1.3"}, Refused: []string{"1.0", "1.1"}},
		Rest: AtRest{Epoch: 7}, Log: LogState{Size: 12, Defects: 0}}
	d := Controls(p, s)
	small(t, d)
	if got := factOf(d, "control-encrypted_in_transit", "State"); got != "this node accepted TLS 1.2, 1.3 and refused 1.0, 1.1" {
		t.Errorf("TLS: %s", got)
	}
	if got := factOf(d, "beside-control-encrypted_at_rest", "State"); got != "keys of epoch 7, apart from the store" {
		t.Errorf("at rest, beside the mechanisms: %s", got)
	}
	if got := factOf(d, "framework-iso_27001", "A.8.10"); got != "Erased by destroying the key" {
		t.Errorf("by framework: %s", got)
	}
	rows := sectionOf(t, d, "sensitivity").Table.Rows
	if len(rows) != 3 || !strings.Contains(rows[2][1], "Marketing & Communications Data") || !strings.Contains(rows[2][2], "The most sensitive never leaves in the clear") || rows[2][3] != "18" {
		t.Errorf("by sensitivity: %v", rows)
	}
	if n := len(sectionOf(t, d, "principles").Entries); n != 9 {
		t.Errorf("%d principles", n)
	}
	s.TLS = nil
	if got := factOf(Controls(p, s), "control-encrypted_in_transit", "State"); !strings.Contains(got, "plain HTTP") {
		t.Errorf("without TLS: %s", got)
	}
}

// Documents have their type, address, version and when somebody looked; what isn't looked at in time is said.
func TestDocuments(t *testing.T) {
	p := exampleOf(t)
	x := p.Document("link_openai_openai_com_security")
	if got := lookedAt(x, programme.FirstDay("2026-11-25")); got != ", nobody has looked yet" {
		t.Errorf("never: %q", got)
	}
	x.Checked = "2026-06-01"
	for day, want := range map[programme.Date]string{"2026-11-30": ", looked at on 2026-06-01", "2026-12-01": ", looked at on 2026-06-01, which is too long ago"} {
		if got := lookedAt(x, programme.FirstDay(day)); got != want {
			t.Errorf("on %s: %q, want %q", day, got, want)
		}
	}
	d := Documents(p, programme.FirstDay("2026-11-25"))
	small(t, d)
	for entry, want := range map[string][2]string{"document-bcr_policy": {"Approved", "EU authorities, 2018-05"}, "document-terms_2021": {"Since", "2021-Q3"},
		"document-security_annex": {"For", "Binding Corporate Rules; EU and UK Standard Contractual Clauses"}, "document-bcr_appendix_10": {"Part of", "Binding Corporate Rules, controller policy (https://www.example.com/legal/bcr/controller)"},
		"document-support_page_2022": {"In its place", "Certifications (/privacy/certifications)"}, "of-sp-17": {"Security", "OpenAI: https://openai.com/security (https://openai.com/security), looked at on 2026-06-01"},
		"of-sp-20": {"For impact assessments", ""}, "of-sp-02": {"Supplementary measures", "AWS: Supplementary Measures Addendum"}} {
		if got := factOf(d, entry, want[0]); got != want[1] && want[1] != "" {
			t.Errorf("%s, %s: %q, want %q", entry, want[0], got, want[1])
		}
	}
}

// A transfer cites what made it be judged anew; each exporting company has its authority.
func TestTransfers(t *testing.T) {
	p := exampleOf(t)
	d := Transfers(p, map[string]Row{"sp-01": {Assessment: "of 2026-01-01"}})
	small(t, d)
	if got := factOf(d, "transfer-sp-01", "Judged anew because"); got != "The Court of Justice strikes down the Privacy Shield, 2020-07-16" {
		t.Errorf("sp-01: %s", got)
	}
	if got := factOf(d, "transfer-sp-01", "Assessment"); !strings.Contains(got, "of 2026-01-01") {
		t.Errorf("sp-01: %s", got)
	}
	if got := factOf(d, "mechanism-scc", "Security annex"); !strings.HasPrefix(got, "Security annex to") {
		t.Errorf("the clauses: %s", got)
	}
	if got := factOf(d, "exporter-example_ie", "Authority"); got != "Data Protection Commission (Ireland)" {
		t.Errorf("Ireland: %s", got)
	}
	if got := factOf(d, "exporter-example_sg", "Authority"); got != "none is declared" {
		t.Errorf("Singapore: %s", got)
	}
}
