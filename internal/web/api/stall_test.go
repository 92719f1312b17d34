package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/web/api"
)

// stalls is a listener whose clients begin a request and never end it.
type stalls struct {
	*door
	addr string
}

func newStalls(t *testing.T, opt api.IngestOptions) *stalls {
	t.Helper()
	d := newDoor(t)
	opt.URL, opt.Now = hookURL, func() time.Time { return now }
	in := api.NewIngest(eventSources{d.intake}, d.intake, d.intake, opt)
	h := api.NewWebhooks(in, d, api.TwilioWebhook(), api.SendGridWebhook(), api.WhatsAppWebhook(), api.CloudEventsWebhook())
	s := httptest.NewServer(h.First(in.First(http.NotFoundHandler())))
	t.Cleanup(s.CloseClientConnections) // of those that stall, so that Close doesn't wait for them
	t.Cleanup(s.Close)
	d.handler = h.First(in.First(http.NotFoundHandler()))
	return &stalls{d, s.Listener.Addr().String()}
}

// begin announces a body of n bytes and sends all but the last.
func (s *stalls) begin(t *testing.T, path string, n int, headers string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { // a refused request's body is not read
		_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n", path, n, headers)
		_, _ = c.Write(bytes.Repeat([]byte(" "), n-1))
	}()
	return c
}

// filled waits until path has no room for a request more.
func (s *stalls) filled(t *testing.T, ask func() *httptest.ResponseRecorder) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w := ask()
		if w.Code == 429 && strings.Contains(w.Body.String(), "ingest.busy") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still %d %s: what stalls is not bounded", w.Code, w.Body)
		}
	}
}

func TestStalledWebhooksKeepOutTheirOwnSourceAlone(t *testing.T) {
	s := newStalls(t, api.IngestOptions{})
	const path = "/whatsapp/src_ie1_whatsapp"
	for range 12 { // times 4 MiB less a byte: as much as all bodies may have
		s.begin(t, path, 4<<20, "")
	}
	s.filled(t, func() *httptest.ResponseRecorder {
		return s.signed(t, "whatsapp", path, bodyOf("whatsapp")+strings.Repeat(" ", 3<<20))
	})
	s.took()
	for vendor, n := range map[string]int{"twilio": 0, "sendgrid": 4<<20 - 1<<10, "cloudevents": 4 << 20} {
		if w := s.signed(t, vendor, "/"+vendor+"/src_ie1_"+vendor, bodyOf(vendor)+strings.Repeat(" ", n)); w.Code >= 300 || len(s.took()) != 1 {
			t.Errorf("%s while another source's stall: %d %s", vendor, w.Code, w.Body)
		}
	}
}

func TestStalledBatchesWithoutAKeyKeepOutTheirOwnPeerAlone(t *testing.T) {
	s := newStalls(t, api.IngestOptions{ClientIP: "X-Real-Ip", InFlightBytes: 4 << 20,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("127.0.0.0/8")}})
	batch := func(ip string, n int) func() *httptest.ResponseRecorder {
		body := aBatch(`,"writeKey":"` + serverKey + `","x":"` + strings.Repeat("y", n) + `"`)
		return func() *httptest.ResponseRecorder {
			r, w := httptest.NewRequest("POST", "/v1/batch", strings.NewReader(body)), httptest.NewRecorder()
			r.Header.Set("X-Real-Ip", ip)
			s.handler.ServeHTTP(w, r)
			return w
		}
	}
	for range 8 {
		s.begin(t, "/v1/batch", 400<<10, "X-Real-Ip: 203.0.113.7\r\n")
	}
	s.filled(t, batch("203.0.113.7", 300<<10))
	if w := batch("198.51.100.1", 300<<10)(); w.Code != 200 {
		t.Errorf("another peer: %d %s", w.Code, w.Body)
	}
	for n := range 8 { // now by many
		s.begin(t, "/v1/batch", 400<<10, fmt.Sprintf("X-Real-Ip: 203.0.113.%d\r\n", 10+n))
	}
	s.filled(t, batch("203.0.113.99", 300<<10))
	if w := s.sms(t, "/twilio/src_ie1_twilio"); w.Code != 200 {
		t.Errorf("a webhook: %d %s", w.Code, w.Body)
	}
}

// Whoever isn't known has less time than the listener gives, and a connection goes on after it.
func TestABodyOfSomebodyUnknownIsNotWaitedForLong(t *testing.T) {
	s := newStalls(t, api.IngestOptions{Patience: 200 * time.Millisecond})
	for path, headers := range map[string]string{"/twilio/src_ie1_twilio": "Content-Type: " + formType + "\r\n", "/v1/batch": ""} {
		began := time.Now()
		c := s.begin(t, path, 1<<10, headers)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		b, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 503 || !strings.Contains(string(b), "body.cut_short") || time.Since(began) > 10*time.Second {
			t.Errorf("%s: %d %s after %s", path, resp.StatusCode, b, time.Since(began))
		}
	}
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for n := range 2 {
		if n > 0 {
			time.Sleep(400 * time.Millisecond) // the time of the first one's body is over
		}
		_, _ = fmt.Fprintf(c, "POST /twilio/src_ie1_twilio HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nX-Twilio-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
			formType, signTwilio(hookToken, hookURL+"/twilio/src_ie1_twilio", anSMS), len(anSMS), anSMS)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("request %d on one connection: %v, %v", n, resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}

// A body that is verified waits for the store for longer than it may take to come.
func TestAVerifiedBodyIsNoLongerAStrangers(t *testing.T) {
	s := newStalls(t, api.IngestOptions{Patience: 50 * time.Millisecond, InFlightBytes: 128 << 10}) // 16 KiB for each source
	s.wait = make(chan struct{})
	const path = "/twilio/src_ie1_twilio"
	answers := make(chan int, 2)
	for range 2 {
		go func() { answers <- s.sms(t, path).Code }()
		<-s.began
	}
	time.Sleep(100 * time.Millisecond)
	close(s.wait)
	for range 2 {
		if got := <-answers; got != 200 {
			t.Errorf("answered %d", got)
		}
	}
}

func TestStalledBodiesWithAPublicKeyKeepOutTheirOwnSourceAlone(t *testing.T) {
	s := newStalls(t, api.IngestOptions{InFlightBytes: 4 << 20}) // 1.5 MiB for a public source
	for range 12 {
		s.begin(t, "/v1/batch", 400<<10, "Authorization: "+basic(publicKey)+"\r\n")
	}
	large := aBatch(`,"x":"` + strings.Repeat("y", 450<<10) + `"`)
	send := func(key string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("POST", "/v1/batch", strings.NewReader(large)), httptest.NewRecorder()
		r.Header.Set("Authorization", basic(key))
		s.handler.ServeHTTP(w, r)
		return w
	}
	s.filled(t, func() *httptest.ResponseRecorder { return send(publicKey) })
	if w := send(serverKey); w.Code != 200 {
		t.Errorf("a server's key: %d %s", w.Code, w.Body)
	}
	if w := s.sms(t, "/twilio/src_ie1_twilio"); w.Code != 200 {
		t.Errorf("a webhook: %d %s", w.Code, w.Body)
	}
}
