package record_test

import (
	"encoding/binary"
	"flag"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
)

var shapes = []*record.Shape{
	{Kind: "track", Service: "cdp", Source: "src_ie1_a", Categories: []string{"usage", "device"}, Class: []uint16{365, 365}},
	{Kind: "identify", Service: "cdp", Source: "src_ie1_a", Categories: []string{"contact"}, Class: []uint16{0}},
	{Kind: "message", Service: "messaging", Source: "src_ie1_b", Categories: []string{"usage", "customer-content", "device", "usage"}, Class: []uint16{365, 30, 365, 400}},
	{Kind: "call", Service: "voice", Source: "src_ie1_b", Categories: []string{"usage", "customer-content"}, Class: []uint16{30, 0}},
}

func subject(n int) (s id.Subject) {
	if n > 0 {
		binary.BigEndian.PutUint64(s[2:], uint64(n)*0x9e3779b97f4a7c15)
	}
	return s
}

// clientKey is the n-th; every fourth has the prefix of the one before.
func clientKey(n int) (k [12]byte) {
	if n > 0 {
		binary.BigEndian.PutUint64(k[:], uint64(n-n%4+1)*0xc2b2ae3d27d4eb4f)
		k[11] = byte(n % 4)
	}
	return k
}

func genChunk(t *rapid.T, subjects, keys int) *record.Chunk {
	c := &record.Chunk{ID: id.NewChunk(), Tenant: uint32(rapid.IntRange(1, 2).Draw(t, "tenant")), ReceivedAt: 1_700_000_000_000 + int64(rapid.IntRange(0, 1000).Draw(t, "received"))}
	ordinal, counter := uint32(0), uint32(0)
	for range rapid.IntRange(1, 12).Draw(t, "records") {
		ordinal += uint32(rapid.SampledFrom([]int{0, 0, 0, 1, 300}).Draw(t, "skip"))
		shape := shapes[rapid.IntRange(0, len(shapes)-1).Draw(t, "shape")]
		r := record.Sealed{Ordinal: ordinal, Shape: shape, OccurredAt: c.ReceivedAt - int64(rapid.IntRange(-50, 100_000).Draw(t, "ago")),
			ClientKey: clientKey(rapid.IntRange(0, keys).Draw(t, "key"))}
		one := rapid.IntRange(0, subjects).Draw(t, "subject")
		mixed := rapid.IntRange(0, 3).Draw(t, "mixed") == 0
		jumps := rapid.IntRange(0, 5).Draw(t, "jumps") == 0
		for range shape.Categories {
			s := one
			if mixed {
				s = rapid.IntRange(0, subjects).Draw(t, "other")
			}
			if jumps {
				counter += uint32(rapid.IntRange(0, 3).Draw(t, "jump"))
			}
			r.Parts = append(r.Parts, record.Part{Subject: subject(s), N: counter,
				Sealed: rapid.SliceOfN(rapid.Byte(), 1, rapid.SampledFrom([]int{3, 20, 200}).Draw(t, "most")).Draw(t, "sealed")})
			counter++
		}
		c.Records = append(c.Records, r)
		ordinal++
	}
	return c
}

// TestALogIsItsModel does at random what nodes do to a log and compares all answers with a naive
// model's.
func TestALogIsItsModel(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) store.DB) {
		if strings.HasSuffix(t.Name(), "postgres") { // each check takes a new database
			checks := flag.Lookup("rapid.checks").Value
			n, _ := strconv.Atoi(checks.String())
			_ = checks.Set(strconv.Itoa(max(1, n/5)))
			defer func() { _ = checks.Set(strconv.Itoa(n)) }()
		}
		rapid.Check(t, func(rt *rapid.T) {
			const subjects, keys = 9, 60
			opt := record.Options{
				MemRecords: rapid.IntRange(4, 60).Draw(rt, "mem records"), MemGroups: rapid.IntRange(1, 8).Draw(rt, "mem groups"),
				FanIn: rapid.IntRange(2, 4).Draw(rt, "fan-in"), RowBytes: rapid.SampledFrom([]int{100, 600, 8000}).Draw(rt, "row"),
				CacheBytes:  rapid.SampledFrom([]int64{-1, 40_000, 1 << 20}).Draw(rt, "cache"),
				FilterBytes: rapid.SampledFrom([]int64{-1, 400, 1 << 20}).Draw(rt, "filter"),
			}.Small(rapid.SampledFrom([]int{60, 150, 4000}).Draw(rt, "block"), rapid.SampledFrom([]int{1, 500, 100_000}).Draw(rt, "batch"))
			nodes := rapid.IntRange(1, 3).Draw(rt, "nodes")
			sub := &scope{TB: t}
			defer sub.end()
			w := newWorld(sub, rt, open(sub), nodes, opt)
			node := func(rt *rapid.T) int { return rapid.IntRange(0, nodes-1).Draw(rt, "node") }
			who := func(rt *rapid.T) []id.Subject {
				var some []id.Subject
				for range rapid.IntRange(1, 3).Draw(rt, "ids") {
					some = append(some, subject(rapid.IntRange(1, subjects).Draw(rt, "who")))
				}
				return some
			}
			tenant := func(rt *rapid.T) uint32 { return uint32(rapid.IntRange(1, 2).Draw(rt, "tenant")) }
			dead := map[id.Subject]bool{}
			rt.Repeat(map[string]func(*rapid.T){
				"append": func(rt *rapid.T) {
					var chunks []*record.Chunk
					for range rapid.IntRange(1, 4).Draw(rt, "chunks") {
						c := genChunk(rt, subjects, keys)
						for i := range c.Records {
							for j := range c.Records[i].Parts {
								if p := &c.Records[i].Parts[j]; dead[p.Subject] { // who was erased gets no new records
									p.Subject = id.Nobody
								}
							}
						}
						chunks = append(chunks, c)
					}
					w.append(sub, node(rt), chunks)
				},
				"merge": func(rt *rapid.T) {
					if _, err := w.nodes[0].Merge(sub.Context()); err != nil {
						rt.Fatalf("merge: %v", err)
					}
				},
				"settle": func(rt *rapid.T) {
					if rapid.IntRange(0, 3).Draw(rt, "settle") > 0 {
						return
					}
					if err := w.nodes[0].Settle(sub.Context()); err != nil {
						rt.Fatalf("settle: %v", err)
					}
				},
				"reopen": func(rt *rapid.T) { w.reopen(sub, node(rt)) },
				"compact": func(rt *rapid.T) {
					if rapid.IntRange(0, 3).Draw(rt, "compact") > 0 {
						return
					}
					some := who(rt)
					w.compact(sub, node(rt), 1, some)
					w.compact(sub, node(rt), 2, some)
					for _, s := range some {
						dead[s] = true
					}
				},
				"drop": func(rt *rapid.T) {
					if rapid.IntRange(0, 3).Draw(rt, "drop") > 0 {
						return
					}
					class := rapid.SampledFrom([]uint16{30, 365, 400}).Draw(rt, "class")
					w.drop(sub, node(rt), tenant(rt), class)
				},
				"find": func(rt *rapid.T) {
					q := record.Query{Limit: rapid.SampledFrom([]int{1, 3, 100}).Draw(rt, "limit"), Oldest: rapid.Bool().Draw(rt, "oldest")}
					if rapid.Bool().Draw(rt, "by kind") {
						q.Kinds = []string{rapid.SampledFrom([]string{"track", "messaging/message", "cdp/call", "call"}).Draw(rt, "kind")}
					}
					w.mustFind(sub, node(rt), tenant(rt), who(rt), q)
				},
				"by client": func(rt *rapid.T) {
					k := clientKey(rapid.IntRange(1, keys).Draw(rt, "key"))
					w.mustFindByClient(sub, node(rt), tenant(rt), [6]byte(k[:6]))
				},
				"count": func(rt *rapid.T) {
					w.mustCount(sub, node(rt), tenant(rt), subject(rapid.IntRange(1, subjects).Draw(rt, "who")))
				},
				"scan": func(rt *rapid.T) {
					w.mustScan(sub, node(rt), tenant(rt), rapid.SampledFrom([]int{1, 2, 50}).Draw(rt, "rows"))
				},
			})
			for n := range w.nodes { // and at the end everything, on every node
				for s := 1; s <= subjects; s++ {
					w.mustFind(sub, n, 1, []id.Subject{subject(s)}, record.Query{Limit: 1000})
				}
				w.mustScan(sub, n, 1, 1000)
			}
		})
	})
}

// farFuture is after all that tests receive.
var farFuture = time.UnixMilli(2_000_000_000_000)

// drop drops all that a class has so far.
func (w *world) drop(tb testing.TB, node int, tenant uint32, class uint16) {
	w.t.Helper()
	if err := w.nodes[node].DropClass(tb.Context(), tenant, class, farFuture); err != nil {
		w.t.Fatalf("drop: %v", err)
	}
	w.modelDrop(tenant, class)
}

func (w *world) modelDrop(tenant uint32, class uint16) {
	for _, s := range w.model {
		if s.tenant != tenant {
			continue
		}
		for i := range s.parts {
			if s.shape.Class[i] == class || s.baseClass == class {
				s.parts[i].Sealed = nil
			}
		}
		if s.baseClass == class {
			s.subjects = nil
		}
	}
}

// scope is a testing.TB whose cleanups run when a rapid case ends.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) end() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
}
