package record

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"domicile.dev/internal/id"
)

var update = flag.Bool("update", false, "write the test vectors anew")

func numbered(n uint64) (s id.Subject) {
	if n > 0 {
		binary.BigEndian.PutUint64(s[:], n*0x9e3779b97f4a7c15)
		s[11] = byte(n)
	}
	return s
}

func drawRecord(t *rapid.T, shapes []*Shape, ordinal uint32) *Sealed {
	s := shapes[rapid.IntRange(0, len(shapes)-1).Draw(t, "shape")]
	r := &Sealed{Ordinal: ordinal, Shape: s, OccurredAt: rapid.Int64Range(-1<<50, 1<<50).Draw(t, "occurred")}
	first := rapid.Uint32().Draw(t, "first")
	for i := range s.Categories {
		p := Part{Subject: numbered(rapid.Uint64Range(0, 4).Draw(t, "subject")), N: first + uint32(i)}
		if rapid.IntRange(0, 9).Draw(t, "odd counter") == 0 {
			p.N = rapid.Uint32().Draw(t, "counter")
		}
		if rapid.IntRange(0, 5).Draw(t, "gone") > 0 {
			p.Sealed = rapid.SliceOfN(rapid.Byte(), 1, 30).Draw(t, "sealed")
		}
		r.Parts = append(r.Parts, p)
	}
	return r
}

// TestRowsReadBackAsTheyWereWritten covers removed records, parts that are gone, mixed subjects and
// counters, several chunks in a row, and siblings that are there or not.
func TestRowsReadBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.SampledFrom([][]uint16{{0}, {365}, {0, 365, 30}, {400, 30}}).Draw(t, "classes")
		var shapes []*Shape
		for i := range rapid.IntRange(1, 3).Draw(t, "shapes") {
			s := &Shape{Kind: fmt.Sprint("kind", i), Service: "service", Source: "src"}
			for j, c := range classes { // each shape has all classes of the row
				for range rapid.IntRange(1, 2).Draw(t, "of class") {
					s.Categories, s.Class = append(s.Categories, fmt.Sprint("category", j)), append(s.Class, c)
				}
			}
			shapes = append(shapes, s)
		}
		b := newSetBuilder(classes)
		type want struct {
			c *Chunk
			r *Sealed
		}
		var wants []want
		for range rapid.IntRange(1, 4).Draw(t, "chunks") {
			c := &Chunk{ID: id.NewChunk(), ReceivedAt: rapid.Int64Range(0, 1<<45).Draw(t, "received")}
			ordinal := uint32(0)
			for range rapid.IntRange(1, 8).Draw(t, "records") {
				if rapid.IntRange(0, 4).Draw(t, "removed") == 0 {
					b.addRemoved(c)
					wants = append(wants, want{c, nil})
					continue
				}
				ordinal += uint32(rapid.IntRange(0, 2).Draw(t, "skip"))
				r := drawRecord(t, shapes, ordinal)
				b.add(c, r)
				wants = append(wants, want{c, r})
				ordinal++
			}
		}
		bodies := b.finish()
		missing := make([]bool, len(bodies))
		for i := range bodies[1:] {
			if missing[i+1] = rapid.IntRange(0, 3).Draw(t, "missing") == 0; missing[i+1] {
				bodies[i+1] = nil
			}
		}
		var cache shapeCache
		read := func(skip int) *rowReader {
			r, err := openRow(bodies[0], &cache)
			if err == nil {
				err = r.join(bodies[1:])
			}
			if err == nil {
				err = r.seek(skip)
			}
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		all := read(0)
		if !slices.Equal(all.siblings, classes[1:]) || all.class != classes[0] || all.records != len(wants) {
			t.Fatalf("front = %d %v %d, want %v and %d records", all.class, all.siblings, all.records, classes, len(wants))
		}
		for i, w := range wants {
			for _, r := range []*rowReader{all, read(i)} { // in a walk, and by its index
				var f Found
				var arena []FoundPart
				ok, err := r.next(&f, &arena)
				if err != nil {
					t.Fatalf("record %d: %v", i, err)
				}
				if ok != (w.r != nil) {
					t.Fatalf("record %d: there = %v", i, ok)
				}
				if ok {
					compare(t, &f, w.c, w.r, classes, missing)
				}
			}
		}
		if err := all.check(); err != nil {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func compare(t *rapid.T, f *Found, c *Chunk, r *Sealed, classes []uint16, missing []bool) {
	if f.ID != (id.Record{Chunk: c.ID, Ordinal: r.Ordinal}) || f.OccurredAt != r.OccurredAt || f.ReceivedAt != c.ReceivedAt ||
		f.Kind != r.Shape.Kind || f.Service != r.Shape.Service || !slices.Equal(f.Categories, r.Shape.Categories) {
		t.Fatalf("header = %+v, want %+v of %+v", f, r, c)
	}
	n := 0
	for i, p := range r.Parts {
		if len(p.Sealed) == 0 || missing[slices.Index(classes, r.Shape.Class[i])] {
			continue
		}
		if n == len(f.Parts) {
			t.Fatalf("part %d is missing", i)
		}
		got := f.Parts[n]
		n++
		if got.Category != r.Shape.Categories[i] || got.Subject != p.Subject || got.N != p.N || !bytes.Equal(got.Sealed, p.Sealed) || int(got.at) != i {
			t.Fatalf("part %d = %+v, want %+v", i, got, p)
		}
	}
	if n != len(f.Parts) {
		t.Fatalf("%d parts, want %d", len(f.Parts), n)
	}
}

// walkRow reads a row and what siblings it names to the end.
func walkRow(body []byte, siblings [][]byte) (records int, err error) {
	var cache shapeCache
	r, err := openRow(body, &cache)
	if err != nil {
		return 0, err
	}
	if err := r.join(siblings); err != nil {
		return 0, err
	}
	for r.idx < r.records {
		var f Found
		var arena []FoundPart
		ok, err := r.next(&f, &arena)
		if err != nil {
			return records, err
		}
		if ok {
			records++
		}
	}
	return records, r.check()
}

// FuzzRow: bytes nobody wrote are refused, without a panic and without more records than they hold.
func FuzzRow(f *testing.F) {
	for _, v := range vectors() {
		bodies := v.build()
		beside := []byte(nil)
		if len(bodies) > 1 {
			beside = bodies[1]
		}
		f.Add(bodies[0], beside)
	}
	f.Fuzz(func(t *testing.T, body, sibling []byte) {
		n, err := walkRow(body, [][]byte{sibling})
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("error %v, want ErrCorrupt", err)
		}
		if n > len(body) {
			t.Errorf("%d records in %d bytes", n, len(body))
		}
		var cache shapeCache
		if r, err := openRow(body, &cache); err == nil {
			_ = r.seek(r.records - 1)
		}
	})
}

// TestACutRowIsRefused: no prefix of a row reads as a whole one.
func TestACutRowIsRefused(t *testing.T) {
	for _, v := range vectors() {
		bodies := v.build()
		for n := range bodies[0] {
			if _, err := walkRow(bodies[0][:n], bodies[1:]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %d of %d bytes: %v, want ErrCorrupt", v.Name, n, len(bodies[0]), err)
			}
		}
		if _, err := walkRow(append(bodies[0], 0), bodies[1:]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: a byte too many: %v, want ErrCorrupt", v.Name, err)
		}
	}
}

// A vector is chunks and the rows they become, for others who read the format.
type vector struct {
	Name    string        `json:"name"`
	Classes []uint16      `json:"classes"` // of base row and siblings
	Chunks  []vectorChunk `json:"chunks"`
	Rows    []string      `json:"rows"` // hexadecimal
}

type vectorChunk struct {
	Chunk      string         `json:"chunk"` // hexadecimal, as all ids and sealed bytes
	ReceivedAt int64          `json:"received_at"`
	Records    []vectorRecord `json:"records"`
}

type vectorRecord struct {
	Removed    bool         `json:"removed,omitempty"`
	Ordinal    uint32       `json:"ordinal"`
	Kind       string       `json:"kind"`
	Service    string       `json:"service"`
	Source     string       `json:"source"`
	OccurredAt int64        `json:"occurred_at"`
	Parts      []vectorPart `json:"parts"`
}

type vectorPart struct {
	Category string `json:"category"`
	Class    uint16 `json:"class"`
	Subject  string `json:"subject"`
	Counter  uint32 `json:"counter"`
	Sealed   string `json:"sealed"` // empty: gone
}

func vectors() []*vector {
	s1, s2 := hex.EncodeToString(bytes.Repeat([]byte{0x51}, 12)), hex.EncodeToString(bytes.Repeat([]byte{0x52}, 12))
	nobody := hex.EncodeToString(make([]byte, 12))
	chunk := func(b byte, at int64, r ...vectorRecord) vectorChunk {
		return vectorChunk{hex.EncodeToString(bytes.Repeat([]byte{b}, 12)), at, r}
	}
	track := func(ordinal uint32, ago int64, subject string, n uint32) vectorRecord {
		return vectorRecord{false, ordinal, "track", "cdp", "src_ie1_a", 1700000000000 - ago,
			[]vectorPart{{"usage", 365, subject, n, "aa01"}, {"device", 365, subject, n + 1, "bb0203"}}}
	}
	message := func(ordinal uint32, content string) vectorRecord {
		return vectorRecord{false, ordinal, "message", "messaging", "src_ie1_b", 1700000000500,
			[]vectorPart{{"usage", 365, s1, 0, "c1"}, {"customer-content", 30, s2, 1, content}, {"contact", 365, nobody, 2, "c3"}}}
	}
	return []*vector{
		{Name: "one record", Classes: []uint16{365}, Chunks: []vectorChunk{chunk(0xc1, 1700000000000, track(0, 1500, s1, 0))}},
		{Name: "two chunks, expected and unexpected values", Classes: []uint16{365}, Chunks: []vectorChunk{
			chunk(0xc1, 1700000000000, track(0, 0, s1, 0), track(1, -20, s1, 2), track(7, 3, s2, 30)),
			chunk(0xc2, 1700000000001, track(4, 90, nobody, 8))}},
		{Name: "a sibling, and a part that is gone", Classes: []uint16{365, 30}, Chunks: []vectorChunk{
			chunk(0xc3, 1700000000600, message(0, "d00d"), message(1, ""))}},
		{Name: "a removed record", Classes: []uint16{365}, Chunks: []vectorChunk{
			chunk(0xc1, 1700000000000, track(0, 0, s1, 0), vectorRecord{Removed: true}, track(2, 0, s2, 4))}},
	}
}

func unhex(s string) []byte { b, _ := hex.DecodeString(s); return b }

// build makes the rows of a vector.
func (v *vector) build() [][]byte {
	b := newSetBuilder(v.Classes)
	shapes := map[string]*Shape{}
	for _, vc := range v.Chunks {
		c := &Chunk{ID: id.Chunk(unhex(vc.Chunk)), ReceivedAt: vc.ReceivedAt}
		for _, vr := range vc.Records {
			if vr.Removed {
				b.addRemoved(c)
				continue
			}
			s := shapes[vr.Kind]
			if s == nil {
				s = &Shape{Kind: vr.Kind, Service: vr.Service, Source: vr.Source}
				for _, p := range vr.Parts {
					s.Categories, s.Class = append(s.Categories, p.Category), append(s.Class, p.Class)
				}
				shapes[vr.Kind] = s
			}
			r := &Sealed{Ordinal: vr.Ordinal, Shape: s, OccurredAt: vr.OccurredAt}
			for _, p := range vr.Parts {
				r.Parts = append(r.Parts, Part{Subject: id.Subject(unhex(p.Subject)), N: p.Counter, Sealed: unhex(p.Sealed)})
			}
			b.add(c, r)
		}
	}
	return b.finish()
}

// TestRowsAreThoseOfTheVectors keeps the format what testkit/record says it is. With -update it writes
// the vectors; a change of them is a change of the format.
func TestRowsAreThoseOfTheVectors(t *testing.T) {
	path := filepath.Join("..", "..", "testkit", "record", "rows.json")
	own := vectors()
	for _, v := range own {
		for _, body := range v.build() {
			v.Rows = append(v.Rows, hex.EncodeToString(body))
		}
	}
	text, err := json.MarshalIndent(own, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, want) {
		t.Errorf("the rows are not those of %s", path)
	}
}
