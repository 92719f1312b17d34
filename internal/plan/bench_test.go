package plan_test

import (
	"strings"
	"testing"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/segment"
)

// BenchmarkDecode is one event, of a source without a plan and of one with.
func BenchmarkDecode(b *testing.B) {
	const body = `{"userId":"u1","messageId":"m1","event":"Order Completed","properties":{"order_id":"o1","total":9.5,"utm_source":"x","customer":{"tier":"gold"},"products":[{"sku":"s","price":2},{"sku":"t","price":3}]},"context":{"ip":"203.0.113.7","page":{"url":"https://example.com/"}}}`
	planned := kinds(b, strings.Replace(shop, "SETTINGS", keepAll, 1))
	for name, k := range map[string]ingest.Kinds{"without a plan": ingesttest.Env(b).Kinds, "planned": planned} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				batch, err := segment.Decode("/v1/track", []byte(body), ingest.Env{ReceivedAt: ingesttest.Received, Kinds: k, Service: "cdp"})
				if err != nil || len(batch.Events[0].Findings) > 0 {
					b.Fatal(err)
				}
				batch.Release()
			}
		})
	}
}
