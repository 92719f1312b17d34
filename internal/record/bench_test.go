package record_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
)

// load makes commit groups as 16 clients do that send batches of 100 events, each about one of the
// people: 4 parts of 62 sealed bytes.
type load struct {
	people int
	rnd    *rand.Rand
	sealed []byte
	groups []*record.Chunk
	next   uint64
}

var loadShape = &record.Shape{Kind: "track", Service: "cdp", Source: "src_ie1_abcdefghijklmnop",
	Categories: []string{"contact", "customer-content", "device", "online-activity"}, Class: []uint16{365, 365, 365, 365}}

func newLoad(people int) *load {
	l := &load{people: people, rnd: rand.New(rand.NewPCG(1, 2)), sealed: make([]byte, 1<<20)}
	for i := range l.sealed {
		l.sealed[i] = byte(l.rnd.Uint32())
	}
	return l
}

func (l *load) person(n int) (s id.Subject) {
	binary.BigEndian.PutUint64(s[:], uint64(n+1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint32(s[8:], uint32(n))
	return s
}

// group returns records in chunks of 100, in memory that the next call uses again.
func (l *load) group(records int) []*record.Chunk {
	for len(l.groups) < (records+99)/100 {
		c := &record.Chunk{Tenant: 1, Records: make([]record.Sealed, 100)}
		for i := range c.Records {
			c.Records[i].Parts = make([]record.Part, 4)
		}
		l.groups = append(l.groups, c)
	}
	chunks := l.groups[:(records+99)/100]
	for _, c := range chunks {
		c.ID, c.ReceivedAt = id.NewChunk(), time.Now().UnixMilli()
		for i := range c.Records {
			r := &c.Records[i]
			l.next++
			r.Ordinal, r.Shape, r.OccurredAt = uint32(i), loadShape, c.ReceivedAt-int64(l.rnd.IntN(5000))
			binary.BigEndian.PutUint64(r.ClientKey[:], l.next*0xc2b2ae3d27d4eb4f)
			binary.BigEndian.PutUint32(r.ClientKey[8:], uint32(l.next))
			s := l.person(l.rnd.IntN(l.people))
			for j := range r.Parts {
				at := l.rnd.IntN(len(l.sealed) - 62)
				r.Parts[j] = record.Part{Subject: s, Sealed: l.sealed[at : at+62], N: uint32(4*i + j)}
			}
		}
	}
	return chunks
}

func benchStore(b *testing.B, engine string) store.DB { return engines[engine](b) }

func benchLog(b *testing.B, db store.DB, opt record.Options) *record.Log {
	l, err := record.Open(b.Context(), db, sqlstore.Records{}, opt)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkAppend is one commit group, durable, without merging.
func BenchmarkAppend(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, records := range []int{100, 1600, 4000} {
			b.Run(engine+"/"+strconv.Itoa(records), func(b *testing.B) {
				db := benchStore(b, engine)
				l := benchLog(b, db, record.Options{})
				work := newLoad(1_000_000)
				var in, out time.Duration
				for b.Loop() {
					b.StopTimer()
					chunks := work.group(records)
					b.StartTimer()
					var a *record.Appended
					if err := db.Do(b.Context(), func(tx store.Tx) (err error) {
						start := time.Now()
						a, err = l.Append(tx, chunks)
						in += time.Since(start)
						return err
					}); err != nil {
						b.Fatal(err)
					}
					start := time.Now()
					l.Committed(a)
					out += time.Since(start)
				}
				n := float64(b.N) * float64(records)
				b.ReportMetric(float64(b.Elapsed())/n, "ns/record")
				b.ReportMetric(float64(in)/n, "append-ns/record")
				b.ReportMetric(float64(out)/n, "committed-ns/record")
			})
		}
	}
}

// cpu is the processor time of this process so far. The machine may be busy with other things.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func dirBytes(b *testing.B, dir string) (n int64) {
	if err := filepath.Walk(dir, func(_ string, fi os.FileInfo, err error) error {
		if err == nil && !fi.IsDir() {
			n += fi.Size()
		}
		return err
	}); err != nil {
		b.Fatal(err)
	}
	return n
}

// timed notes how long the log's own transactions, those of merging, hold the gate.
type timed struct {
	store.DB
	held []time.Duration
}

func (d *timed) Do(ctx context.Context, fn func(store.Tx) error) error {
	var start time.Time
	err := d.DB.Do(ctx, func(tx store.Tx) error { start = time.Now(); return fn(tx) })
	if !start.IsZero() {
		d.held = append(d.held, time.Since(start)) // with the commit
	}
	return err
}

// BenchmarkSustained writes DOMICILE_BENCH_RECORDS records (default 1,000,000) with merging, then
// reads. It reports bytes on disk when all is merged.
func BenchmarkSustained(b *testing.B) {
	total := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("DOMICILE_BENCH_RECORDS")); err == nil {
		total = n
	}
	dir := b.TempDir()
	db, err := sqlite.Open(b.Context(), dir, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	rowBytes, _ := strconv.Atoi(os.Getenv("DOMICILE_BENCH_ROW"))
	merging := &timed{DB: db}
	l := benchLog(b, merging, record.Options{RowBytes: rowBytes, OnError: func(err error) { b.Error(err) }})
	people := total / 10
	work := newLoad(people)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { l.Run(ctx); close(done) }()
	start, making, spent, makingCPU := time.Now(), time.Duration(0), cpu(), time.Duration(0)
	var tenth [10]time.Duration
	var all []time.Duration
	const group = 1600
	for n := 0; n < total; n += group {
		t, c := time.Now(), cpu()
		chunks := work.group(group)
		making, makingCPU = making+time.Since(t), makingCPU+cpu()-c
		t = time.Now()
		if err := l.Pace(ctx); err != nil {
			b.Fatal(err)
		}
		if _, err := appendTo(b, db, l, chunks); err != nil {
			b.Fatal(err)
		}
		took := time.Since(t)
		all = append(all, took)
		tenth[n*10/total] += took
	}
	elapsed := time.Since(start) - making
	cancel()
	<-done
	b.ReportMetric(float64(cpu()-spent-makingCPU)/float64(total), "cpu-ns/record")
	b.ReportMetric(float64(total)/elapsed.Seconds(), "records/s")
	b.ReportMetric(float64(tenth[0])/float64(tenth[9]), "last-tenth-share")
	slices.Sort(all)
	b.ReportMetric(all[len(all)*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(all[len(all)/2].Seconds()*1e3, "p50-ms")
	if slices.Sort(merging.held); len(merging.held) > 0 {
		b.ReportMetric(merging.held[len(merging.held)/2].Seconds()*1e3, "merge-gate-p50-ms")
		b.ReportMetric(merging.held[len(merging.held)-1].Seconds()*1e3, "merge-gate-most-ms")
	}
	b.Logf("runs: %d by subject, %d by client", l.RunCount(record.BySubject), l.RunCount(record.ByClient))
	settle := time.Now()
	if err := l.Settle(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("settle took %v", time.Since(settle))
	filters, fences, memory := l.IndexBytes()
	b.Logf("memory: filters %d, fences %d, generations %d bytes", filters, fences, memory)

	for _, name := range []string{"warm", "find"} {
		pick := rand.New(rand.NewPCG(3, 4))
		n, found := 20_000, 0
		t, c := time.Now(), cpu()
		for range n {
			if err := db.View(b.Context(), func(tx store.Tx) error {
				f, _, err := l.Find(tx, 1, []id.Subject{work.person(pick.IntN(200))}, record.Query{})
				found += len(f)
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(time.Since(t).Microseconds())/float64(n), name+"-µs")
		b.ReportMetric(float64((cpu()-c).Microseconds())/float64(n), name+"-cpu-µs")
		b.Logf("%s: %.1f records each", name, float64(found)/float64(n))
	}
	c := cpu()
	pick := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		if err := db.View(b.Context(), func(tx store.Tx) error {
			_, _, err := l.Find(tx, 1, []id.Subject{work.person(pick.IntN(people))}, record.Query{})
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu()-c).Microseconds())/3000, "find-cold-cpu-µs")
	c = cpu()
	dups := newLoad(people)
	if a, err := appendTo(b, db, l, dups.group(4000)); err != nil || a.Rows != 0 {
		b.Fatal(a.Rows, err)
	}
	b.ReportMetric(float64(cpu()-c)/4000, "duplicate-cpu-ns")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(dirBytes(b, dir))/float64(total), "bytes/record")
	b.ReportMetric(0, "ns/op")
}
