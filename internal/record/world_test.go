package record_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/postgres"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest/pgtest"
)

// engines are the stores that every test of this package runs on.
var engines = map[string]func(testing.TB) store.DB{
	"sqlite": func(t testing.TB) store.DB {
		db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
		return opened(t, db, err)
	},
	"postgres": func(t testing.TB) store.DB {
		db, err := postgres.Open(t.Context(), pgtest.URL(t), postgres.Options{})
		return opened(t, db, err)
	},
}

func opened(t testing.TB, db store.DB, err error) store.DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// onEach runs a test on both engines.
func onEach(t *testing.T, test func(t *testing.T, open func(testing.TB) store.DB)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, engines[engine]) })
	}
}

// stored is a record as the naive model keeps it.
type stored struct {
	rec       id.Record
	tenant    uint32
	shape     *record.Shape
	occurred  int64
	received  int64
	key       [12]byte
	parts     []record.Part // Sealed nil: gone
	subjects  []id.Subject  // that the index finds it by
	from, to  uint64        // positions of its commit group
	baseClass uint16
	at        record.Location // once known
}

// world is nodes on one store beside a naive model of what they hold.
type world struct {
	t     fataler
	db    store.DB
	opt   record.Options
	nodes []*record.Log
	model []*stored
	keys  map[string]bool // tenant and client key
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func newWorld(tb testing.TB, t fataler, db store.DB, nodes int, opt record.Options) *world {
	w := &world{t: t, db: db, opt: opt, keys: map[string]bool{}}
	for range nodes {
		w.nodes = append(w.nodes, nil)
		w.reopen(tb, len(w.nodes)-1)
	}
	return w
}

func (w *world) reopen(tb testing.TB, node int) {
	w.t.Helper()
	opt := w.opt
	opt.Node = fmt.Sprint("node-", node)
	l, err := record.Open(tb.Context(), w.db, sqlstore.Records{}, opt)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	w.nodes[node] = l
}

func keyName(tenant uint32, k [12]byte) string {
	return string(binary.BigEndian.AppendUint32(nil, tenant)) + string(k[:])
}

// append writes chunks through a node and says whether the outcome was what the model expects.
func (w *world) append(tb testing.TB, node int, chunks []*record.Chunk) *record.Appended {
	w.t.Helper()
	a, err := appendTo(tb, w.db, w.nodes[node], chunks)
	if err != nil {
		w.t.Fatalf("append: %v", err)
	}
	w.learn(chunks, a)
	return a
}

func appendTo(tb testing.TB, db store.DB, l *record.Log, chunks []*record.Chunk) (a *record.Appended, err error) {
	err = db.Do(tb.Context(), func(tx store.Tx) (err error) {
		a, err = l.Append(tx, chunks)
		return err
	})
	if err == nil {
		l.Committed(a)
	}
	return a, err
}

// learn puts into the model what a commit wrote, checking its outcome.
func (w *world) learn(chunks []*record.Chunk, a *record.Appended) {
	w.t.Helper()
	for ci, c := range chunks {
		for i := range c.Records {
			r := &c.Records[i]
			name := keyName(c.Tenant, r.ClientKey)
			duplicate := r.ClientKey != [12]byte{} && w.keys[name]
			if a.Outcome[ci][i] != duplicate {
				w.t.Fatalf("record %d of chunk %d: duplicate = %v, want %v", i, ci, a.Outcome[ci][i], duplicate)
			}
			if duplicate {
				continue
			}
			w.keys[name] = r.ClientKey != [12]byte{}
			s := &stored{rec: id.Record{Chunk: c.ID, Ordinal: r.Ordinal}, tenant: c.Tenant, shape: r.Shape,
				occurred: r.OccurredAt, received: c.ReceivedAt, key: r.ClientKey, from: a.FirstPos, to: a.LastPos, baseClass: longest(r.Shape.Class)}
			for _, p := range r.Parts {
				p.Sealed = bytes.Clone(p.Sealed)
				s.parts = append(s.parts, p)
				s.subjects = append(s.subjects, p.Subject)
			}
			w.model = append(w.model, s)
		}
	}
}

func longest(classes []uint16) uint16 {
	if len(classes) == 0 || slices.Contains(classes, 0) {
		return 0
	}
	return slices.Max(classes)
}

func (s *stored) about(subjects []id.Subject) bool {
	return slices.ContainsFunc(s.subjects, func(own id.Subject) bool { return !own.IsNobody() && slices.Contains(subjects, own) })
}

// check compares what was found with one record of the model.
func (w *world) check(f *record.Found, s *stored) {
	w.t.Helper()
	if f.Kind != s.shape.Kind || f.Service != s.shape.Service || f.Source != s.shape.Source ||
		f.OccurredAt != s.occurred || f.ReceivedAt != s.received || !slices.Equal(f.Categories, s.shape.Categories) {
		w.t.Fatalf("header of %v = %+v, want that of %+v", f.ID, f, s)
	}
	if f.At.Pos < s.from || f.At.Pos > s.to {
		w.t.Fatalf("%v at %v, its commit is %d to %d", f.ID, f.At, s.from, s.to)
	}
	if s.at == (record.Location{}) {
		s.at = f.At
	}
	if f.At != s.at {
		w.t.Fatalf("%v moved from %v to %v", f.ID, s.at, f.At)
	}
	n := 0
	for i, p := range s.parts {
		if p.Sealed == nil {
			continue
		}
		if n >= len(f.Parts) {
			w.t.Fatalf("%v has %d parts, want one of %s", f.ID, len(f.Parts), s.shape.Categories[i])
		}
		got := f.Parts[n]
		n++
		if got.Category != s.shape.Categories[i] || got.Subject != p.Subject || got.N != p.N || !bytes.Equal(got.Sealed, p.Sealed) {
			w.t.Fatalf("part %d of %v = %s %v %d %x, want %s %v %d %x", i, f.ID, got.Category, got.Subject, got.N, got.Sealed,
				s.shape.Categories[i], p.Subject, p.N, p.Sealed)
		}
	}
	if n != len(f.Parts) {
		w.t.Fatalf("%v has %d parts, want %d", f.ID, len(f.Parts), n)
	}
}

// same compares a set of found records, in any order, with the model's.
func (w *world) same(found []record.Found, want []*stored) {
	w.t.Helper()
	byID := map[id.Record]*stored{}
	for _, s := range want {
		byID[s.rec] = s
	}
	for i := range found {
		s := byID[found[i].ID]
		if s == nil {
			w.t.Fatalf("found %v, which is not wanted or came twice", found[i].ID)
		}
		delete(byID, found[i].ID)
		w.check(&found[i], s)
	}
	for _, s := range byID {
		w.t.Fatalf("%v at %v is missing (%d of %d found)", s.rec, s.at, len(found), len(want))
	}
}

func inOrder(found []record.Found, oldest bool) bool {
	return slices.IsSortedFunc(found, func(a, b record.Found) int {
		if oldest {
			return a.At.Compare(b.At)
		}
		return b.At.Compare(a.At)
	})
}

// find reads all pages of a query.
func (w *world) find(tb testing.TB, node int, tenant uint32, subjects []id.Subject, q record.Query) (all []record.Found) {
	w.t.Helper()
	for {
		var page []record.Found
		var more bool
		w.view(tb, func(tx store.Tx) (err error) {
			page, more, err = w.nodes[node].Find(tx, tenant, subjects, q)
			return err
		})
		all = append(all, page...)
		if !more {
			return all
		}
		if len(page) != q.Limit {
			w.t.Fatalf("a page of %d records, want %d", len(page), q.Limit)
		}
		q.After = page[len(page)-1].At
	}
}

func (w *world) view(tb testing.TB, fn func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.db.View(tb.Context(), fn); err != nil {
		w.t.Fatalf("view: %v", err)
	}
}

func (w *world) mustFind(tb testing.TB, node int, tenant uint32, subjects []id.Subject, q record.Query) {
	w.t.Helper()
	var want []*stored
	for _, s := range w.model {
		kind := len(q.Kinds) == 0 || slices.Contains(q.Kinds, s.shape.Kind) || slices.Contains(q.Kinds, s.shape.Service+"/"+s.shape.Kind)
		if s.tenant == tenant && kind && s.about(subjects) && s.left() {
			want = append(want, s)
		}
	}
	got := w.find(tb, node, tenant, subjects, q)
	w.same(got, want)
	if !inOrder(got, q.Oldest) {
		w.t.Fatalf("records are not in order")
	}
}

func (w *world) mustCount(tb testing.TB, node int, tenant uint32, s id.Subject) {
	w.t.Helper()
	want := map[string]int64{}
	for _, r := range w.model {
		if r.tenant == tenant && r.about([]id.Subject{s}) {
			want[r.shape.Service+"/"+r.shape.Kind]++
		}
	}
	w.view(tb, func(tx store.Tx) error {
		got, err := w.nodes[node].Counts(tx, tenant, []id.Subject{s})
		if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
			w.t.Fatalf("counts = %v, want %v", got, want)
		}
		return err
	})
}

func (w *world) mustFindByClient(tb testing.TB, node int, tenant uint32, prefix [6]byte) {
	w.t.Helper()
	var want []*stored
	for _, s := range w.model {
		if s.tenant == tenant && [6]byte(s.key[:6]) == prefix && s.key != [12]byte{} && s.left() {
			want = append(want, s)
		}
	}
	w.view(tb, func(tx store.Tx) error {
		got, err := w.nodes[node].ByClientPrefix(tx, tenant, prefix)
		if err != nil {
			return err
		}
		w.same(got, want)
		if !inOrder(got, true) {
			w.t.Fatalf("records by client id are not oldest first")
		}
		return nil
	})
}

// left says whether anything is left of a record. One without parts is only a header.
func (s *stored) left() bool {
	return len(s.parts) == 0 || slices.ContainsFunc(s.parts, func(p record.Part) bool { return p.Sealed != nil })
}

func (w *world) mustScan(tb testing.TB, node int, tenant uint32, limit int) {
	w.t.Helper()
	var got []record.Found
	for after := uint64(0); ; {
		var last uint64
		w.view(tb, func(tx store.Tx) (err error) {
			last, err = w.nodes[node].Scan(tx, tenant, after, limit, func(f record.Found) error {
				got = append(got, f)
				return nil
			})
			return err
		})
		if last == after {
			break
		}
		after = last
	}
	var want []*stored
	for _, s := range w.model {
		if s.tenant == tenant && s.left() {
			want = append(want, s)
		}
	}
	w.same(got, want)
	if !inOrder(got, true) {
		w.t.Fatalf("scanned records are not in order")
	}
}

// compact erases subjects in the model and compacts them in the log.
func (w *world) compact(tb testing.TB, node int, tenant uint32, dead []id.Subject) {
	w.t.Helper()
	if err := w.nodes[node].Compact(tb.Context(), tenant, dead); err != nil {
		w.t.Fatalf("compact: %v", err)
	}
	w.modelCompact(tenant, dead)
}

func (w *world) modelCompact(tenant uint32, dead []id.Subject) {
	for _, s := range w.model {
		if s.tenant != tenant {
			continue
		}
		for i := range s.parts {
			if slices.Contains(dead, s.parts[i].Subject) {
				s.parts[i].Sealed = nil
			}
		}
		s.subjects = slices.DeleteFunc(s.subjects, func(own id.Subject) bool { return slices.Contains(dead, own) })
	}
}
