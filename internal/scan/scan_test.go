package scan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/scan"
)

func TestParseAccepts(t *testing.T) {
	for _, src := range []string{
		`{}`, `[]`, `null`, `true`, `false`, `0`, `-0`, `-1.5e+10`, `1E5`, `""`, ` {"a" : [ 1 , {"b":[]} ] } `,
		`{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}`, `"\ud800"`, `"\uD83D\uDE00"`, `"Ünïcode 😀"`, "\"\x7f\"",
		`{"":1," ":2}`, `{"aaaaaaaaaaaaaaaab":1,"aaaaaaaaaaaaaaaac":2}`,
	} {
		var d scan.Doc
		if err := d.ParseAll([]byte(src), scan.Limits{}); err != nil {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		src  string
		code scan.Code
		path string
	}{
		{``, scan.Truncated, ""},
		{`{`, scan.Truncated, ""},
		{`{"a":[1,{"b":"c`, scan.Truncated, "a.b"},
		{`"\u12`, scan.Truncated, ""},
		{`tru`, scan.Truncated, ""},
		{`{"a":1} x`, scan.Syntax, ""},
		{`{a:1}`, scan.Syntax, ""},
		{`{"a":1,}`, scan.Syntax, ""},
		{`[1,]`, scan.Syntax, ""},
		{`01`, scan.Syntax, ""},
		{`1.`, scan.Truncated, ""},
		{`[1.]`, scan.Syntax, ""},
		{`+1`, scan.Syntax, ""},
		{`nul!`, scan.Syntax, ""},
		{`"\x41"`, scan.Syntax, ""},
		{"\"a\nb\"", scan.Syntax, ""},
		{"\"longer than a word\x01\"", scan.Syntax, ""},
		{"\ufeff{}", scan.Syntax, ""},
		{`{"a":1,"a":2}`, scan.Duplicate, "a"},
		{`{"a":{"bc":1,"\u0062\u0063":2}}`, scan.Duplicate, "a.bc"},
		{`{"l":[0,{"a":1,"a":2}]}`, scan.Duplicate, "l.a"},
		{`{"\ud800":1,"\ud801":2}`, scan.Duplicate, "\ufffd"},
		{"{\"a\":\"\xff\"}", scan.BadUTF8, ""},
		{"{\"a\":\"\xed\xa0\x80\"}", scan.BadUTF8, ""}, // a surrogate in UTF-8 is no UTF-8
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), scan.TooDeep, ""},
		{strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), scan.TooDeep, strings.TrimSuffix(strings.Repeat("a.", 64), ".")},
	} {
		var d scan.Doc
		var e *scan.Error
		if err := d.ParseAll([]byte(tt.src), scan.Limits{}); !errors.As(err, &e) || e.Code != tt.code {
			t.Errorf("%.40q: %v, want code %d", tt.src, err, tt.code)
		} else if d.Path() != tt.path {
			t.Errorf("%.40q: path %q, want %q", tt.src, d.Path(), tt.path)
		}
	}
}

func TestParseFindsADuplicateAmongMany(t *testing.T) {
	for _, n := range []int{2, 23, 24, 25, 26, 100, 5000} {
		for _, same := range []int{0, n / 2, n - 1} {
			src := []byte(`{"in":`)
			src = fmt.Append(src, object(n), `,"out":{`)
			src = fmt.Appendf(src, `%s,"member%05d":0}}`, object(n)[1:len(object(n))-1], same)
			var d scan.Doc
			var e *scan.Error
			if err := d.ParseAll(src, scan.Limits{}); !errors.As(err, &e) || e.Code != scan.Duplicate {
				t.Fatalf("%d members, duplicate of %d: %v", n, same, err)
			}
			if err := d.ParseAll([]byte(object(n)), scan.Limits{}); err != nil {
				t.Fatalf("%d members: %v", n, err)
			}
		}
	}
	var d scan.Doc
	if err := d.ParseAll([]byte(object(11)), scan.Limits{Members: 10}); err == nil {
		t.Error("11 members where 10 are allowed were accepted")
	}
}

// object has n members, each of which holds a small and one a large object.
func object(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"member%05d":{"x":[{"y":1}]}`, i)
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

func TestNodesSayWhereValuesLie(t *testing.T) {
	src := []byte(`{"a":{"b\n":"x\ty","c":[{"d":1}]},"longer name":null,"z":-2e3}`)
	var d scan.Doc
	if err := d.ParseAll(src, scan.Limits{}); err != nil {
		t.Fatal(err)
	}
	type row struct {
		Parent int32
		Key    string
		Raw    string
		Kind   scan.Kind
	}
	var got []row
	for i, n := range d.Nodes {
		got = append(got, row{n.Parent, string(d.Key(i)), string(d.Raw(i)), n.Kind})
	}
	want := []row{
		{-1, "", string(src), scan.Object},
		{0, "a", `{"b\n":"x\ty","c":[{"d":1}]}`, scan.Object},
		{1, "b\n", `"x\ty"`, scan.String},
		{1, "c", `[{"d":1}]`, scan.Array},
		{0, "longer name", "null", scan.Null},
		{0, "z", "-2e3", scan.Number},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var scratch []byte
	if text, whole := d.Text(d.Member(1, "b\n"), &scratch); string(text) != "x\ty" || !whole {
		t.Errorf("text %q, whole %v", text, whole)
	}
	if i := d.Member(0, "b\n"); i != -1 {
		t.Errorf("a member of a member was found: %d", i)
	}
	d.Nodes[1].Dropped = true
	if i := d.Member(0, "a"); i != -1 {
		t.Errorf("a dropped member was found: %d", i)
	}
}

func TestUnquote(t *testing.T) {
	for _, tt := range []struct {
		raw, want string
		whole     bool
	}{
		{`plain`, "plain", true},
		{`\"\\\/\b\f\n\r\t`, "\"\\/\b\f\n\r\t", true},
		{`\u00e9\ud83d\ude00!`, "é😀!", true},
		{`\ud83d`, "\ufffd", false},
		{`\ud83d\u0041`, "\ufffdA", false},
		{`\ude00\ud83d\ude00`, "\ufffd😀", false},
		{`\ufffd`, "\ufffd", true},
	} {
		got, whole := scan.Unquote(nil, []byte(tt.raw))
		if string(got) != tt.want || whole != tt.whole {
			t.Errorf("%s: %q %v, want %q %v", tt.raw, got, whole, tt.want, tt.whole)
		}
	}
}

func TestFingerprintTellsShortNamesApart(t *testing.T) {
	seen := map[uint64]string{}
	for _, name := range []string{"", "a", "b", "ab", "ba", "userId", "user_id", "traits", "context", "messageId", "anonymousId", "previousId"} {
		if other, ok := seen[scan.Fingerprint([]byte(name))]; ok {
			t.Errorf("%q and %q look the same", name, other)
		}
		seen[scan.Fingerprint([]byte(name))] = name
	}
}

func TestSkipTakesWhatIsOnlyTooStrictForParse(t *testing.T) {
	for _, src := range []string{
		strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		strings.Repeat(`{"a":[`, 5000) + strings.Repeat("]}", 5000),
		`{"a":1,"a":2}`, "{\"a\":\"\xff\"}",
	} {
		if end, err := scan.Skip([]byte(src+",next"), 0); err != nil || end != len(src) {
			t.Errorf("%.20q: end %d, %v; want %d", src, end, err, len(src))
		}
		var d scan.Doc
		var e *scan.Error
		if err := d.ParseAll([]byte(src), scan.Limits{}); !errors.As(err, &e) || !e.Sound() {
			t.Errorf("%.20q: %v, want an error that is sound", src, err)
		}
	}
}

// FuzzParse holds Parse and Skip against encoding/json: the same texts, but for the stricter rules.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e-3,{"b":null}],"c":"\u00e9\ud83d"}`, `{"a":1,"\u0061":2}`, `[[[[]]]]`, "\"\xff\"", `-0.0E+1 `, `{"a":{}`, `"\uD83D\uDE00"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var d scan.Doc
		err := d.ParseAll(src, scan.Limits{Depth: 200, Members: 1 << 30})
		end, skipErr := scan.Skip(src, 0)
		skips := skipErr == nil && scan.Space(src, end) == len(src)
		if valid := json.Valid(src); valid != skips {
			t.Fatalf("encoding/json says %v, Skip %v (%v)", valid, skips, skipErr)
		} else if !valid {
			if err == nil {
				t.Fatal("Parse accepted what encoding/json refuses")
			}
			return
		}
		depth, twice := shape(t, src)
		if want := utf8.Valid(src) && depth <= 200 && !twice; want != (err == nil) {
			t.Fatalf("Parse: %v; UTF-8 %v, depth %d, duplicates %v", err, utf8.Valid(src), depth, twice)
		}
		if err != nil {
			_ = d.Path()
			return
		}
		for i := range d.Nodes {
			var scratch []byte
			if d.Nodes[i].Kind == scan.String {
				var want string
				got, _ := d.Text(i, &scratch)
				if err := json.Unmarshal(d.Raw(i), &want); err != nil || string(got) != want {
					t.Fatalf("%s read as %q", d.Raw(i), got)
				}
			} else if !json.Valid(d.Raw(i)) {
				t.Fatalf("node %d: %s", i, d.Raw(i))
			}
			if p := d.Nodes[i].Parent; p >= 0 && d.Member(int(p), string(d.Key(i))) != i {
				t.Fatalf("member %q not found under its parent", d.Key(i))
			}
		}
	})
}

// shape reads src with encoding/json and returns its depth and whether an object names a member twice.
func shape(t *testing.T, src []byte) (depth int, twice bool) {
	type level struct {
		names map[string]bool // nil in an array
		key   bool            // a name comes next
	}
	var open []level
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return depth, twice
		} else if err != nil {
			t.Fatal(err)
		}
		if n := len(open) - 1; n >= 0 && open[n].names != nil && tok != json.Delim('}') {
			if open[n].key {
				twice = twice || open[n].names[tok.(string)]
				open[n].names[tok.(string)] = true
			}
			open[n].key = !open[n].key
		}
		switch tok {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}, key: true})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		depth = max(depth, len(open))
	}
}

func FuzzEach(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":2}],"c\n":{}}`))
	f.Add([]byte(`[[],1,"x"]`))
	f.Fuzz(func(t *testing.T, src []byte) {
		skip := func(at int) (int, error) { return scan.Skip(src, at) }
		members, err := scan.EachMember(src, 0, func(_ []byte, at int) (int, error) { return skip(at) })
		elements, err2 := scan.EachElement(src, 0, func(_, at int) (int, error) { return skip(at) })
		end, err3 := scan.Skip(src, 0)
		if i := scan.Space(src, 0); i < len(src) && src[i] == '{' && (err == nil) != (err3 == nil) || err == nil && members != end {
			t.Errorf("EachMember %d %v, Skip %d %v", members, err, end, err3)
		}
		if i := scan.Space(src, 0); i < len(src) && src[i] == '[' && (err2 == nil) != (err3 == nil) || err2 == nil && elements != end {
			t.Errorf("EachElement %d %v, Skip %d %v", elements, err2, end, err3)
		}
	})
}

func TestParseAllocatesNothing(t *testing.T) {
	src := []byte(object(200))
	var d scan.Doc
	parse := func() {
		if err := d.ParseAll(src, scan.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10, parse); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
