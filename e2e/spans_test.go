package e2e

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
)

// spansAreClean runs a node that sends its spans to a collector, and wants no canary in them.
func spansAreClean(t *testing.T) {
	v := &visit{c: newCanaries(), seen: map[string][]byte{}}
	collector := httptest.NewServer(http.HandlerFunc(v.collect))
	defer collector.Close()
	v.w = serve(t, "", filepath.Join(t.TempDir(), "keyring"), "otlp: "+collector.URL, "peers: {us1: {url: 'http://127.0.0.1:9'}}")
	v.w.launch()
	if !v.w.readyOrGone() {
		t.Fatalf("domicile serve ended:\n%s", v.w.readLog())
	}
	ie1 := v.w.up.Regions[0]
	ie1.operator(t)
	v.w.up.Regions = []*region{addTenant(t, v.w, ie1, "globex")}
	us1 := *v.w.region("ie1") // the same node, asked with keys of a region that isn't its own
	us1.Sources = map[string]source{"segment": {WriteKey: "dwk_us1_" + word()}, "native": {Token: "dwk_us1_" + word()}}
	v.sendGood(t)
	v.sendBad(t, &us1)
	v.ask(t, nil)
	v.w.stop() // sends the last spans
	h, found := newHaystack(v.c.list), sightings{}
	v.searchOutside(t, h, found)
	found.report(t)
	if len(v.seen["a span"]) < 1000 {
		t.Errorf("%d bytes of spans reached the collector", len(v.seen["a span"]))
	}
}

// collect keeps what an OTLP exporter sends.
func (v *visit) collect(rw http.ResponseWriter, req *http.Request) {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		if z, err := gzip.NewReader(body); err == nil {
			body = z
		}
	}
	b, _ := io.ReadAll(body)
	v.saw("a span", string(b))
}
