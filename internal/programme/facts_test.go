package programme_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/programme"
	"github.com/goccy/go-yaml"
)

// The two transcriptions under testdata/facts are what the example must hold. The tests walk every
// leaf of them. Each is first brought into the shape of the format by a few named steps; then it
// must be in the example, at its place, in its order. The example may say more of a thing.

type tree = map[string]any

// ours is what the fictional publisher says in place of the source's own name and contacts. A
// value is exchanged only if it is exactly the one in the source.
var ours = map[string]map[string]string{
	"publisher.group":                     {"Twilio Inc. and its group companies": "Example Communications Inc. and its group companies"},
	"publisher.lead_entity":               {"twilio_inc": "example_us"},
	"canonical_url":                       {"https://www.twilio.com/legal/privacy": "https://www.example.com/legal/privacy"},
	"contacts.dpo_email":                  {"privacy@twilio.com": "privacy@example.com"},
	"contacts.world_headquarters.entity":  {"Twilio Inc.": "example_us"},
	"contacts.world_headquarters.address": {"101 Spear Street, 5th Floor, San Francisco CA 94105": "1 Example Street, San Francisco, CA 94105, USA"},
	"contacts.eea_headquarters.entity":    {"Twilio Ireland Limited": "example_ie"},
	"contacts.eea_headquarters.address":   {"78 Sir John Rogerson's Quay, Dublin 2, D02 R296, Ireland": "1 Example Quay, Dublin 2, Ireland"},
}

// noticePlaces says where each top-level key of the notice is in a programme.
var noticePlaces = map[string]string{
	"schema": "source_notice.schema", "publisher": "organisation", "contacts": "organisation.contacts",
	"categories": "categories", "purposes": "purposes", "recipients": "classes", "mechanisms": "mechanisms",
	"retention": "retention", "rights": "rights.groups", "verification": "rights.verification",
	"authorized_agents": "rights.authorized_agents", "limitations": "rights.limitations",
	"processor_requests": "rights.processor_requests",
}

// pagePlaces does so for the sub-processor list; what is not here is not mapped, and fails.
var pagePlaces = map[string]string{
	"schema": "source_page.schema", "source_seed": "source_page.seed", "subprocessors": "rows", "totals": "totals",
	"last_updated": "notice.sub_processor_page.last_updated", "page_commitments": "notice.sub_processor_page.commitments",
	"footnotes": "notice.sub_processor_page.footnotes", "regional_product_regions": "notice.sub_processor_page.regional_product_regions",
	"link_sets": "notice.sub_processor_page.link_sets", "derived_checks": "notice.sub_processor_page.derived_checks",
	"page_navigation": "notice.sub_processor_page.navigation",
}

func facts(t testing.TB, name string) tree {
	t.Helper()
	b, err := os.ReadFile("testdata/facts/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out tree
	if err := yaml.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// declared is the programme as a tree, with the lists apart that the sources have apart.
func declared(t testing.TB, p *programme.Programme) tree {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var out tree
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	var classes, rows []any
	names := map[string]bool{}
	sections := map[string]int{}
	for _, r := range out["recipients"].([]any) {
		row := r.(tree)
		sub, ok := row["sub_processor"].(tree)
		if !ok {
			classes = append(classes, row)
			continue
		}
		rows = append(rows, row)
		names[row["name"].(string)] = true
		sections[sub["section"].(string)]++
	}
	// Mechanisms that the notice doesn't name are the example's own.
	out["mechanisms"] = slices.DeleteFunc(out["mechanisms"].([]any), func(m any) bool {
		return m.(tree)["kind"] == "adequacy" || m.(tree)["kind"] == "contract"
	})
	out["classes"], out["rows"] = classes, rows
	out["totals"] = tree{"rows": len(rows), "third_party_rows": sections["third_party"], "group_table_rows": sections["group"], "distinct_names": len(names)}
	for _, s := range out["organisation"].(tree)["sources"].([]any) {
		switch source := s.(tree); source["id"] {
		case "notice-2026":
			out["source_notice"] = source
		case "sub-processors-2024":
			out["source_page"] = source
		}
	}
	return out
}

// shapeNotice brings the notice into the format's shape.
func shapeNotice(in tree) tree {
	n := copyOf(in).(tree)
	for path, swap := range ours {
		exchange(n, strings.Split(path, "."), swap)
	}
	for _, r := range n["recipients"].([]any) {
		r := r.(tree)
		if role, ok := r["role"].(tree); ok { // one role for each kind of data
			var roles []any
			for _, data := range slices.Sorted(maps.Keys(role)) {
				roles = append(roles, tree{"role": role[data], "for": data})
			}
			r["roles"] = roles
			delete(r, "role")
		}
		listed(r, "role", "roles")
		listed(r, "who", "who")
		listed(r, "reason", "reasons")
		rename(r, "notify_user", "notify")
	}
	transfers := n["transfers"].(tree)
	n["mechanisms"] = transfers["mechanisms"]
	delete(transfers, "mechanisms")
	for _, m := range n["mechanisms"].([]any) {
		m := m.(tree)
		for i, o := range m["origins"].([]any) {
			switch o {
			case "UK":
				m["origins"].([]any)[i] = "GB" // ISO 3166
			case "participating economies":
				m["coverage"] = o
				delete(m, "origins")
			}
		}
		switch d := m["destination"]; d {
		case nil:
		case "group companies world-wide": // words, not a place
			rename(m, "destination", "coverage")
		default:
			listed(m, "destination", "destinations")
		}
	}
	rename(n["children"].(tree)["age_thresholds"].(tree), "UK", "GB")
	return n
}

// shapePage brings the sub-processor list into the format's shape.
func shapePage(in tree) tree {
	n := copyOf(in).(tree)
	own := []string{"id", "name", "quirk"}
	for i, r := range n["subprocessors"].([]any) {
		r := r.(tree)
		labels, roles := asTree(r["location_labels"]), asTree(r["location_roles"])
		var places []any
		for _, c := range r["locations"].([]any) {
			place := tree{"country": c}
			if c == "North America" {
				place = tree{"area": c}
			}
			if l, ok := labels[c.(string)]; ok {
				place["label"] = l
				delete(labels, c.(string))
			}
			for role, countries := range roles {
				if i := slices.Index(countries.([]any), c); i >= 0 {
					place["role"] = role
					roles[role] = slices.Delete(countries.([]any), i, i+1)
				}
			}
			places = append(places, place)
		}
		row := tree{"locations": places}
		for _, countries := range roles { // what is left belongs to no location of the row
			if len(countries.([]any)) > 0 {
				row["left"] = countries
			}
		}
		if len(labels) > 0 {
			row["left"] = labels
		}
		sub := tree{}
		for k, v := range r {
			switch {
			case k == "locations" || k == "location_labels" || k == "location_roles":
			case slices.Contains(own, k):
				row[k] = v
			default:
				sub[k] = v
			}
		}
		rename(sub, "services", "services_printed")
		rename(sub, "links_ref", "link_set")
		row["sub_processor"] = sub
		n["subprocessors"].([]any)[i] = row
	}
	return n
}

// missing walks want and says what got doesn't hold of it.
func missing(path string, want, got any) (out []string) {
	switch want := want.(type) {
	case tree:
		g, ok := got.(tree)
		if !ok {
			return []string{path}
		}
		for _, k := range slices.Sorted(maps.Keys(want)) {
			out = append(out, missing(path+"."+k, want[k], g[k])...)
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(want) {
			return []string{fmt.Sprintf("%s: %d items, want %d", path, len(g), len(want))}
		}
		for i, w := range want { // order is a fact too
			out = append(out, missing(fmt.Sprintf("%s[%d]", path, i), w, g[i])...)
		}
	default:
		if g, ok := got.(tree); ok && len(g) == 1 { // a bare id stands for {id: …} and nothing else
			for _, v := range g {
				got = v
			}
		}
		if got == nil || fmt.Sprint(want) != fmt.Sprint(got) {
			return []string{fmt.Sprintf("%s: want %v, got %v", path, want, got)}
		}
	}
	return out
}

// compare looks for every top-level key of want at its place in got.
func compare(want, got tree, places map[string]string, elsewhere string) (out []string) {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		place, ok := places[k]
		if !ok {
			place = elsewhere + "." + k
		}
		at := any(got)
		for key := range strings.SplitSeq(place, ".") {
			at = asTree(at)[key]
		}
		out = append(out, missing(k, want[k], at)...)
	}
	return out
}

func compareNotice(in, got tree) []string {
	return compare(shapeNotice(in), got, noticePlaces, "notice")
}

func comparePage(in, got tree) []string {
	return compare(shapePage(in), got, pagePlaces, "unmapped")
}

func TestTheExampleHoldsEveryFact(t *testing.T) {
	p := example(t)
	got := declared(t, p)
	notice, page := facts(t, "notice-2026.yaml"), facts(t, "subprocessors.yaml")
	for _, m := range compareNotice(notice, got) {
		t.Errorf("notice-2026.yaml: %s", m)
	}
	for _, m := range comparePage(page, got) {
		t.Errorf("subprocessors.yaml: %s", m)
	}
	for _, tt := range []struct {
		what      string
		got, want int
	}{
		{"categories", len(p.Categories), 19}, {"purposes", len(p.Purposes), 8},
		{"classes of recipients", len(got["classes"].([]any)), 7}, {"sub-processor rows", len(got["rows"].([]any)), 26},
		{"groups of rights", len(p.Rights.Groups), 5}, {"mechanisms", len(got["mechanisms"].([]any)), 5},
		{"leaves of the notice", leaves(notice), 764}, {"leaves of the sub-processor list", leaves(page), 385},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, tt.got, tt.want)
		}
	}
}

// TestTheWalkSeesEveryLeaf changes each leaf of the facts in turn: if the walk says nothing, it
// didn't look there.
func TestTheWalkSeesEveryLeaf(t *testing.T) {
	got := declared(t, example(t))
	for name, compare := range map[string]func(in, got tree) []string{"notice-2026.yaml": compareNotice, "subprocessors.yaml": comparePage} {
		in := facts(t, name)
		n := 0
		eachLeaf(in, name, func(path string, set func(any), old any) {
			n++
			set("something else")
			if len(compare(in, got)) == 0 {
				t.Errorf("%s: changed, and nobody saw it", path)
			}
			set(old)
		})
		if n != leaves(in) || n < 300 {
			t.Errorf("%s: only %d leaves were changed", name, n)
		}
	}
}

func TestTheRowsHoldTogether(t *testing.T) { // the page's derived checks d1 to d5
	p := example(t)
	pick := func(f func(*programme.Recipient) bool) (ids []string) {
		for i := range p.Recipients {
			if p.Recipients[i].SubProcessor != nil && f(&p.Recipients[i]) {
				ids = append(ids, p.Recipients[i].ID)
			}
		}
		return ids
	}
	for _, tt := range []struct {
		name string
		got  []string
		want []string
	}{
		{"d1, the regional product", pick(func(r *programme.Recipient) bool { return r.SubProcessor.RegionSelectable == "regional_product" }), []string{"sp-02", "sp-03", "sp-04", "sp-14", "sp-26"}},
		{"d1, its footnote", pick(func(r *programme.Recipient) bool { return slices.Contains(r.SubProcessor.Footnotes, "regional") }), []string{"sp-02", "sp-03", "sp-04", "sp-14", "sp-26"}},
		{"d2, the customer picks", pick(func(r *programme.Recipient) bool { return r.SubProcessor.RegionSelectable == "customer_choice" }), []string{"sp-07", "sp-13"}},
		{"d3, artificial intelligence", pick(func(r *programme.Recipient) bool { return r.SubProcessor.AI }), []string{"sp-11", "sp-17", "sp-18", "sp-19"}},
		{"d5, an area is no country", pick(func(r *programme.Recipient) bool { return r.Locations[0].Area != "" && r.Locations[0].Country == "" }), []string{"sp-23", "sp-24", "sp-25"}},
		{"the group's own", pick(func(r *programme.Recipient) bool { return r.SubProcessor.GroupCompany }), []string{"sp-26"}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	eu := []string{"IE", "BE", "DE", "DK", "FI", "NL", "PL"}
	for _, l := range p.Recipient("sp-13").Locations {
		if slices.Contains(eu, l.Country) || l.Country == "" {
			t.Errorf("sp-13 has %+v: the source calls it EU, and it is not", l)
		}
	}
	for _, id := range pick(func(r *programme.Recipient) bool {
		return slices.ContainsFunc(r.SubProcessor.ServicesPrinted, func(s string) bool { return strings.Contains(s, "SendGrid") })
	}) { // d4
		if p.Recipient(id).SubProcessor.RegionSelectable != "none" {
			t.Errorf("%s: e-mail has no regional footnote on this list", id)
		}
	}
}

func leaves(v any) (n int) {
	eachLeaf(v, "", func(string, func(any), any) { n++ })
	return n
}

// eachLeaf calls f with each scalar under v and a way to set it.
func eachLeaf(v any, path string, f func(path string, set func(any), old any)) {
	visit := func(path string, child any, set func(any)) {
		switch child.(type) {
		case tree, []any:
			eachLeaf(child, path, f)
		default:
			f(path, set, child)
		}
	}
	switch v := v.(type) {
	case tree:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			visit(path+"."+k, v[k], func(x any) { v[k] = x })
		}
	case []any:
		for i := range v {
			visit(fmt.Sprintf("%s[%d]", path, i), v[i], func(x any) { v[i] = x })
		}
	}
}

func copyOf(v any) any {
	switch v := v.(type) {
	case tree:
		out := make(tree, len(v))
		for k, e := range v {
			out[k] = copyOf(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = copyOf(e)
		}
		return out
	}
	return v
}

func exchange(n tree, path []string, swap map[string]string) {
	for _, k := range path[:len(path)-1] {
		n = asTree(n[k])
	}
	last := path[len(path)-1]
	if s, ok := n[last].(string); ok && swap[s] != "" {
		n[last] = swap[s]
	}
}

func rename(n tree, from, to string) {
	if v, ok := n[from]; ok && from != to {
		n[to] = v
		delete(n, from)
	}
}

func listed(n tree, from, to string) {
	if v, ok := n[from]; ok {
		if reflect.TypeOf(v).Kind() != reflect.Slice {
			v = []any{v}
		}
		delete(n, from)
		n[to] = v
	}
}

func asTree(v any) tree { t, _ := v.(tree); return t }
