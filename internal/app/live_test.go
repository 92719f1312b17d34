package app_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"domicile.dev/internal/app"
	"domicile.dev/internal/config"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
)

// document reads a page as JSON.
func document(t *testing.T, url string) *notice.Document {
	t.Helper()
	req, _ := http.NewRequest(http.MethodGet, url, nil)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	d := new(notice.Document)
	if err := json.Unmarshal(b, d); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d %s", url, resp.StatusCode, b)
	}
	return d
}

// said is what a section of a page, or an entry in it, says under a label.
func said(d *notice.Document, section, entry, label string) string {
	for _, s := range d.Sections {
		if s.ID != section {
			continue
		}
		facts := s.Facts
		for _, e := range s.Entries {
			if e.ID == entry {
				facts = e.Facts
			}
		}
		for _, f := range facts {
			if f.Label == label {
				return strings.Join(f.Values, "; ")
			}
		}
	}
	return ""
}

// until asks for a page until it says what is wanted.
func until(t *testing.T, url, section, label string, want func(string) bool) {
	t.Helper()
	got := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if got = said(document(t, url), section, "", label); want(got) {
			return
		}
	}
	t.Errorf("%s, %s, %s: %q", url, section, label, got)
}

// What a region's page claims of the others, their nodes say themselves, and it names what they don't.
func TestRegionsAreChecked(t *testing.T) {
	up, stop := startUp(t, t.TempDir())
	defer stop()
	ie1 := up.File.Regions[0].URL + "/privacy/regions"
	until(t, ie1, "us1", "It says", func(s string) bool { return s == "it is us1, in US; it enforces the programme of this page" })
	d := document(t, ie1)
	if got := said(d, "ie1", "", "Checked"); !strings.Contains(got, "this page comes from a node of this region") {
		t.Errorf("ie1: %q", got)
	}
	if got := said(d, "sg1", "", "Checked"); !strings.Contains(got, "not from here") || said(d, "sg1", "", "Declared") != "not running" {
		t.Errorf("sg1: %q", got)
	}
}

// A node that is another region than it should be, one that is gone, and one that says something else.
func TestARegionThatIsNotAsClaimed(t *testing.T) {
	answer := make(chan string, 1)
	answer <- `{"region":"us1","country":"DE","programme":"sha256:` + strings.Repeat("0", 64) + `"}`
	other := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := <-answer
		answer <- a
		_, _ = io.WriteString(w, a)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = other.Serve(l) }()
	defer other.Close()
	s := serveOf(t, "ie1", exampleProgramme(t), map[string]config.Peer{"us1": {URL: "http://" + l.Addr().String()}, "au1": {URL: "http://127.0.0.1:1"}})
	page := s.url + "/privacy/regions"
	until(t, page, "us1", "It says", func(s string) bool {
		return strings.HasPrefix(s, "it is in DE, not in US; it enforces another programme, sha256:000")
	})
	until(t, page, "au1", "It says", func(s string) bool { return s == "nothing, though it is declared as running" })
	<-answer
	answer <- `{"region":"<b>us1</b>","country":"US","programme":"x"}`
	s2 := serveOf(t, "ie1", exampleProgramme(t), map[string]config.Peer{"us1": {URL: "http://" + l.Addr().String()}})
	until(t, s2.url+"/privacy/regions", "us1", "Checked", func(s string) bool { return strings.HasPrefix(s, "its node didn't answer at") })
}

// serveOf opens a node of a region, with peers.
func serveOf(t *testing.T, region string, p *programme.Programme, peers map[string]config.Peer) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Node{Region: region, Listen: l.Addr().String(), Data: t.TempDir(), Peers: peers}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	n, err := app.Open(t.Context(), c, app.Options{Programme: p, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		<-done
		_ = n.Close()
	})
	return &served{n, t, "http://" + l.Addr().String()}
}

// The page of safeguards shows what the regions do: rotations, checkpoints, who cosigned them.
func TestSafeguardsAreOfNow(t *testing.T) {
	up, stop := startUp(t, t.TempDir())
	defer stop()
	page := up.File.Regions[0].URL + "/privacy/safeguards"
	until(t, page, "ledger", "Cosigned by us1", func(s string) bool { return strings.Contains(s, "leaves, at 20") })
	d := document(t, page)
	if s := said(d, "ledger", "", "Newest checkpoint"); !strings.HasSuffix(s, " leaves") || s == "0 leaves" {
		t.Errorf("checkpoint: %q", s)
	}
	if s := said(d, "transit", "", "Between you and this node"); !strings.HasPrefix(s, "plain HTTP") {
		t.Errorf("up listens without TLS, and its page says %q", s)
	}
	for label, want := range map[string]string{"Current epoch": "1", "Epochs whose key was destroyed": "0", "An epoch lasts": "7 days"} {
		if got := said(d, "erasure", "", label); got != want {
			t.Errorf("%s: %q, want %q", label, got, want)
		}
	}
}

func TestSafeguardsSeeARotation(t *testing.T) {
	s := serveOf(t, "ie1", exampleProgramme(t), nil)
	if _, err := app.RotateEpoch(t.Context(), s.Node); err != nil {
		t.Fatal(err)
	}
	d := document(t, s.url+"/privacy/safeguards")
	if got := said(d, "erasure", "", "Current epoch") + " " + said(d, "erasure", "", "Epochs whose key was destroyed"); got != "2 1" {
		t.Errorf("current epoch and destroyed ones after a rotation: %q", got)
	}
	if got := said(d, "ledger", "", "Cosigned by"); !strings.HasPrefix(got, "nobody") {
		t.Errorf("a region on its own: %q", got)
	}
}

// The versions of TLS on the page are those that the listener takes.
func TestSafeguardsTryTLS(t *testing.T) {
	dir := t.TempDir()
	c := node(dir)
	c.TLS = certificate(t, dir, 1)
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- app.ServeNode(ctx, c, app.Options{Programme: exampleProgramme(t), Log: quiet}, func(addr string) { ready <- addr })
	}()
	addr := <-ready
	old := http.DefaultTransport
	http.DefaultTransport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer func() { http.DefaultTransport = old }()
	d := document(t, "https://"+addr+"/privacy/safeguards")
	accepted, refused := said(d, "transit", "", "TLS versions that the listener accepted when it was tried"), said(d, "transit", "", "TLS versions that it refused")
	if accepted != "1.2; 1.3" || refused != "1.0; 1.1" {
		t.Errorf("accepted %q, refused %q", accepted, refused)
	}
	for _, v := range []uint16{tls.VersionTLS11, tls.VersionTLS12} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: v, MaxVersion: v})
		if (err == nil) != (v == tls.VersionTLS12) {
			t.Errorf("%s: %v", tls.VersionName(v), err)
		}
		if conn != nil {
			_ = conn.Close()
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A certificate that was looked up counts, on the page and in decisions; when it lapses it counts in neither.
func TestALapsedCertificateCountsNoMore(t *testing.T) {
	src, err := os.ReadFile("../decision/testdata/base/programme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(src), "entities:\n", "entities:\n  - {id: ex_jp, name: Tokyo KK, country: JP}\n", 1) +
		"\ncertifications:\n  - {id: apec_prp, name: APEC PRP, role: processor, holders: [ex_jp], agent: An agent, first_certified: 2022-09, renewal: 1 year, directory: 'https://www.cbprs.org/'}\n"
	p, err := programme.Load(fstest.MapFS{"programme.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	s := serveOf(t, "sg1", p, nil)
	decided := func() string {
		t.Helper()
		status, m := s.call(s.Operator, "POST", "/decide", map[string]any{"flow": "asian", "kind": "message", "tenant": "acme"})
		if status != 200 {
			t.Fatalf("%d %v", status, m)
		}
		form, _ := m["form"].(string)
		return form // counts are let out without a mechanism
	}
	page := func() string { // of today
		time.Sleep(2100 * time.Millisecond) // a live page is kept for two seconds
		return said(document(t, s.url+"/privacy/certifications"), "apec_prp", "apec_prp-ex_jp", "In decisions")
	}
	s.add("contracts", map[string]any{"id": "c1", "kind": "data_protection", "with": "Tokyo KK", "signed": day(-100)})
	if got := page(); got != "doesn't count" || decided() != "aggregated" {
		t.Errorf("never looked up: %q, %s", got, decided())
	}
	s.add("checks", map[string]any{"directory": "cbpr", "entity": "Tokyo KK", "scheme": "apec_prp", "status": "active", "checked": day(-3), "valid_until": day(30)})
	if got := page(); !strings.HasPrefix(got, "counts until "+day(27)) || decided() != "clear" {
		t.Errorf("listed: %q, %s", got, decided())
	}
	s.add("checks", map[string]any{"directory": "cbpr", "entity": "Tokyo KK", "scheme": "apec_prp", "status": "active", "checked": day(-2), "valid_until": day(-1)})
	if got := page(); got != "lapsed: it stopped counting after "+day(-1) || decided() != "aggregated" {
		t.Errorf("lapsed: %q, %s", got, decided())
	}
}
