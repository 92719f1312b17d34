package subprocessor_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/examples"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/subprocessor"
)

func example(t *testing.T) *programme.Programme {
	t.Helper()
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestALiftOfTheListIsNew(t *testing.T) {
	p := example(t)
	all := subprocessor.Compare(nil, p)
	if len(all) != len(subprocessor.Rows(p)) || len(all) < 20 {
		t.Fatalf("%d changes of %d rows", len(all), len(subprocessor.Rows(p)))
	}
	for _, c := range all {
		if c.How != subprocessor.Added || !c.Notice || c.Text == "" {
			t.Errorf("%+v", c)
		}
	}
	if got := subprocessor.Compare(p, p); len(got) > 0 {
		t.Errorf("a list differs from itself: %+v", got)
	}
}

// Each row of the table in docs/sub-processors.md, seen from both sides.
func TestWhatChanged(t *testing.T) {
	base := example(t)
	row := subprocessor.Rows(base)[0]
	for _, tt := range []struct {
		name   string
		change func(r *programme.Recipient)
		want   []string // how, field, notice
	}{
		{"its name", func(r *programme.Recipient) { r.Name, r.LegalEntity = "Other", base.EntityName(row) }, []string{"changed name false"}},
		{"its company", func(r *programme.Recipient) { r.LegalEntity = "Another Ltd" }, []string{"changed entity true"}},
		{"a place more", func(r *programme.Recipient) {
			r.Locations = append(r.Locations[:len(r.Locations):len(r.Locations)], programme.Location{Country: "BR"})
		}, []string{"changed places true"}},
		{"seen from another place", func(r *programme.Recipient) { r.RemoteAccess = []string{"BR"} }, []string{"changed places true"}},
		{"what it is for", func(r *programme.Recipient) { s := *r.SubProcessor; s.Nature = "something else"; r.SubProcessor = &s }, []string{"changed nature false"}},
		{"no longer a sub-processor", func(r *programme.Recipient) { r.SubProcessor = nil }, []string{"removed  false"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := example(t)
			tt.change(p.Recipient(row.ID))
			var got []string
			for _, c := range subprocessor.Compare(base, p) {
				got = append(got, fmt.Sprintf("%s %s %v", c.How, c.Field, c.Notice))
			}
			if d := cmp.Diff(got, tt.want); d != "" {
				t.Error(d)
			}
		})
	}
}

const small = `format: domicile.programme/v1
organisation: {id: example, name: Example, lead_entity: ex_ie, contacts: {dpo_email: privacy@example.com}}
entities:
  - {id: ex_ie, name: Example Ireland, country: IE, memberships: [bcr-p]}
  - {id: ex_us, name: Example Inc, country: US}
regions: [{id: ie1, name: Ireland, country: IE, entity: ex_ie, running: true}]
services: [{id: messaging, name: Messaging, role: processor, kinds: [message]}]
categories: [{id: contact_data, name: Contact Data, source: direct, elements: [email_address]}]
kinds: [{service: messaging, kind: message, fields: [{path: from, category: contact_data}]}]
purposes: [{id: support, name: Support, categories: [contact_data], legal_bases: [contract], statement: x}]
mechanisms:
  - {id: bcr, name: BCR, kind: bcr, scheme: bcr-p, origins: [EEA], holders: [ex_ie]}
  - {id: dpf, name: DPF, kind: dpf, origins: [EEA], destinations: [US]}
recipients:
  - {id: vendors, name: Vendors}
  - %s
flows: [{id: f, from: ie1, services: [messaging], categories: [contact_data], purpose: support, to: r, form: clear}]
retention: {classes: [{service: messaging, keep: 30 days}]}
notice:
  id: n
  title: Notice
  language: en
  last_updated: 2026-01-01
  roles: {controller: {when: x, this_notice_applies: true}, processor: {when: x, this_notice_applies: false}}
  source_types: [{id: direct, label: Direct}]
`

func TestContradictions(t *testing.T) {
	row := func(section string, group bool) string {
		return fmt.Sprintf(", sub_processor: {services: [all], subject_matter: x, nature: x, region_selectable: none, group_company: %v, section: %s}", group, section)
	}
	pins := []subprocessor.Pin{{Tenant: "acme", Places: []string{"EU"}}}
	for _, tt := range []struct{ name, recipient, want string }{
		{"nothing", "locations: [IE]" + row("third_party", false), ""},
		{"a place that is labelled EU and isn't", "locations: [{country: GB, label: London (EU)}]", subprocessor.PlaceLabel},
		{"a place that is", "locations: [{country: FR, label: Paris (EU)}]", ""},
		{"a label that only looks like it", "locations: [{country: US, label: EUREKA}]", ""},
		{"an outside company among the group's", "locations: [IE]" + row("group", false), subprocessor.GroupRow},
		{"a group company among third parties", "locations: [IE]" + row("third_party", true), subprocessor.GroupRow},
		{"rules that bind a group's companies", "locations: [IE], mechanisms: [bcr]", subprocessor.NotHolder},
		{"rules of which it is no holder", "locations: [US], entity: ex_us, mechanisms: [bcr]", subprocessor.NotHolder},
		{"rules of which it is one", "locations: [IE], entity: ex_ie, mechanisms: [bcr]", ""},
		{"a framework that it isn't in", "locations: [US], entity: ex_us, mechanisms: [dpf]", subprocessor.NotHolder},
		{"a framework that the register has to know", "locations: [US], mechanisms: [dpf]", ""},
		{"backups where a pin doesn't let them", "locations: [IE, {country: US, role: backup}]", subprocessor.BackupPlace},
		{"backups where it does", "locations: [IE, {country: FR, role: backup}]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := fmt.Sprintf(small, "{id: r, name: R, class: vendors, roles: [processor], "+tt.recipient+"}")
			p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: []byte(src)}})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, w := range subprocessor.Contradictions(p, pins) {
				if got += w.Code; w.Line == 0 || w.ID != "r" || w.Hint == "" {
					t.Errorf("%+v", w)
				}
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	if got := subprocessor.Contradictions(example(t), nil); len(got) == 0 {
		t.Error("the example's source has rows among the group's that are outside companies, and none is found")
	}
}
