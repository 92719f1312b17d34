package notice_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
)

func compared(t *testing.T) *notice.Diff {
	t.Helper()
	return notice.Compare(load(t, examples.Communications2025()), load(t, examples.Communications()))
}

// find returns the changes of that sort and id.
func find(d *notice.Diff, what, how, id string) (out []notice.Change) {
	for _, c := range d.Changes {
		if c.What == what && c.How == how && c.ID == id {
			out = append(out, c)
		}
	}
	return out
}

// Every line of the change set that came with the notice of 2026 is found.
func TestTheDifferenceFindsTheChangeSet(t *testing.T) {
	d := compared(t)
	set := factsOf(t, "notice-2026.yaml")["changes_from_prior"].(tree)
	from := map[string][]string{}
	for o, targets := range set["category_map"].(tree) {
		for _, n := range targets.([]any) {
			from[n.(string)] = append(from[n.(string)], o)
		}
	}
	for o, list := range set["category_map"].(tree) {
		targets := list.([]any)
		n := targets[0].(string)
		how, id := notice.Renamed, n
		switch {
		case len(targets) > 1:
			how, id = notice.Split, o
		case len(from[n]) > 1:
			how = notice.Merged
		case o == n: // no other name: nothing of it may be told but a move
			if got := len(find(d, "category", notice.Renamed, n)) + len(find(d, "category", notice.Added, n)) + len(find(d, "category", notice.Removed, o)); got != 0 {
				t.Errorf("%s kept its name, and %d changes say otherwise", o, got)
			}
			continue
		}
		got := find(d, "category", how, id)
		if len(got) != 1 || !slices.Contains(got[0].From, o) || got[0].Material {
			t.Errorf("%s → %v: want %s, not material, got %+v", o, targets, how, got)
		}
		for _, n := range targets {
			if len(got) == 1 && !slices.Contains(got[0].To, n.(string)) {
				t.Errorf("%s → %v: %v is not told", o, targets, n)
			}
		}
	}
	elements := []string{"government_issued_ids", "dietary_requirements", "accessibility_needs", "cpu_count", "ai_chatbot_conversation_transcripts"}
	if n := len(set["category_new"].([]any)); n != len(elements) {
		t.Fatalf("the change set has %d new elements", n)
	}
	for _, e := range elements {
		if !slices.ContainsFunc(d.Changes, func(c notice.Change) bool {
			return c.What == "element" && c.How == notice.Added && strings.HasSuffix(c.ID, "."+e) && c.Material
		}) {
			t.Errorf("new element %s is not found", e)
		}
	}
	count := set["purposes_count"].(tree)
	if d.From.Purposes != int(count["before"].(uint64)) || d.To.Purposes != int(count["after"].(uint64)) {
		t.Errorf("purposes: %d, then %d", d.From.Purposes, d.To.Purposes)
	}
	material := []struct{ what, how, id string }{}
	add := func(what, how string, ids ...string) {
		for _, id := range ids {
			material = append(material, struct{ what, how, id string }{what, how, id})
		}
	}
	add("basis", notice.Added, "account_management.consent", "platform_security_fraud_prevention.consent", "service_support_improvement.consent",
		"research_innovation.consent", "business_operations.consent")
	add("basis", notice.Added, "business_operations.legal_obligation", "service_support_improvement.legal_obligation", "research_innovation.legal_obligation")
	add("training", notice.Added, "platform_security_fraud_prevention", "service_support_improvement")
	add("activity", notice.Added, "personalization_optimization.identity_resolution_into_unified_profiles")
	add("use", notice.Added, "research_innovation.telecommunications_data", "research_innovation.online_activity_data")
	add("sale", notice.Added, "sale_of_data")
	add("supplier", notice.Added, "independent_software_vendors", "managed_service_providers")
	for _, w := range material {
		if got := find(d, w.what, w.how, w.id); len(got) != 1 || !got[0].Material {
			t.Errorf("%s %s %s: want one, material, got %+v", w.what, w.how, w.id, got)
		}
	}
	if got := len(set["candidates_for_material_change"].([]any)); got != 7 {
		t.Errorf("the change set has %d candidates, and the list above stands for 7", got)
	}
	for _, w := range []struct{ what, how, id string }{{"supplier", notice.Removed, "add_on_partners"}, {"contact", notice.Changed, "eea_headquarters"},
		{"service", notice.Renamed, "conversational_intelligence"}, {"category", notice.Moved, "subscriber_records"},
		{"purpose", notice.Merged, "business_operations"}, {"recipient", notice.Renamed, "group_companies"},
		{"right", notice.Merged, "object_or_restrict"}, {"right", notice.Split, "complain_or_sue"}} {
		if got := find(d, w.what, w.how, w.id); len(got) != 1 || got[0].Material {
			t.Errorf("%s %s %s: want one, not material, got %+v", w.what, w.how, w.id, got)
		}
	}
}

// What did not change is not told, and each class of change is told of a programme that differs in
// nothing else.
func TestRulesOfTheDifference(t *testing.T) {
	if d := notice.Compare(load(t, examples.Communications()), load(t, examples.Communications())); len(d.Changes)+len(d.Lines) != 0 {
		t.Errorf("a version differs from itself: %+v %+v", d.Changes, d.Lines)
	}
	for _, c := range []struct {
		name          string
		edit          func(p *programme.Programme)
		what, how, id string
		material      bool
	}{
		{"basis gone", func(p *programme.Programme) { p.Purposes[0].LegalBases = p.Purposes[0].LegalBases[1:] }, "basis", notice.Removed, "account_management.consent", true},
		{"purpose gone", func(p *programme.Programme) { p.Purposes = p.Purposes[1:] }, "purpose", notice.Removed, "account_management", false},
		{"right gone", func(p *programme.Programme) { p.Rights.Groups[0].Items = p.Rights.Groups[0].Items[1:] }, "right", notice.Removed, "be_informed", true},
		{"retention", func(p *programme.Programme) { p.Retention.Rule = "for ever" }, "retention", notice.Changed, "retention/Rule", true},
		{"sold", func(p *programme.Programme) { p.Notice.SaleOfData = &programme.SaleOfData{Sold: true} }, "sale", notice.Changed, "sale_of_data", true},
		{"mail", func(p *programme.Programme) { p.Organisation.Contacts.DPOEmail = "dpo@example.com" }, "contact", notice.Changed, "dpo_email", false},
		{"role", func(p *programme.Programme) { p.Recipient("ott_providers").Roles = nil }, "role", notice.Changed, "ott_providers", true},
		{"name", func(p *programme.Programme) { p.Category("contact_data").Name = "Contacts" }, "category", notice.Renamed, "contact_data", false},
		{"element", func(p *programme.Programme) {
			p.Category("device_data").Elements = append(p.Category("device_data").Elements, "battery")
		}, "element", notice.Added, "device_data.battery", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := load(t, examples.Communications())
			c.edit(after)
			d := notice.Compare(load(t, examples.Communications()), after)
			got := find(d, c.what, c.how, c.id)
			if len(got) != 1 || got[0].Material != c.material || len(d.Changes) != 1 {
				t.Errorf("got %+v", d.Changes)
			}
			if len(d.Lines) == 0 {
				t.Error("nothing stands side by side")
			}
		})
	}
}

func TestChangedWordsAreMarked(t *testing.T) {
	after := load(t, examples.Communications())
	after.Retention.Rule = "identifiable never longer than the purpose needs"
	d := notice.Compare(load(t, examples.Communications()), after)
	if len(d.Lines) != 1 {
		t.Fatalf("%d lines differ", len(d.Lines))
	}
	m := string(d.Markdown())
	if !strings.Contains(m, "- before: identifiable ~~no~~ longer than the purpose needs\n- after: identifiable **never** longer than the purpose needs\n") {
		t.Error(m)
	}
	h, err := d.HTML()
	if err != nil || !bytes.Contains(h, []byte("<del>no</del>")) || !bytes.Contains(h, []byte("<ins>never</ins>")) {
		t.Error("the page marks nothing", err)
	}
}

func TestTheDifferenceIsDeterministicAndSmall(t *testing.T) {
	first, err := compared(t).HTML()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if again, _ := compared(t).HTML(); !bytes.Equal(first, again) {
			t.Fatal("two runs differ")
		}
	}
	if len(first) > 100_000 {
		t.Errorf("the page has %d bytes", len(first))
	}
}
