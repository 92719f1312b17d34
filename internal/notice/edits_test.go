package notice_test

import (
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goccy/go-yaml"

	"domicile.dev/examples"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
)

// edit changes one place of a programme's files.
type edit struct {
	where string
	how   string
	do    func()
	undo  func()
}

// edits lists, for every leaf and every list below x, what may be done to it. put sets x itself.
func edits(x any, where string, put func(any)) (out []edit) {
	set := func(how string, v any) {
		out = append(out, edit{where, how, func() { put(v) }, func() { put(x) }})
	}
	switch x := x.(type) {
	case yaml.MapSlice:
		for i := range x {
			key := fmt.Sprint(x[i].Key)
			out = append(out, edits(x[i].Value, where+"."+key, func(v any) { x[i].Value = v })...)
			less := slices.Delete(slices.Clone(x), i, i+1)
			out = append(out, edit{where + "." + key, "left out", func() { put(less) }, func() { put(x) }})
		}
	case []any:
		for i := range x {
			out = append(out, edits(x[i], fmt.Sprintf("%s[%d]", where, i), func(v any) { x[i] = v })...)
			set(fmt.Sprintf("without %d", i), slices.Delete(slices.Clone(x), i, i+1))
		}
		if len(x) > 1 {
			turned := slices.Clone(x)
			slices.Reverse(turned)
			set("turned round", turned)
		}
		if s, ok := x[0].(string); ok {
			set("with one more", append(slices.Clone(x), s+"_and_more"))
		}
	case string:
		set("altered", x+" altered")
		set("altered as a word", x+"_altered")
	case bool:
		set("flipped", !x)
	case uint64:
		set("one more", x+1)
	}
	return out
}

// folder is a programme's files, parsed.
type folder struct {
	names []string
	docs  map[string]any
	text  map[string][]byte // as it was written last
}

func open(t testing.TB, from fs.FS) *folder {
	t.Helper()
	f := &folder{docs: map[string]any{}, text: map[string][]byte{}}
	names, err := fs.Glob(from, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := fs.ReadFile(from, n)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.MapSlice
		if err := yaml.UnmarshalWithOptions(b, &doc, yaml.UseOrderedMap()); err != nil {
			t.Fatal(n, err)
		}
		f.names, f.docs[n] = append(f.names, n), doc
	}
	return f
}

// load loads the programme with what was edited.
func (f *folder) load(t testing.TB, edited ...edit) (*programme.Programme, error) {
	t.Helper()
	files := fstest.MapFS{}
	for _, n := range f.names {
		b := f.text[n]
		if b == nil || slices.ContainsFunc(edited, func(e edit) bool { return strings.HasPrefix(e.where, n) }) {
			var err error
			if b, err = yaml.Marshal(f.docs[n]); err != nil {
				t.Fatal(err)
			}
		}
		if len(edited) == 0 {
			f.text[n] = b
		}
		files[n] = &fstest.MapFile{Data: b}
	}
	return programme.Load(files)
}

func (f *folder) edits() (out []edit) {
	for _, n := range f.names {
		out = append(out, edits(f.docs[n], n, func(v any) { f.docs[n] = v })...)
	}
	return out
}

// shown is the page without what names the version.
func shown(t testing.TB, p *programme.Programme) string {
	t.Helper()
	d := notice.New(p)
	d.ID, d.LastUpdated, d.Supersedes, d.Programme = "", "", "", ""
	b, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func ids(d *notice.Diff) (out []string) {
	for _, c := range d.Changes {
		out = append(out, c.What+" "+c.How+" "+c.ID)
	}
	return out
}

// allEdits takes minutes; without it one in sixteen is tried, other ones each time.
var allEdits = flag.Bool("all-edits", false, "try every edit of a programme, not some of them")

// Every edit of a valid programme that shows on the page is told, and what is told shows.
func TestEveryEditThatShowsIsTold(t *testing.T) {
	f := open(t, examples.Communications2025())
	before, err := f.load(t)
	if err != nil {
		t.Fatal(err)
	}
	was := shown(t, before)
	tried, seen, every := 0, 0, 16
	if *allEdits {
		every = 1
	}
	all := f.edits()
	for i := rand.IntN(every); i < len(all); i += every {
		e := all[i]
		e.do()
		after, err := f.load(t, e)
		e.undo()
		if err != nil {
			continue // no programme any more
		}
		tried++
		now, d := shown(t, after), notice.Compare(before, after)
		if now != was {
			seen++
		}
		if (now != was) != (len(d.Changes) > 0) {
			t.Errorf("%s %s: the page differs: %t; told: %v", e.where, e.how, now != was, ids(d))
		}
		if now != was && len(d.Lines) == 0 && !allReordered(d) {
			t.Errorf("%s %s: nothing stands side by side: %v", e.where, e.how, ids(d))
		}
	}
	t.Logf("%d edits, %d of them show", tried, seen)
	if seen*every < 400 {
		t.Errorf("only %d edits show", seen)
	}
}

func allReordered(d *notice.Diff) bool {
	return !slices.ContainsFunc(d.Changes, func(c notice.Change) bool { return c.How != notice.Reordered })
}

// One edit doesn't hide another: what is told of each is told of both.
func TestNoEditHidesAnother(t *testing.T) {
	f := open(t, examples.Communications2025())
	before, err := f.load(t)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.DeleteFunc(f.edits(), func(e edit) bool {
		return !strings.HasPrefix(e.how, "altered") && e.how != "with one more" && e.how != "flipped"
	})
	for pairs := 0; pairs < 15; {
		a, b := all[rand.IntN(len(all))], all[rand.IntN(len(all))]
		if a.where == b.where || strings.HasPrefix(a.where, b.where) || strings.HasPrefix(b.where, a.where) {
			continue
		}
		var told [3][]string
		ok := true
		for i, some := range [][]edit{{a}, {b}, {a, b}} {
			for _, e := range some {
				e.do()
			}
			after, err := f.load(t, some...)
			for _, e := range slices.Backward(some) {
				e.undo()
			}
			if ok = err == nil; !ok {
				break
			}
			told[i] = ids(notice.Compare(before, after))
		}
		if !ok {
			continue
		}
		pairs++
		for _, x := range append(told[0], told[1]...) {
			if !slices.Contains(told[2], x) {
				t.Errorf("%s %s and %s %s: %q is not told: %v", a.where, a.how, b.where, b.how, x, told[2])
			}
		}
	}
}
