package notice_test

import (
	"encoding/csv"
	"html"
	"strings"
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/notice"
)

// The rows of the facts are on the page and in the CSV, with their quirks.
func TestEverySubProcessorIsOnItsPage(t *testing.T) {
	d := notice.SubProcessors(load(t, examples.Communications()))
	page, err := d.HTML()
	if err != nil || len(page) > 100_000 {
		t.Fatal(len(page), err)
	}
	text := html.UnescapeString(string(page))
	list, err := notice.SubProcessorsCSV(d)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(list))).ReadAll()
	if err != nil || len(rows) != 27 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	have := entries(d)
	for i, x := range factsOf(t, "subprocessors.yaml")["subprocessors"].([]any) {
		f := x.(tree)
		id := f["id"].(string)
		e, ok := have[f["section"].(string)+"/"+id]
		if !ok || e.Name != f["name"] || rows[i+1][0] != id || rows[i+1][1] != f["name"] {
			t.Errorf("row %s is %+v, in CSV %q", id, e, rows[i+1])
		}
		for _, key := range []string{"subject_matter", "nature", "quirk", "interpretation"} {
			if v, ok := f[key].(string); ok && !strings.Contains(text, v) {
				t.Errorf("%s: %q is not on the page", id, v)
			}
		}
		for _, want := range []struct {
			label string
			n     any
		}{{"Services", f["services"]}, {"Places", f["locations"]}} {
			if l, _ := want.n.([]any); len(values(e, want.label)) != len(l) {
				t.Errorf("%s, %s: %v, want %v", id, want.label, values(e, want.label), l)
			}
		}
		company := map[bool]string{true: "of the group", false: "outside the group"}[f["group_company"].(bool)]
		if got := strings.Join(values(e, "Company"), ""); got != company {
			t.Errorf("%s is a company %s", id, got)
		}
	}
}

func TestEveryRegionIsOnItsPage(t *testing.T) {
	p := load(t, examples.Communications())
	h, err := notice.Regions(p).HTML()
	if err != nil || len(h) > 100_000 {
		t.Fatal(len(h), err)
	}
	for _, r := range p.Regions {
		if !strings.Contains(html.UnescapeString(string(h)), r.Name) {
			t.Errorf("%s is not on the page", r.Name)
		}
	}
}
