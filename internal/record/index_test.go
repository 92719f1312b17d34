package record

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"domicile.dev/internal/id"
)

func drawEntries(t *rapid.T, f Family) []entry {
	var all []entry
	for range rapid.IntRange(1, 120).Draw(t, "entries") {
		e := entry{key: makeKey(uint32(rapid.IntRange(1, 2).Draw(t, "tenant")), numbered(rapid.Uint64Range(1, 9).Draw(t, "key"))),
			pos: rapid.Uint64Range(100, 300).Draw(t, "pos"), idx: rapid.Uint16().Draw(t, "idx")}
		if f == BySubject {
			e.kind = rapid.Uint16Range(1, 4).Draw(t, "kind")
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b entry) int {
		if a.less(&b) {
			return -1
		} else if b.less(&a) {
			return 1
		}
		return 0
	})
	return slices.CompactFunc(all, func(a, b entry) bool {
		return a.key == b.key && (f == ByClient || a.loc() == b.loc())
	})
}

// TestBlocksReadBackAsTheyWereWritten: all entries in order, and for subjects whose entries lie in
// several blocks the counts in the last.
func TestBlocksReadBackAsTheyWereWritten(t *testing.T) {
	for _, f := range families {
		rapid.Check(t, func(t *rapid.T) {
			all := drawEntries(t, f)
			var blocks [][]byte
			var fences []key
			most := rapid.IntRange(40, 400).Draw(t, "block")
			w := blockWriter{family: f, firstPos: 100, most: most, flush: func(body []byte, first key, _ uint64) error {
				blocks, fences = append(blocks, body), append(fences, first)
				return nil
			}}
			for i := range all {
				if err := w.add(&all[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.end(); err != nil {
				t.Fatal(err)
			}
			var got []entry
			counts := map[key]uint64{}
			for i, body := range blocks {
				if len(body) > most+64 { // counts may go over
					t.Fatalf("a block of %d bytes, want at most %d", len(body), most)
				}
				br := readBlock(f, 100, body)
				var g group
				for first := true; ; first = false {
					ok, err := br.next(&g)
					if err != nil {
						t.Fatal(err)
					}
					if !ok {
						break
					}
					if first && g.key != fences[i] {
						t.Fatalf("block %d begins with %v, its fence is %v", i, g.key, fences[i])
					}
					if f == ByClient {
						got = append(got, entry{key: g.key, pos: g.at.Pos, idx: g.at.Idx})
						continue
					}
					if got, err = g.locations(100, got); err != nil {
						t.Fatal(err)
					}
					if g.from && !g.on {
						if err := g.tally(func(_ uint16, n uint64) { counts[g.key] += n }); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			if !slices.Equal(got, all) {
				t.Fatalf("read %v, want %v", got, all)
			}
			for k, n := range counts {
				want := uint64(0)
				for _, e := range all {
					if e.key == k {
						want++
					}
				}
				if n != want {
					t.Fatalf("counts of %v sum up to %d, want %d", k, n, want)
				}
			}
		})
	}
}

// FuzzBlock: bytes nobody wrote are refused, without a panic.
func FuzzBlock(f *testing.F) {
	for _, family := range families {
		w := blockWriter{family: family, firstPos: 5, most: 200, flush: func(body []byte, _ key, _ uint64) error {
			f.Add(body, family == ByClient)
			return nil
		}}
		for i := range uint64(60) {
			_ = w.add(&entry{key: key{1 << 32, i / 20}, pos: 5 + i, idx: uint16(i), kind: 1})
		}
		_ = w.end()
	}
	f.Fuzz(func(t *testing.T, body []byte, client bool) {
		family := BySubject
		if client {
			family = ByClient
		}
		br := readBlock(family, 5, body)
		var g group
		for n := 0; ; n++ {
			ok, err := br.next(&g)
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v, want ErrCorrupt", err)
			}
			if !ok {
				return
			}
			if n > len(body) {
				t.Fatalf("more groups than bytes")
			}
			_, _ = g.locations(5, nil)
			_ = g.tally(func(uint16, uint64) {})
		}
	})
}

type counter struct{ subjects, clients int }

func (c *counter) bySubject(entry) { c.subjects++ }
func (c *counter) byClient(entry)  { c.clients++ }

// FuzzGroup: bytes nobody wrote are refused, without a panic.
func FuzzGroup(f *testing.F) {
	var g groupRow
	for i := range uint64(10) {
		r := &Sealed{Parts: []Part{{Subject: numbered(i % 3)}, {Subject: numbered(i % 4)}, {Subject: numbered(7)}, {Subject: numbered(i)}}}
		r.ClientKey[3] = byte(i)
		g.add(uint16(i), r)
	}
	f.Add(appendGroupRow([]byte{groupVersion}, 1, 0, &g))
	f.Fuzz(func(t *testing.T, body []byte) {
		var c counter
		if err := readGroup(body, 10, 20, &c); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("error %v, want ErrCorrupt", err)
		}
		if c.clients*12 > len(body) || c.subjects > len(body) {
			t.Errorf("%+v of %d bytes", c, len(body))
		}
		_ = newGeneration(9).apply(10, 20, body)
	})
}

// TestAFilterLetsEverythingOfItsOwnThrough: also when it was folded, stored and read; and little else.
func TestAFilterLetsEverythingOfItsOwnThrough(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	draw := func() key { return key{1<<32 | uint64(rnd.Uint32()), rnd.Uint64()} }
	for _, n := range []int{1, 7, 1000, 50_000} {
		f := newFilter(uint64(9*n), clientParts) // as a merge expects when inputs share their keys
		var keys []key
		for range n {
			keys = append(keys, draw())
			f.add(keys[len(keys)-1].probe())
		}
		f.fold(uint64(n))
		if most := 2*n*bitsPerKey*clientParts/8 + 64*2*clientParts; f.bytes() > int64(most) {
			t.Errorf("%d keys: %d bytes after folding, want at most %d", n, f.bytes(), most)
		}
		back := filter{lines: f.lines}
		for _, p := range f.pieces {
			words := make([]uint64, len(p))
			b := encodeWords(p)
			if !decodePiece(words, 0, b[:64]) || !decodePiece(words, 64, b[64:]) {
				t.Fatal("a piece doesn't decode")
			}
			back.pieces = append(back.pieces, words)
		}
		for _, k := range keys {
			if !f.has(k.probe()) || !back.has(k.probe()) {
				t.Fatalf("%d keys: one of them is not there", n)
			}
		}
		for pieces, most := range map[int]float64{3: 0.003, 2: 0.02, 1: 0.14} {
			less := filter{lines: f.lines, pieces: f.pieces[:pieces]}
			wrong := 0
			for range 20_000 {
				if less.has(draw().probe()) {
					wrong++
				}
			}
			if got := float64(wrong) / 20_000; n > 100 && got > most {
				t.Errorf("%d keys, %d pieces: lets %.4f of others through, want at most %.4f", n, pieces, got, most)
			}
		}
	}
}

func TestOrderSortsByAllOfTheKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) key {
			return key{rapid.SampledFrom([]uint64{1 << 32, 1<<32 | 5, 2 << 32, 1<<32 | 0xffff0000}).Draw(t, "hi"), rapid.Uint64Range(0, 9).Draw(t, "lo")}
		}), 0, 300).Draw(t, "keys")
		var got []key
		for _, o := range order(len(keys), func(i int) uint64 { return keys[i].hi },
			func(a, b uint32) int { return keys[a].compare(keys[b]) }) {
			got = append(got, keys[o.at])
		}
		slices.SortFunc(keys, key.compare)
		if !slices.Equal(got, keys) {
			t.Fatalf("order = %v, want %v", got, keys)
		}
	})
}

func TestKeysShareLeadingBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a, b [16]byte
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "a"))
		b = a
		n := rapid.IntRange(0, 16).Draw(t, "shared")
		if n < 16 {
			b[n] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		}
		ka, kb := keyOf(a[:]), keyOf(b[:])
		if got := ka.shared(kb); got != n {
			t.Fatalf("shared = %d, want %d", got, n)
		}
		if ka.less(kb) != (string(a[:]) < string(b[:])) {
			t.Fatal("keys don't sort as their bytes")
		}
		if back := makeKey(ka.tenant(), ka.id()); back != ka {
			t.Fatalf("%v becomes %v", ka, back)
		}
	})
}

func TestTheInternerNumbersEachSubjectOnce(t *testing.T) {
	var in interner
	for round := range 5 {
		seen := map[id.Subject]int{}
		for i := range uint64(50 << round) {
			s := numbered(i * 7919 % (40 << round))
			n := in.index(s)
			if want, ok := seen[s]; ok && n != want {
				t.Fatalf("number %d, before it was %d", n, want)
			}
			if s.IsNobody() != (n == 0) {
				t.Fatalf("%v has number %d", s, n)
			}
			seen[s] = n
			if n > 0 && in.ids[n-1] != s {
				t.Fatalf("number %d is %v, want %v", n, in.ids[n-1], s)
			}
		}
		in.reset()
	}
}

// TestTheCacheKeepsToItsBytes and returns only what was put.
func TestTheCacheKeepsToItsBytes(t *testing.T) {
	const most = 64 << 10
	c := newCache(most)
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		k := rowKey(0, 1, uint64(rnd.IntN(500)))
		want := byte(k.b)
		if b := c.get(k); b != nil && b[0] != want {
			t.Fatalf("row %d is that of %d", k.b, b[0])
		}
		c.put(k, slices.Repeat([]byte{want}, 1+rnd.IntN(2000)))
	}
	var bytes int64
	n := 0
	for i := range c.shards {
		bytes += c.shards[i].bytes
		n += len(c.shards[i].at)
	}
	if bytes > most || n == 0 {
		t.Errorf("%d bodies of %d bytes, want at most %d", n, bytes, most)
	}
	newCache(-1).put(rowKey(0, 1, 1), []byte{1}) // a cache of nothing takes nothing
}
