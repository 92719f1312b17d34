package segment_test

import (
	"testing"
	"time"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/ingest/segment/segmenttest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// kinds is every Segment call under one service, with rules such as a programme has.
type kinds map[string]*ingest.Kind

func (k kinds) Kind(service, name string) *ingest.Kind {
	if service != "cdp" {
		return nil
	}
	return k[name]
}

func testKinds(t testing.TB) kinds {
	rules := []ingest.Rule{
		{Path: "userId", Category: "identifiers"}, {Path: "anonymousId", Category: "device"}, {Path: "previousId", Category: "identifiers"},
		{Path: "traits", Category: "profile"}, {Path: "traits.email", Category: "contact"}, {Path: "traits.phone", Category: "contact"},
		{Path: "traits.address", Category: "contact"}, {Path: "context.traits", Category: "profile"}, {Path: "context.traits.email", Category: "contact"},
		{Path: "properties", Category: "online-activity"}, {Path: "event", Category: "online-activity"}, {Path: "name", Category: "online-activity"},
		{Path: "context.page", Category: "online-activity"}, {Path: "context.campaign", Category: "online-activity"},
		{Path: "context.ip", Category: "device"}, {Path: "context.userAgent", Category: "device"}, {Path: "context.userAgentData", Category: "device"},
		{Path: "context.device", Category: "device"}, {Path: "context.os", Category: "device"}, {Path: "context.screen", Category: "device"},
		{Path: "context.locale", Category: "usage"}, {Path: "context.timezone", Category: "usage"}, {Path: "context.consent", Category: "usage"},
		{Path: "context.library", Category: "usage", Owner: term.OwnerNobody}, {Path: "type", Category: "usage"}, {Path: "messageId", Category: "usage"},
		{Path: "timestamp", Category: "usage"}, {Path: "originalTimestamp", Category: "usage"}, {Path: "sentAt", Category: "usage"},
		{Path: "integrations", Category: "usage"}, {Path: "_metadata", Category: "usage"},
	}
	k := kinds{}
	for _, name := range []string{"track", "identify", "page", "screen", "group", "alias"} {
		kind, err := ingest.Compile("cdp", name, rules)
		if err != nil {
			t.Fatal(err)
		}
		k[name] = kind
	}
	return k
}

var received = time.Date(2026, 11, 22, 6, 46, 0, 0, time.UTC)

func env(t testing.TB) ingest.Env {
	return ingest.Env{ReceivedAt: received, Kinds: testKinds(t), Service: "cdp"}
}

// BenchmarkDecode decodes and splits a batch of 100 events of 592 bytes.
func BenchmarkDecode(b *testing.B) {
	body, e := segmenttest.New(1, 100).AppendBatch(nil, 100, "dwk_ie1_test"), env(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		batch, err := segment.Decode("/v1/batch", body, e)
		if err != nil {
			b.Fatal(err)
		}
		batch.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
}

// BenchmarkDecodeOne decodes a request with a single event.
func BenchmarkDecodeOne(b *testing.B) {
	body, e := segmenttest.New(1, 100).AppendEvent(nil), env(b)
	b.ReportAllocs()
	for b.Loop() {
		batch, err := segment.Decode("/v1/track", body, e)
		if err != nil {
			b.Fatal(err)
		}
		batch.Release()
	}
}

// BenchmarkScan only maps the same batch.
func BenchmarkScan(b *testing.B) {
	body := segmenttest.New(1, 100).AppendBatch(nil, 100, "dwk_ie1_test")
	var d scan.Doc
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := d.ParseAll(body, scan.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
}
