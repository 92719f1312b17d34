package notice_test

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/notice"
)

// leaves calls each with every text of a fact and the keys above it, but those below a key in not.
func leaves(x any, at string, not []string, each func(at, text string)) {
	switch x := x.(type) {
	case tree:
		for k, v := range x {
			if !slices.Contains(not, k) {
				leaves(v, at+"."+k, not, each)
			}
		}
	case []any:
		for _, v := range x {
			leaves(v, at, not, each)
		}
	case string:
		each(at, x)
	}
}

// plainText is the text of a page in lower case, without markup.
func plainText(t *testing.T, page []byte) string {
	t.Helper()
	var b strings.Builder
	in := true
	for _, r := range string(page) {
		switch {
		case r == '<':
			in = false
		case r == '>':
			in = true
		case in:
			b.WriteRune(r)
		}
	}
	return strings.ToLower(html.UnescapeString(b.String()))
}

// Not only the names: every text that the facts have of a category, purpose, recipient or right is on its
// page, but for what is listed here.
func TestEveryTextOfTheFactsIsOnThePage(t *testing.T) {
	unsaid := map[string][]string{ // keys that are said otherwise, or for which the format has no place
		"notice-2025.yaml": {"id", "source", "parent", "categories", "flow", "via", "quirk"},
		"notice-2026.yaml": {"id", "source", "parent", "categories", "children", "quirk"},
	}
	for _, ed := range editions {
		t.Run(ed.facts, func(t *testing.T) {
			f := factsOf(t, ed.facts)
			page, err := notice.New(load(t, ed.from())).HTML()
			if err != nil {
				t.Fatal(err)
			}
			text, n := plainText(t, page), 0
			for _, list := range []string{"categories", "purposes", "recipients", "rights"} {
				for _, x := range f[list].([]any) {
					leaves(x, fmt.Sprint(list, ".", x.(tree)["id"], x.(tree)["group"]), unsaid[ed.facts], func(at, v string) {
						n++
						if !strings.Contains(text, strings.ToLower(notice.Words(v))) && !strings.Contains(text, strings.ToLower(v)) {
							t.Errorf("%s: %q is not on the page", at, v)
						}
					})
				}
			}
			if n < 150 {
				t.Errorf("only %d texts were looked for", n)
			}
		})
	}
}

func TestEveryTextOfASubProcessorIsOnItsPage(t *testing.T) {
	page, err := notice.SubProcessors(load(t, examples.Communications())).HTML()
	if err != nil {
		t.Fatal(err)
	}
	text, n, quirks := plainText(t, page), 0, 0
	f := factsOf(t, "subprocessors.yaml")
	for _, x := range f["subprocessors"].([]any) {
		row := x.(tree)
		leaves(row, row["id"].(string), []string{"id", "section", "region_selectable", "links_ref", "footnotes"}, func(at, v string) {
			n++
			if !strings.Contains(text, strings.ToLower(v)) {
				t.Errorf("%s: %q is not on the page", at, v)
			}
		})
		if row["quirk"] != nil {
			quirks++
		}
	}
	if n < 200 || quirks == 0 {
		t.Errorf("only %d texts, %d quirks", n, quirks)
	}
	for _, c := range f["page_commitments"].([]any) {
		if promise := strings.ToLower(c.(tree)["text"].(string)); !strings.Contains(text, promise) {
			t.Errorf("the promise %q is not on the page", promise)
		}
	}
	footnote := strings.ToLower(strings.TrimSpace(f["footnotes"].(tree)["regional"].(string)))
	if got := strings.Count(text, footnote); got == 0 {
		t.Error("the footnote is not on the page")
	}
}
