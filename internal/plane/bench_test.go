package plane_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/consent"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/ingest/segment/segmenttest"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest/pgtest"
)

// exampleRules compiles the example programme's kinds.
func exampleRules(t testing.TB) rules {
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	r := rules{}
	for k, fields := range p.KindRules() {
		var list []ingest.Rule
		for _, f := range fields {
			list = append(list, ingest.Rule{Path: f.Path, Category: f.Category, Owner: f.OwnerOrDefault(), Precise: p.PreciseLocation(f.Category)})
		}
		kind, err := ingest.Compile(k.Service, k.Kind, list)
		if err != nil {
			t.Fatal(err)
		}
		r[k.Service+"/"+k.Kind] = kind
	}
	return r
}

// BenchmarkIngest decodes, seals and commits batches of 100 events of 592 bytes from 16 goroutines:
// the whole path but HTTP, on SQLite.
func BenchmarkIngest(b *testing.B) {
	w := newWorld(b, "")
	w.rules = exampleRules(b)
	w.close()
	w.restart()
	w.now = time.Now()
	const people = 10_000
	bodies := make([][]byte, b.N)
	g := segmenttest.New(1, people)
	for i := range bodies {
		bodies[i] = g.AppendBatch(nil, 100, "")
	}
	warm := segmenttest.New(2, people)
	for range people / 100 {
		w.send(w.src, "/v1/batch", string(warm.AppendBatch(nil, 100, "")))
	}
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				batch, err := segment.Decode("/v1/batch", bodies[i], ingest.Env{ReceivedAt: w.now, Kinds: w.rules, Service: "cdp"})
				if err != nil {
					b.Error(err)
					return
				}
				if r, err := w.Ingest(context.Background(), w.src, batch); err != nil || r.Accepted != 100 {
					b.Errorf("%+v, %v", r, err)
				}
				batch.Release()
			}
		}()
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "events/s")
	if err := w.log.Settle(context.Background()); err != nil {
		b.Fatal(err)
	}
	n := b.N*100 + people
	w.close()
	size := int64(0)
	for _, f := range []string{"store.db", "domicile.db"} {
		if st, err := os.Stat(filepath.Join(w.dir, f)); err == nil {
			size += st.Size()
		}
	}
	b.ReportMetric(float64(size)/float64(n), "disk-B/event")
}

// parallel runs fn from 32 goroutines until it was called n times.
func parallel(n int, fn func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				fn(i)
			}
		}()
	}
	wg.Wait()
}

// benchWorld is a region with so many people who have ten records each, and their subjects.
func benchWorld(b *testing.B, people int) (*world, []id.Subject) {
	w := newWorld(b, "")
	w.rules = exampleRules(b)
	w.restart()
	w.now = time.Now()
	g := segmenttest.New(1, people)
	for range people / 10 {
		w.send(w.src, "/v1/batch", string(g.AppendBatch(nil, 100, "")))
	}
	if err := w.log.Settle(context.Background()); err != nil {
		b.Fatal(err)
	}
	subjects := make([]id.Subject, people)
	for i := range subjects {
		subjects[i] = w.find("user_id", segmenttest.UserID(i))
	}
	return w, subjects
}

func BenchmarkRecords(b *testing.B) {
	w, subjects := benchWorld(b, 10_000)
	b.ReportAllocs()
	b.ResetTimer()
	parallel(b.N, func(i int) {
		p, err := w.Records(context.Background(), w.caller, subjects[(i*7919)%len(subjects)], plane.Query{Limit: 100})
		if err != nil || len(p.Records) != 10 {
			b.Errorf("%d records, %v", len(p.Records), err)
		}
	})
}

func BenchmarkErase(b *testing.B) {
	w, subjects := benchWorld(b, b.N/100*100+100)
	b.ReportAllocs()
	b.ResetTimer()
	parallel(b.N, func(i int) {
		if _, err := w.Erase(context.Background(), w.caller, subjects[i], plane.EraseRequest{Reason: "asked"}); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkCreate(b *testing.B) {
	w := newWorld(b, "")
	w.rules = exampleRules(b)
	w.restart()
	w.now = time.Now()
	b.ReportAllocs()
	b.ResetTimer()
	parallel(b.N, func(i int) {
		n := strconv.Itoa(i)
		if r := w.send(w.src, "/v1/identify", `{"userId":"user-`+n+`","messageId":"message-`+n+`","traits":{"email":"user-`+n+`@example.com"}}`); r.Accepted != 1 {
			b.Errorf("%+v", r)
		}
	})
}

// BenchmarkReindex rotates the index key of 20,000 people with nothing else going on.
func BenchmarkReindex(b *testing.B) {
	w, _ := benchWorld(b, 20_000)
	held := w.query(`SELECT CAST(count(*) AS text) FROM identifier`)
	n, err := strconv.Atoi(held[0])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := w.rotate(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "identifiers/s")
}

// BenchmarkIngestSaying is the load of BenchmarkIngest with a consent object in each event that says what
// its person has said before.
func BenchmarkIngestSaying(b *testing.B) {
	w := newWorld(b, "")
	w.rules = exampleRules(b)
	w.close()
	w.restart()
	w.now = time.Now()
	const people = 10_000
	says := func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(`"library":{`), []byte(`"consent":{"categoryPreferences":{"Advertising":false,"Analytics":true}},"library":{`))
	}
	warm := segmenttest.New(1, people)
	for range 3 * people / 100 {
		w.send(w.src, "/v1/batch", string(says(warm.AppendBatch(nil, 100, ""))))
	}
	g := segmenttest.New(2, people)
	bodies := make([][]byte, b.N)
	for i := range bodies {
		bodies[i] = says(g.AppendBatch(nil, 100, ""))
	}
	b.ReportAllocs()
	b.ResetTimer()
	parallel(b.N, func(i int) {
		batch, err := segment.Decode("/v1/batch", bodies[i], ingest.Env{ReceivedAt: w.now, Kinds: w.rules, Service: "cdp"})
		if err != nil {
			b.Error(err)
			return
		}
		if r, err := w.Ingest(context.Background(), w.src, batch); err != nil || r.Accepted != 100 {
			b.Errorf("%+v, %v", r, err)
		}
		batch.Release()
	})
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkOf asks what 1,000 people say, half of whom said something, as one batch of a flow does.
func BenchmarkOf(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			url := ""
			if engine == "postgres" {
				url = pgtest.URL(b)
			}
			w := newWorld(b, url)
			var people [][]id.Subject
			for i := range 1000 {
				user := strconv.Itoa(i)
				if i%2 == 0 {
					w.send(w.src, "/v1/track", event(`"userId":"`+user+`"`, bothNo))
				} else {
					w.send(w.src, "/v1/track", track(user, "m"+user, "x"))
				}
				people = append(people, []id.Subject{w.find("user_id", user)})
			}
			says := consent.New(sqlstore.Consents{})
			b.ResetTimer()
			for b.Loop() {
				if err := w.db.View(context.Background(), func(tx store.Tx) error {
					all, err := says.Of(tx, 1, people)
					if err == nil && (len(all) != 1000 || all[0].OptOuts == 0 || all[1].OptOuts != 0) {
						b.Fatal("not what they said")
					}
					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/person")
		})
	}
}
