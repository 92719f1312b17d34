package notice_test

import (
	"strings"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
)

// Every row of the regional plan is in the table, in its place.
func TestTheRegionalPlanIsOnItsPage(t *testing.T) {
	p := load(t, examples.Communications())
	d, f := notice.Regions(p), factsOf(t, "regional-plan.yaml")
	table := d.Sections[0].Table
	cell := func(service, region string) string {
		for _, row := range table.Rows {
			for i, head := range table.Head {
				if row[0] == service && head == region {
					return row[i]
				}
			}
		}
		return ""
	}
	for _, x := range f["rows"].([]any) {
		r := x.(tree)
		want := "available since " + r["since"].(string)
		if r["pilot"] == true {
			want = "pilot since " + r["since"].(string)
		}
		if part, ok := r["part"].(string); ok {
			want = part + ": " + want
		}
		if also, ok := r["elsewhere"].(string); ok {
			want += " (elsewhere in the source " + also + ")"
		}
		if got := cell(r["service"].(string), r["region"].(string)); !strings.Contains(got, want) {
			t.Errorf("%s in %s: %q lacks %q", r["service"], r["region"], got, want)
		}
	}
	byName := map[string]notice.Entry{}
	for _, e := range entries(d) {
		byName[e.Name] = e
	}
	for label, list := range map[string]string{"Stays": "isolated", "Does not stay yet": "not_yet"} {
		for _, name := range f[list].([]any) {
			if len(values(byName[name.(string)], label)) != 1 {
				t.Errorf("%s, %s: %+v", name, label, byName[name.(string)])
			}
		}
	}
	for country, entity := range f["contracting"].(tree) {
		if got := p.Entity(p.RegionalPlan.ContractingFor(country).Entity).Name; got != entity {
			t.Errorf("a customer billed in %s contracts with %s", country, got)
		}
	}
	for _, e := range p.Flows { // what leaves is said of the region that it leaves
		if _, ok := entries(d)[e.From+"/flow-"+e.ID]; !ok {
			t.Errorf("flow %s is not on the page", e.ID)
		}
	}
}

func TestWhatARegionsNodeSays(t *testing.T) {
	p := load(t, examples.Communications())
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	right := notice.RegionCheck{URL: "https://us1.example.com", Asked: at, At: at, Region: "us1", Country: "US", Programme: p.Hash}
	with := func(change func(*notice.RegionCheck)) notice.RegionCheck { c := right; change(&c); return c }
	for _, tt := range []struct {
		name, region, checked, says string
		check                       notice.RegionCheck
	}{
		{"as claimed", "us1", "its node answered at 2026-11-25 12:00:00 UTC (https://us1.example.com)", "it is us1, in US|it enforces the programme of this page", right},
		{"another region", "us1", "", "it is ie1, not us1|it enforces the programme of this page", with(func(c *notice.RegionCheck) { c.Region = "ie1" })},
		{"another country", "us1", "", "it is in DE, not in US|it enforces the programme of this page", with(func(c *notice.RegionCheck) { c.Country = "DE" })},
		{"another programme", "us1", "", "it is us1, in US|it enforces another programme, sha256:0", with(func(c *notice.RegionCheck) { c.Programme = "sha256:0" })},
		{"silent now", "us1", "its node didn't answer at 2026-11-25 13:00:00 UTC; it did at 2026-11-25 12:00:00 UTC (https://us1.example.com)", "", with(func(c *notice.RegionCheck) { c.Asked, c.Fails = at.Add(time.Hour), true })},
		{"never answered", "us1", "its node didn't answer at 2026-11-25 12:00:00 UTC (https://us1.example.com)", "nothing, though it is declared as running", with(func(c *notice.RegionCheck) { c.At, c.Fails, c.Region = time.Time{}, true, "" })},
		{"not known", "us1", "not from here: this node wasn't told where it is", "", notice.RegionCheck{}},
		{"runs, though it shouldn't", "sg1", "", "it is sg1, in SG|it runs, though it is declared not to|it enforces the programme of this page", with(func(c *notice.RegionCheck) { c.Region, c.Country = "sg1", "SG" })},
	} {
		d := notice.RegionsSeen(p, map[string]notice.RegionCheck{tt.region: tt.check}, "2026-11-25T12:00:00Z")
		for _, s := range d.Sections {
			if s.ID != tt.region {
				continue
			}
			e := notice.Entry{Facts: s.Facts}
			if got := strings.Join(values(e, "Checked"), "|"); tt.checked != "" && got != tt.checked {
				t.Errorf("%s: checked %q, want %q", tt.name, got, tt.checked)
			}
			if got := strings.Join(values(e, "It says"), "|"); tt.says != "" && got != tt.says {
				t.Errorf("%s: says %q, want %q", tt.name, got, tt.says)
			}
		}
	}
}

func TestCertificationsByTheirLookUps(t *testing.T) {
	p := load(t, examples.Communications())
	today := programme.FirstDay("2026-11-25")
	says := func(h notice.Holding) string {
		d := notice.Certifications(p, func(scheme, entity string) notice.Holding {
			if scheme == "apec_cbpr" && entity == "Example Communications Inc." {
				return h
			}
			return notice.Holding{}
		}, today, "2026-11-25T12:00:00Z")
		all := entries(d)
		if got := values(all["apec_cbpr/apec_cbpr-example_ie"], "In decisions"); len(got) != 1 || got[0] != "doesn't count" {
			t.Errorf("nobody looked it up, and it says %q", got)
		}
		return strings.Join(values(all["apec_cbpr/apec_cbpr-example_us"], "In decisions"), "|")
	}
	for want, h := range map[string]notice.Holding{
		"doesn't count": {},
		"counts until 2026-12-20, when it has to be looked up again or renewed": {Checked: "2026-11-20", Status: "active", Last: "2026-12-20", Counts: true},
		"doesn't count: the directory doesn't list it as active":                {Checked: "2026-11-20", Status: "inactive"},
		"lapsed: it stopped counting after 2026-11-24":                          {Checked: "2026-11-20", Status: "active", Until: "2026-11-24", Last: "2026-11-24"},
		"stopped counting after 2026-11-01: the look-up is too old":             {Checked: "2026-10-02", Status: "active", Last: "2026-11-01", Until: "2027-01-01"},
	} {
		if got := says(h); got != want {
			t.Errorf("%+v: %q, want %q", h, got, want)
		}
	}
	d := notice.Certifications(p, func(string, string) notice.Holding { return notice.Holding{} }, today, "")
	for _, s := range d.Sections {
		e := notice.Entry{Facts: s.Facts}
		switch s.ID {
		case "apec_cbpr":
			if got := strings.Join(values(e, "Next renewal"), ""); got != "by 2027-09, counted from the first certification" {
				t.Errorf("next renewal %q", got)
			}
		case "iso_27001":
			if got := strings.Join(values(e, "Checked"), ""); !strings.Contains(got, "counts in no decision") {
				t.Errorf("what was never looked up says %q", got)
			}
		}
	}
}

// What couldn't be found out isn't claimed.
func TestSafeguardsClaimOnlyWhatWasSeen(t *testing.T) {
	p := load(t, examples.Communications())
	b := notice.Safeguards(p, &notice.State{At: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Log: notice.LogState{Size: -1}}).Markdown()
	for _, want := range []string{"plain HTTP", "none was signed yet", "nobody: this node knows", "makes none, and the operator has noted none"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"TLS versions", "Cosigned by domicile", "Refused to sign", "0001-01-01"} {
		if strings.Contains(string(b), never) {
			t.Errorf("the page says %q", never)
		}
	}
}

func TestBackupsAreShownAsTheyWereNoted(t *testing.T) {
	p := load(t, examples.Communications())
	b := string(notice.Safeguards(p, &notice.State{At: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Log: notice.LogState{Size: -1},
		Backups: []notice.Copied{{Of: "store", Place: "IE", Made: "2026-11-24", Restored: "2026-10-01", By: "pgbackrest"}, {Of: "keys", Place: "DE", Made: "2026-11-01"}}}).Markdown())
	for _, want := range []string{"this node doesn't see the copies", "The store", "IE", "2026-11-24", "1 day\n", "2026-10-01", "pgbackrest", "The keyring", "24 days", "never noted"} {
		if !strings.Contains(b, want) {
			t.Errorf("the page lacks %q:\n%s", want, b)
		}
	}
	if strings.Contains(b, "has noted none") {
		t.Error("the page says that there are none, too")
	}
}
