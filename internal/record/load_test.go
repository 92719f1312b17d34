package record_test

import (
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// counting is a store that counts what is read of runs beyond their index blocks, and of marks.
type counting struct {
	sqlstore.Records
	filters int64 // bytes of filters
	marks   int   // marks read
	loads   int   // times that marks were read
}

func (c *counting) Blocks(tx store.Tx, run int64, first, last int, each func(int, []byte) error) error {
	runs, err := c.Runs(tx)
	if err != nil {
		return err
	}
	from := 0
	for _, r := range runs {
		if r.ID == run {
			from = r.Blocks + r.FenceBlocks
		}
	}
	return c.Records.Blocks(tx, run, first, last, func(n int, b []byte) error {
		if n >= from {
			c.filters += int64(len(b))
		}
		return each(n, b)
	})
}

func (c *counting) Marks(tx store.Tx) ([]record.Mark, error) {
	m, err := c.Records.Marks(tx)
	c.marks, c.loads = c.marks+len(m), c.loads+1
	return m, err
}

// TestAnOpeningLogReadsNoMoreOfFiltersThanItKeeps opens a log whose filters are larger than what it
// may keep of them.
func TestAnOpeningLogReadsNoMoreOfFiltersThanItKeeps(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) store.DB) {
		w := newWorld(t, t, open(t), 1, record.Options{MemRecords: 64, FanIn: 3})
		for n := range 40 {
			w.append(t, 0, []*record.Chunk{peopleChunk(n, 16)})
		}
		w.nodes[0].Freeze()
		for {
			did, err := w.nodes[0].Merge(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !did {
				break
			}
		}
		whole, _, _ := w.nodes[0].IndexBytes()
		for _, most := range []int64{whole, whole * 2 / 3, whole / 3, 64, -1} {
			c := &counting{}
			l, err := record.Open(t.Context(), w.db, c, record.Options{FilterBytes: most})
			if err != nil {
				t.Fatal(err)
			}
			kept, _, _ := l.IndexBytes()
			if kept > max(most, 0) || c.filters > max(most, 0) {
				t.Errorf("of %d bytes it may keep %d, keeps %d and read %d", whole, most, kept, c.filters)
			}
			if most == whole && kept != whole {
				t.Errorf("keeps %d of %d bytes that it may keep", kept, whole)
			}
			w.nodes[0] = l
			for n := range 8 {
				w.mustFind(t, 0, 1, []id.Subject{subject(1 + n*80)}, record.Query{Limit: 10})
				w.append(t, 0, []*record.Chunk{peopleChunk(n, 16)}) // duplicates, all of them
			}
		}
	})
}

// TestALargeRunIsWrittenWithNoMoreOfItsFilterThanANodeKeeps: what is not built takes no memory while
// runs are merged. Fewer pieces find the same.
func TestALargeRunIsWrittenWithNoMoreOfItsFilterThanANodeKeeps(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) store.DB) {
		for _, tt := range []struct {
			most         int64
			client, subj int // blocks of the filter: one a piece
		}{{1 << 20, 3, 2}, {900, 2, 2}, {500, 1, 1}, {64, 1, 1}, {-1, 1, 1}} {
			w := newWorld(t, t, open(t), 1, record.Options{MemRecords: 64, FanIn: 3, FilterBytes: tt.most})
			for n := range 40 {
				w.append(t, 0, []*record.Chunk{peopleChunk(n, 16)})
			}
			if err := w.nodes[0].Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := w.db.View(t.Context(), func(tx store.Tx) error {
				runs, err := sqlstore.Records{}.Runs(tx)
				for _, r := range runs {
					want := tt.client
					if r.Family == record.BySubject {
						want = tt.subj
					}
					if r.State == record.RunPublished && r.FilterBlocks != want {
						t.Errorf("%d bytes for filters: the filter of family %d has %d pieces of %d bytes, want %d", tt.most, r.Family, r.FilterBlocks, r.FilterLines*64, want)
					}
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			l, err := record.Open(t.Context(), w.db, sqlstore.Records{}, record.Options{}) // a node that has more memory
			if err != nil {
				t.Fatal(err)
			}
			w.nodes[0] = l
			for n := range 8 {
				w.mustFind(t, 0, 1, []id.Subject{subject(1 + n*80)}, record.Query{Limit: 10})
				w.append(t, 0, []*record.Chunk{peopleChunk(n, 16)}) // duplicates, all of them
			}
		}
	})
}

// peopleChunk is the n-th of chunks of so many records, each about a person of its own.
func peopleChunk(n, records int) *record.Chunk {
	c := &record.Chunk{ID: id.NewChunk(), Tenant: 1, ReceivedAt: 1_700_000_000_000}
	for i := range records {
		c.Records = append(c.Records, record.Sealed{Ordinal: uint32(i), Shape: shapes[1], OccurredAt: c.ReceivedAt, ClientKey: clientKey(1 + n*records + i),
			Parts: []record.Part{{Subject: subject(1 + n*records + i), N: uint32(i), Sealed: []byte("sealed")}}})
	}
	return c
}

// TestManyDeadMakeNodesReadMarksOnce compacts many away and watches how often the marks are read.
func TestManyDeadMakeNodesReadMarksOnce(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) store.DB) {
		w := newWorld(t, t, open(t), 1, record.Options{MemRecords: 64, FanIn: 3})
		var dead []id.Subject
		for n := range 150 {
			w.append(t, 0, []*record.Chunk{peopleChunk(n, 8)})
			for i := range 7 { // the eighth lives
				dead = append(dead, subject(1+n*8+i))
			}
		}
		c := &counting{}
		l, err := record.Open(t.Context(), w.db, c, record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.nodes[0], c.loads, c.marks = l, 0, 0
		w.compact(t, 0, 1, dead)
		for _, s := range []id.Subject{subject(1), subject(8), subject(1200)} {
			w.mustFind(t, 0, 1, []id.Subject{s}, record.Query{Limit: 10})
		}
		if c.loads != 1 || c.marks != len(dead)+1 {
			t.Errorf("%d marks were read in %d times, want %d in one", c.marks, c.loads, len(dead)+1)
		}
		w.mustFind(t, 0, 1, dead, record.Query{Limit: 10})
		w.mustScan(t, 0, 1, 100)
	})
}
