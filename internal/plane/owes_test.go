package plane_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/store/storetest/pgtest"
)

// onEngines runs fn on each kind of store; url gives each world one of its own.
func onEngines(t *testing.T, fn func(t *testing.T, url func() string)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, func() string { return "" }) })
	t.Run("postgres", func(t *testing.T) { fn(t, func() string { return pgtest.URL(t) }) })
}

// exec writes to the store what nobody else does.
func (w *world) write(sql string, args ...any) {
	w.t.Helper()
	if err := w.db.Do(context.Background(), func(tx store.Tx) error {
		_, err := tx.(sqlstore.Conn).Exec(sql, args...)
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
}

// compared says how many people wait to be compared.
func (w *world) compared() (n int) {
	w.t.Helper()
	if err := w.db.View(context.Background(), func(tx store.Tx) error {
		n = 0
		return sqlstore.Owed{}.Corrected(tx, 1<<62, 1000, func(plane.Corrected) { n++ })
	}); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// putOffs is what the node counts.
func (w *world) putOffs(reason string) float64 {
	return metricOf(w.t, w.Plane, "domicile_corrections_put_off_total", reason)
}

// Neither tenants that are gone nor people who can't be compared stand before those behind them.
func TestWhoCantBeComparedKeepsNobodyWaiting(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.identify("u1", "1")
		w.identify("broken", "1")
		s, broken := w.find("user_id", "u1"), w.find("user_id", "broken")
		w.gave(s, "sp-01")
		w.gave(broken, "sp-01")
		w.identify("broken", "2")
		w.write(`UPDATE subject SET wrapped = $1 WHERE tenant = 1 AND subject = $2`, make([]byte, 60), broken[:])
		for range 150 {
			nobody := id.NewSubject()
			w.write(`INSERT INTO corrected (tenant, subject, pos, n, at) VALUES (77, $1, 1, 1, 1)`, nobody[:])
		}
		w.restart() // no key is in memory
		w.identify("u1", "2")
		w.correct(anHour)
		w.wantNotices("the one who is behind 151 others", "correction=pending")
		if n := w.compared(); n != 151 || w.putOffs("tenant") != 150 || w.putOffs("failed") != 1 {
			t.Errorf("%d wait; put off: %v of no tenant, %v failed", n, w.putOffs("tenant"), w.putOffs("failed"))
		}
		for i, tt := range []struct {
			after time.Duration
			tried float64
		}{{50 * time.Second, 1}, {20 * time.Second, 2}, {time.Minute, 2}, {70 * time.Second, 3}, {3 * time.Minute, 3}, {70 * time.Second, 4}, {24 * time.Hour, 5}} {
			w.correct(tt.after)
			if got := w.putOffs("failed"); got != tt.tried {
				t.Errorf("step %d, %v later: tried %v times, want %v", i, tt.after, got, tt.tried)
			}
		}
		if got := w.putOffs("tenant"); got != 300 {
			t.Errorf("tenants that are gone were looked at %v times, want each once more in a day", got)
		}
	})
}

// What one node gave away another one owes, though it asked before and nobody had anything.
func TestWhatOneNodeGaveTheOtherOwes(t *testing.T) {
	a := newWorld(t, pgtest.URL(t))
	b := a.second()
	for _, w := range []*world{a, b} {
		w.identify("u1", "1")
		w.identify("u2", "1")
	}
	if n := a.compared(); n != 0 {
		t.Fatalf("%d are noted of whom nobody had anything", n)
	}
	a.gave(a.find("user_id", "u1"), "sp-01")
	for range 2 {
		b.identify("u1", "2")
		b.identify("u2", "2")
	}
	if n := b.compared(); n != 1 {
		t.Errorf("%d are noted, want the one of whom a recipient had something", n)
	}
}

// In one group are many people, of whom some gave something, some as somebody they turned out to be.
func TestManyAreNotedTogether(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		batch := func(round int) {
			var all []string
			for i := range 60 {
				all = append(all, typed("identify", fmt.Sprintf(`{"userId":"u%d","anonymousId":"a%d","messageId":"r%d-%d","traits":{"plan":%d}}`, i, i, round, i, round)))
			}
			w.now = w.now.Add(time.Second)
			if r := w.send(w.src, "/v1/batch", `{"batch":[`+strings.Join(all, ",")+`]}`); r.Accepted != 60 {
				t.Fatalf("%+v", r)
			}
		}
		for i := 40; i < 60; i++ { // known by this name alone, before
			w.send(w.src, "/v1/track", fmt.Sprintf(`{"anonymousId":"a%d","messageId":"t%d","event":"Viewed"}`, i, i))
			w.gave(w.find("anonymous_id", fmt.Sprint("a", i)), "sp-01")
			w.send(w.src, "/v1/track", fmt.Sprintf(`{"userId":"u%d","messageId":"v%d","event":"Viewed"}`, i, i))
		}
		batch(1)
		for i := range 20 {
			w.gave(w.find("user_id", fmt.Sprint("u", i)), "sp-01")
		}
		batch(2)
		if n := w.compared(); n != 40 {
			t.Errorf("%d are noted, want 40", n)
		}
		w.correct(anHour)
		if n := len(w.notices()); n != 20 { // the others had no plan before
			t.Errorf("%d notices, want 20", n)
		}
	})
}

// What is kept of somebody who moved and isn't erased ends in five years, and its key with it.
func TestWhatIsKeptOfAMoverEnds(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		r.ie.identify("u1", "1")
		s := r.ie.find("user_id", "u1")
		r.ie.gave(s, "sp-01")
		done, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		keys := func() (n int64) {
			if err := r.ie.db.View(t.Context(), func(tx store.Tx) error {
				return tx.(sqlstore.Conn).Query(`SELECT count(*) FROM told_key`, func(row sqlstore.Row) error { n = row.Int(0); return nil })
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		began := r.ie.now
		r.ie.now = began.Add(5*365*24*time.Hour - time.Hour)
		ran := time.Now()
		r.ie.runUntil("it has looked", func() bool { return time.Since(ran) > time.Second })
		r.ie.wantNotices("just before", "erasure=kept")
		if keys() != 1 {
			t.Error("its key is gone")
		}
		r.ie.now = began.Add(5*365*24*time.Hour + time.Hour)
		r.ie.runUntil("it ends", func() bool { return r.ie.noticeStates() == "erasure=expired" })
		if keys() != 0 {
			t.Error("its key is still there")
		}
		r.us.erase(done.Subject)
		words(t, r.us, r.ie, 1)
		r.ie.wantNotices("a word that comes later", "erasure=expired")
		if n := r.ie.notices()[0]; n.State != flow.NoticeExpired || n.DoneAt == 0 {
			t.Errorf("%+v", n)
		}
	})
}

// Whichever write fails, what is kept for too long ends whole.
func TestWhicheverWriteFailsWhatIsKeptEnds(t *testing.T) {
	onEngines(t, func(t *testing.T, url func() string) {
		for _, when := range []storetest.When{storetest.Before, storetest.After} {
			for step := 1; ; step++ {
				r := newRegions(t, url(), url())
				r.ie.identify("u1", "1")
				s := r.ie.find("user_id", "u1")
				r.ie.gave(s, "sp-01")
				if _, err := r.carry(s); err != nil {
					t.Fatal(err)
				}
				r.ie.close()
				var f *storetest.Faults
				r.ie.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
				r.ie.now = r.ie.now.Add(6 * 365 * 24 * time.Hour)
				f.FailAt(step, when)
				began := time.Now()
				r.ie.runUntil("it ends, or fails", func() bool {
					return f.Fired() || r.ie.noticeStates() == "erasure=expired" || time.Since(began) > 5*time.Second
				})
				fired := f.Fired()
				r.ie.restart()
				r.ie.runUntil("it ends", func() bool { return r.ie.noticeStates() == "erasure=expired" })
				if !fired {
					if step < 3 {
						t.Fatalf("only %d writes were seen", step-1)
					}
					break
				}
			}
		}
	})
}

// A word of a tenant that is gone doesn't stand before the others, and is looked at in a day.
func TestWordsOfNoTenantKeepNobodyWaiting(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		for i := range 300 {
			w.write(`INSERT INTO move_word (tenant, move, word, peer, kind, receipt, mac, at) VALUES (77, $1, 'wrd_x', 'us1', 'erasure', 'rcp_x', $2, 1)`, fmt.Sprint("mov_ie1_", i), []byte{1})
		}
		w.write(`INSERT INTO move_word (tenant, move, word, peer, kind, receipt, mac, at) VALUES (1, 'mov_ie1_a', 'wrd_x', 'us1', 'erasure', 'rcp_x', $1, 2)`, []byte{1})
		for range 20 {
			if list, err := w.Words(t.Context(), acmeOnly); err != nil {
				t.Fatal(err)
			} else if len(list) == 1 && list[0].Move == "mov_ie1_a" {
				return
			}
		}
		t.Error("the word stands behind those of nobody")
	})
}

// BenchmarkIngestIdentify commits batches of 100 identify events: of people of whom nobody had anything, of
// whom somebody else did, and of whom recipients have something of all.
func BenchmarkIngestIdentify(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, reach := range []string{"nobody", "another", "all"} {
			b.Run(engine+"/"+reach, func(b *testing.B) { benchIdentify(b, engine, reach) })
		}
	}
}

func benchIdentify(b *testing.B, engine, reach string) {
	url := ""
	if engine == "postgres" {
		url = pgtest.URL(b)
	}
	w := newWorld(b, url)
	const people = 10_000
	body := func(batch, round int) []byte {
		out := []byte(`{"batch":[`)
		for i := range 100 {
			if i > 0 {
				out = append(out, ',')
			}
			p := (batch*100 + i) % people
			out = fmt.Appendf(out, `{"type":"identify","userId":"u%d","messageId":"%d-%d-%d","traits":{"plan":%d}}`, p, round, batch, i, round)
		}
		return append(out, `]}`...)
	}
	for i := range people / 100 {
		w.send(w.src, "/v1/batch", string(body(i, 0)))
	}
	switch reach {
	case "another":
		w.gave(id.NewSubject(), "sp-01")
	case "all":
		w.write(`INSERT INTO flow_reach (tenant, subject, recipient, flow, form, first_at, last_at) SELECT tenant, subject, 'sp-01', 'f', 'clear', 1, 1 FROM subject`)
	}
	bodies := make([][]byte, b.N)
	for i := range bodies {
		bodies[i] = body(i, 1)
	}
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

// metricOf is what a counter of the plane says of one label's value.
func metricOf(t testing.TB, p *plane.Plane, name, label string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(p.Collectors()...)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
