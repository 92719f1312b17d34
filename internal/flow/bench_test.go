package flow_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"domicile.dev/internal/flow"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// BenchmarkFlow takes messages of 2,000 people from the store to a recipient that takes everything:
// read, look up, decide, open, write down, enter, deliver, move on.
func BenchmarkFlow(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			url := ""
			if engine == "postgres" {
				url = pgtest.URL(b)
			}
			r := newRegion(b, url)
			n := r.open(nil)
			n.runner = n.newRunnerWith(n.db, flow.Options{Now: r.now, Poll: 10 * time.Millisecond})
			const batch = 500
			total := (b.N + batch - 1) / batch * batch
			n.fill(total, batch)
			r.to.null = true
			n.order(flow.Start, "0")
			b.ReportAllocs()
			b.ResetTimer()
			n.run()
			for r.to.count.Load() < int64(total) {
				time.Sleep(time.Millisecond)
			}
			b.StopTimer()
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "records/s")
			n.close()
		})
	}
}

// fill stores messages, some in a request.
func (n *node) fill(total, batch int) {
	n.t.Helper()
	src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_ie1_native", Adapter: term.AdapterNative, Trust: term.Server}
	var body bytes.Buffer
	for i := 0; i < total; {
		body.Reset()
		for range batch {
			phone := fmt.Sprintf("+35386%07d", i%2000)
			fmt.Fprintf(&body, `{"id":"m%d","kind":"message","service":"messaging","subjects":[{"type":"phone","value":%q,"role":"sender"},{"type":"phone","value":"+15550100","role":"own"}],`+
				`"data":{"from":%q,"to":"+15550100","body":"a text of some words, number %d","message_id":"SM%032d","num_segments":"1"}}`+"\n", i, phone, phone, i, i)
			i++
		}
		in, err := native.Decode("", body.Bytes(), ingest.Env{ReceivedAt: n.now(), Kinds: example().kinds})
		if err != nil {
			n.t.Fatal(err)
		}
		if r, err := n.plane.Ingest(context.Background(), src, in); err != nil || r.Accepted != batch {
			n.t.Fatalf("%d of %d, %v", r.Accepted, batch, err)
		}
		in.Release()
	}
}
