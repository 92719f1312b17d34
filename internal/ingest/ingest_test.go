package ingest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

func compile(t testing.TB, rules ...ingest.Rule) *ingest.Kind {
	t.Helper()
	k, err := ingest.Compile("svc", "kind", rules)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// split returns the fragments of src by "category/owner".
func split(t testing.TB, k *ingest.Kind, src string) map[string]string {
	t.Helper()
	b := ingest.NewBatch()
	defer b.Release()
	if err := b.Doc.ParseAll([]byte(src), scan.Limits{}); err != nil {
		t.Fatal(err)
	}
	e := b.Add(0)
	e.Kind = k
	b.Split(e, 0)
	got := map[string]string{}
	for i, f := range e.Fragments {
		got[f.Category+"/"+f.Owner] = string(f.JSON)
		if k.Parts()[f.Slot] != (ingest.Part{Category: f.Category, Owner: f.Owner}) || e.Slots>>f.Slot&1 == 0 || i > 0 && e.Fragments[i-1].Slot >= f.Slot {
			t.Errorf("fragment %d is not where its slot says", i)
		}
	}
	return got
}

func TestSplit(t *testing.T) {
	k := compile(t,
		ingest.Rule{Path: "to", Category: "contact", Owner: term.RoleRecipient},
		ingest.Rule{Path: "traits", Category: "profile"},
		ingest.Rule{Path: "traits.email", Category: "contact"},
		ingest.Rule{Path: "traits.*.city", Category: "place"},
		ingest.Rule{Path: "traits.address.city", Category: "home"},
		ingest.Rule{Path: "a.*.c", Category: "deep"},
		ingest.Rule{Path: "a.b", Category: "wide"},
		ingest.Rule{Path: "a.b.*", Category: "any"},
		ingest.Rule{Path: "a longer name", Category: "contact"})
	for _, tt := range []struct {
		name, src string
		want      map[string]string
	}{
		{"each category in its place", `{"to":"x","traits":{"email":"e","age":3,"address":{"city":"D","zip":1},"work":{"city":"C"}}}`, map[string]string{
			"contact/recipient": `{"to":"x"}`, "contact/writer": `{"traits":{"email":"e"}}`, "profile/writer": `{"traits":{"age":3,"address":{"zip":1}}}`,
			"home/writer": `{"traits":{"address":{"city":"D"}}}`, "place/writer": `{"traits":{"work":{"city":"C"}}}`}},
		{"unmapped is unclassified, whole", `{"x":{"email":1},"y":[{"to":1}]}`, map[string]string{"unclassified/writer": `{"x":{"email":1},"y":[{"to":1}]}`}},
		{"values as sent", `{ "traits" : { "age" : 1.50e1 , "x":"\u00e9" } }`, map[string]string{"profile/writer": `{ "traits" : { "age" : 1.50e1 , "x":"\u00e9" } }`}},
		{"an escaped name is the same name", `{"tr\u0061its":{"\u0065mail":"e"},"z":0}`, map[string]string{
			"contact/writer": `{"tr\u0061its":{"\u0065mail":"e"}}`, "unclassified/writer": `{"z":0}`}},
		{"an empty object is kept", `{"traits":{},"z":{}}`, map[string]string{"profile/writer": `{"traits":{}}`, "unclassified/writer": `{"z":{}}`}},
		{"no object where one was expected", `{"traits":"x","a":[1],"z":null}`, map[string]string{"profile/writer": `{"traits":"x"}`, "unclassified/writer": `{"a":[1],"z":null}`}},
		{"the longer rule wins, then the name", `{"a":{"b":{"c":1,"d":2},"e":{"c":3,"d":4},"f":5}}`, map[string]string{
			"any/writer": `{"a":{"b":{"c":1,"d":2}}}`, "deep/writer": `{"a":{"e":{"c":3}}}`, "unclassified/writer": `{"a":{"e":{"d":4},"f":5}}`}},
		{"long names", `{"a longer name":1,"a lunger name":2}`, map[string]string{"contact/writer": `{"a longer name":1}`, "unclassified/writer": `{"a lunger name":2}`}},
		{"nothing", `{}`, map[string]string{"unclassified/writer": `{}`}},
		{"back and forth", `{"traits":{"email":1,"o":{"city":2},"p":3,"q":{"city":4,"r":5},"s":6},"to":7}`, map[string]string{
			"contact/recipient": `{"to":7}`, "contact/writer": `{"traits":{"email":1}}`, "place/writer": `{"traits":{"o":{"city":2},"q":{"city":4}}}`,
			"profile/writer": `{"traits":{"p":3,"q":{"r":5},"s":6}}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := split(t, k, tt.src)
			for part, want := range tt.want {
				if !same(t, got[part], want) {
					t.Errorf("%s: %s, want %s", part, got[part], want)
				}
				delete(got, part)
			}
			if len(got) > 0 {
				t.Errorf("also %v", got)
			}
		})
	}
}

func TestSplitLeavesOutWhatIsDropped(t *testing.T) {
	b := ingest.NewBatch()
	defer b.Release()
	if err := b.Doc.ParseAll([]byte(`{"a":1,"key":"secret","b":2}`), scan.Limits{}); err != nil {
		t.Fatal(err)
	}
	b.Doc.Nodes[b.Doc.Member(0, "key")].Dropped = true
	e := b.Add(0)
	e.Kind = compile(t)
	if b.Split(e, 0); string(e.Fragments[0].JSON) != `{"a":1,"b":2}` {
		t.Errorf("%s", e.Fragments[0].JSON)
	}
}

func TestCompileRefuses(t *testing.T) {
	ok := ingest.Rule{Path: "a", Category: "c"}
	var parts []ingest.Rule
	for i := range ingest.MaxParts {
		parts = append(parts, ingest.Rule{Path: fmt.Sprint("p", i), Category: fmt.Sprint("c", i)})
	}
	var wide []ingest.Rule
	for i := range 20 {
		wide = append(wide, ingest.Rule{Path: strings.Repeat("*.", i) + "x." + strings.Repeat("*.", 20-i) + "y", Category: "c"})
	}
	for _, tt := range []struct {
		reason string
		rules  []ingest.Rule
	}{
		{"kind.bad_path", []ingest.Rule{{Path: "", Category: "c"}}},
		{"kind.bad_path", []ingest.Rule{{Path: "a..b", Category: "c"}}},
		{"kind.path_twice", []ingest.Rule{ok, {Path: "a", Category: "d"}}},
		{"kind.no_category", []ingest.Rule{{Path: "a"}}},
		{"kind.bad_owner", []ingest.Rule{{Path: "a", Category: "c", Owner: "someone"}}},
		{"kind.bad_owner", []ingest.Rule{{Path: "a", Category: "c", Owner: term.RoleOwn}}}, // never a subject
		{"kind.too_many_parts", parts},
		{"kind.too_wide", wide},
	} {
		if _, err := ingest.Compile("s", "k", tt.rules); fault.ReasonOf(err) != tt.reason || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v, want %s", err, tt.reason)
		}
	}
}

func TestMerge(t *testing.T) {
	for _, tt := range []struct{ fragments, want string }{
		{`{"a":1}`, `{"a":1}`},
		{`{"a":{"b":1},"x":0} {"a":{"c":{"d":2}}} {"a":{"c":{"e":3}},"y":[]}`, `{"a":{"b":1,"c":{"d":2,"e":3}},"x":0,"y":[]}`},
		{`{"tr\u0061its":{"a":1}} {"traits":{"b":2}}`, `{"traits":{"a":1,"b":2}}`},
		{`{} {}`, `{}`},
		{``, `{}`},
	} {
		var fragments [][]byte
		for _, f := range strings.Fields(tt.fragments) {
			fragments = append(fragments, []byte(f))
		}
		got, err := ingest.Merge(fragments)
		if err != nil || !same(t, string(got), tt.want) {
			t.Errorf("%s: %s, %v; want %s", tt.fragments, got, err, tt.want)
		}
	}
	for _, bad := range [][]string{{`{"a":1}`, `{"a":1}`}, {`{"a":{}}`, `{"a":1}`}, {`[]`}, {`{`}, {`{"a":1}`, `x`}} {
		var fragments [][]byte
		for _, f := range bad {
			fragments = append(fragments, []byte(f))
		}
		if got, err := ingest.Merge(fragments); err == nil {
			t.Errorf("%v merged to %s", bad, got)
		}
	}
}

func TestMergeTakesManyMembers(t *testing.T) {
	var a, b []string
	for i := range 3000 {
		a, b = append(a, fmt.Sprintf(`"a%d":{"x":1}`, i)), append(b, fmt.Sprintf(`"a%d":{"y":2}`, i))
	}
	got, err := ingest.Merge([][]byte{[]byte("{" + strings.Join(a, ",") + "}"), []byte("{" + strings.Join(b, ",") + "}")})
	var v map[string]map[string]int
	if err != nil || json.Unmarshal(got, &v) != nil || len(v) != 3000 || v["a2999"]["y"] != 2 {
		t.Errorf("%d members, %v", len(v), err)
	}
}

// same says whether two texts mean the same JSON.
func same(t testing.TB, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		return false
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return cmp.Equal(x, y)
}

// TestMergeUndoesSplit is the property that reads rely on, for any rules and any object.
func TestMergeUndoesSplit(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c", "a longer name", "another long name", "é\n", ""})
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaf := []*rapid.Generator[any]{rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int32().AsAny(), rapid.String().AsAny()}
		if depth == 0 {
			return rapid.OneOf(leaf...)
		}
		return rapid.OneOf(append(leaf, rapid.MapOfN(name, rapid.Deferred(func() *rapid.Generator[any] { return value(depth - 1) }), 0, 5).AsAny(),
			rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return value(depth - 1) }), 0, 3).AsAny())...)
	}
	object := rapid.MapOfN(name, value(4), 0, 7)
	rule := rapid.Custom(func(t *rapid.T) ingest.Rule {
		path := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "a longer name", "*"}), 1, 4).Draw(t, "path")
		return ingest.Rule{Path: strings.Join(path, "."), Category: rapid.SampledFrom([]string{"p", "q", "r", "unclassified"}).Draw(t, "category"),
			Owner: rapid.SampledFrom([]string{"", term.OwnerNobody, term.RoleRecipient}).Draw(t, "owner")}
	})
	rapid.Check(t, func(rt *rapid.T) {
		rules := rapid.SliceOfNDistinct(rule, 0, 12, func(r ingest.Rule) string { return r.Path }).Draw(rt, "rules")
		k := compile(t, rules...)
		v := object.Draw(rt, "object")
		src, err := json.Marshal(v)
		if err != nil {
			rt.Fatal(err)
		}
		var fragments [][]byte
		for part, f := range split(t, k, string(src)) {
			fragments = append(fragments, []byte(f))
			obeys(rt, k, rules, part, f)
		}
		got, err := ingest.Merge(fragments)
		if err != nil || !same(t, string(got), string(src)) {
			rt.Fatalf("%s became %s, %v", src, got, err)
		}
	})
}

// obeys holds every leaf of a fragment against the rules, chosen here by trying all of them.
func obeys(t *rapid.T, k *ingest.Kind, rules []ingest.Rule, part, fragment string) {
	var walk func(path []string, v any)
	walk = func(path []string, v any) {
		if m, ok := v.(map[string]any); ok && len(m) > 0 {
			for name, v := range m {
				walk(append(slices.Clip(path), name), v)
			}
			return
		}
		want, best := "unclassified/writer", []string(nil)
		for _, r := range rules {
			p := strings.Split(r.Path, ".")
			if covers(p, path) && (best == nil || better(p, best)) {
				owner := r.Owner
				if owner == "" {
					owner = term.OwnerWriter
				}
				want, best = r.Category+"/"+owner, p
			}
		}
		if len(path) > 0 && want != part {
			t.Fatalf("%q is in %s, want %s", path, part, want)
		}
	}
	var v any
	if err := json.Unmarshal([]byte(fragment), &v); err != nil {
		t.Fatal(err)
	}
	walk(nil, v)
}

func covers(rule, path []string) bool {
	if len(rule) > len(path) {
		return false
	}
	for i, name := range rule {
		if name != "*" && name != path[i] {
			return false
		}
	}
	return true
}

func better(a, b []string) bool {
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	for i := range a {
		if (a[i] == "*") != (b[i] == "*") {
			return b[i] == "*"
		}
	}
	return false
}

func TestMaskPath(t *testing.T) {
	k := compile(t, ingest.Rule{Path: "traits.*.city", Category: "c"})
	for path, want := range map[string]string{
		"": "", "traits": "traits", "traits.aoife@example.com.city": "traits.*.*.city", "traits.bob": "traits.*", "subjects.12": "*.12",
		"447700900101": "*", "12345": "*", "traits.": "traits.*",
	} {
		if got := ingest.MaskPath(path, k.Knows); got != want {
			t.Errorf("%q shows as %q, want %q", path, got, want)
		}
	}
	var none *ingest.Kind
	if none.Knows("traits") {
		t.Error("no kind knows a name")
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-22T06:45:14.789Z": "2026-11-22T06:45:14.789Z", "2026-11-22T06:45:14Z": "2026-11-22T06:45:14Z",
		"2026-11-22t06:45:14.7891234z": "2026-11-22T06:45:14.789Z", "2026-11-22 06:45:14,5+01:30": "2026-11-22T05:15:14.5Z",
		"2026-11-22T06:45:14-0800": "2026-11-22T14:45:14Z", "2026-11-22T06:45+02": "2026-11-22T04:45:00Z", "2026-11-22T06:45:14.1": "2026-11-22T06:45:14.1Z",
		"2026-11-22": "2026-11-22T00:00:00Z", "2024-02-29": "2024-02-29T00:00:00Z", "2000-02-29": "2000-02-29T00:00:00Z", "1970-01-01T00:00:00.001Z": "1970-01-01T00:00:00.001Z",
		"9999-12-31T23:59:59.999Z": "9999-12-31T23:59:59.999Z", "2016-12-31T23:59:60Z": "2017-01-01T00:00:00Z",
	} {
		if got := time.UnixMilli(ingest.ParseTime([]byte(text))).UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("%s reads as %s, want %s", text, got, want)
		}
	}
	for _, bad := range []string{"", "yesterday", "1795329914789", "2026-13-01", "2026-00-01", "2026-02-29", "1900-02-29", "2026-11-31", "2026-11-22T24:00:00Z",
		"2026-11-22T06:60:00Z", "2026-11-22T06:45:14.Z", "2026-11-22T06:45:14Zx", "2026-11-22T06:45:14+1", "2026-11-22T06:45:14+25:00", "2026-1-22",
		"2026-11-22T6:45:14Z", "1969-12-31T23:59:59Z", "-001-01-01", "2026-11-22T"} {
		if got := ingest.ParseTime([]byte(bad)); got != -1 {
			t.Errorf("%q reads as %d", bad, got)
		}
	}
}

// FuzzParseTime holds ParseTime against time.Parse on what both read.
func FuzzParseTime(f *testing.F) {
	f.Add("2026-11-22T06:45:14.789Z")
	f.Add("0001-02-28T23:59:59+23:59")
	f.Fuzz(func(t *testing.T, s string) {
		got := ingest.ParseTime([]byte(s))
		if got < -1 || got == 0 {
			t.Fatalf("%d", got)
		}
		if strings.IndexByte(s, ':') != len("2006-01-02T15") || strings.Contains(s, ",") {
			return // time.Parse lets hours of one digit and commas pass, which RFC 3339 has not
		}
		if want, err := time.Parse(time.RFC3339Nano, s); err == nil && want.UnixMilli() > 0 && got != want.UnixMilli() {
			t.Errorf("%q: %d, want %d", s, got, want.UnixMilli())
		}
	})
}

func TestOccurred(t *testing.T) {
	const received = "2026-11-22T12:00:00Z"
	at := func(s string) int64 {
		if s == "" {
			return 0
		}
		return ingest.ParseTime([]byte(s))
	}
	for _, tt := range []struct {
		name, at, sent, want string
		skewed               bool
	}{
		{"clock right", "2026-11-22T11:59:50Z", "2026-11-22T11:59:58Z", "2026-11-22T11:59:52Z", false},
		{"a year behind", "2025-11-22T11:59:50Z", "2025-11-22T11:59:58Z", "2026-11-22T11:59:52Z", true},
		{"a year ahead", "2027-11-22T11:59:50Z", "2027-11-22T11:59:58Z", "2026-11-22T11:59:52Z", true},
		{"a clock that was reset", "1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z", "2026-11-22T11:59:50Z", true},
		{"the last year there is", "9999-12-31T23:59:50Z", "9999-12-31T23:59:58Z", "2026-11-22T11:59:52Z", true},
		{"history", "2024-01-05T10:00:00Z", "2026-11-22T12:00:00Z", "2024-01-05T10:00:00Z", false},
		{"after it was sent", "2026-11-22T12:00:05Z", "2026-11-22T12:00:00Z", received, false},
		{"a week after it was sent", "2026-11-29T12:00:00Z", "2026-11-22T12:00:00Z", received, true},
		{"absurdly long before", "1971-01-01T00:00:00Z", "2026-11-22T12:00:00Z", received, true},
		{"no time of sending", "2026-11-22T11:00:00Z", "", "2026-11-22T11:00:00Z", false},
		{"no time of sending, ahead", "2030-01-01T00:00:00Z", "", received, true},
		{"no time of sending, a little ahead", "2026-11-22T12:00:01Z", "", received, false},
		{"no time of sending, reset", "1980-01-01T00:00:00Z", "", received, true},
		{"no time", "", "2026-11-22T12:00:00Z", received, false},
		{"nothing", "", "", received, false},
		{"no such time", "soon", "2026-11-22T12:00:00Z", received, true},
		{"no such time of sending", "2026-11-22T11:00:00Z", "now", "2026-11-22T11:00:00Z", true},
	} {
		got, skewed := ingest.Times{At: at(tt.at), Sent: at(tt.sent)}.Occurred(at(received))
		if got != at(tt.want) || skewed != tt.skewed {
			t.Errorf("%s: %s %v, want %s %v", tt.name, time.UnixMilli(got).UTC().Format(time.RFC3339), skewed, tt.want, tt.skewed)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		now := at(received)
		got, _ := ingest.Times{At: rapid.Int64Min(-1).Draw(t, "at"), Sent: rapid.Int64Min(-1).Draw(t, "sent")}.Occurred(now)
		if got < 0 || got > now {
			t.Fatalf("%d is absurd", got)
		}
	})
}

func TestPathOfARefusalIsMasked(t *testing.T) {
	b := ingest.NewBatch()
	defer b.Release()
	b.Words = func(name string) bool { return name == "context" }
	e := b.Add(3)
	e.Kind = compile(t, ingest.Rule{Path: "traits.email", Category: "c"})
	b.Identify(e, term.Email, term.RoleSubject, []byte("x"))
	b.Refuse(e, "event.duplicate_member", "context.traits.aoife.email")
	if got := b.Path(e); got != "context.traits.*.email" {
		t.Errorf("path %q", got)
	}
	if e.Index != 3 || e.Refused.Index != 3 || len(e.Identifiers) != 0 || len(e.Fragments) != 0 {
		t.Errorf("a refused event holds %+v", e)
	}
}

func BenchmarkMerge(b *testing.B) {
	fragments := [][]byte{[]byte(`{"userId":"u-1"}`), []byte(`{"event":"Order Completed","properties":{"order_id":"o-1","revenue":12.5,"currency":"EUR"}}`),
		[]byte(`{"context":{"ip":"192.0.2.1","userAgent":"Mozilla/5.0 (X11; Linux x86_64)"}}`),
		[]byte(`{"timestamp":"2026-11-22T06:45:14.789Z","type":"track","context":{"locale":"en-IE"},"messageId":"node-next-1-2-3-4"}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ingest.Merge(fragments); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzMerge: what merges is JSON, and a fragment by itself means what it meant.
func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1}}`), []byte(`{"a":{"c":2},"d":[]}`))
	f.Add([]byte(`{"\u0061":{}}`), []byte(`{"a":{}}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if got, err := ingest.Merge([][]byte{a, b}); err == nil && (!json.Valid(got) || !json.Valid(a) || !json.Valid(b)) {
			t.Errorf("%s and %s merged to %s", a, b, got)
		}
		if got, err := ingest.Merge([][]byte{a, []byte("{}")}); err == nil && !same(t, string(got), string(a)) {
			t.Errorf("%s became %s", a, got)
		}
	})
}
