package flowtest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// Canary stands in everything that must not get into an error: lines of a body, answers, their
// headers, and, where a connector's test puts it there, the recipient's address.
const Canary = "kanarienvogel"

// Behaviour answers one request. next is the recipient as it should be.
type Behaviour func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Server is a recipient's HTTP server, which behaves as a test tells it.
type Server struct {
	URL   string         // without a slash at the end
	Roots *x509.CertPool // nil for plain HTTP

	next     http.Handler
	requests atomic.Int64
	mu       sync.Mutex
	how      Behaviour // guarded by mu; nil is next
}

// NewServer starts a server in front of next. With tlsConfig it speaks TLS with the certificate of
// httptest.
func NewServer(t testing.TB, next http.Handler, tlsConfig *tls.Config) *Server {
	s := &Server{next: next}
	h := httptest.NewUnstartedServer(s)
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	if tlsConfig != nil {
		h.TLS = tlsConfig
		h.StartTLS()
		s.Roots = x509.NewCertPool()
		s.Roots.AddCert(h.Certificate())
	} else {
		h.Start()
	}
	s.URL = h.URL
	t.Cleanup(func() { h.CloseClientConnections(); h.Close() })
	return s
}

// Do makes the server behave so from now on; nil is as it should be.
func (s *Server) Do(how Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.how = how
}

// Requests is how many came.
func (s *Server) Requests() int { return int(s.requests.Load()) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	s.mu.Lock()
	how := s.how
	s.mu.Unlock()
	if how == nil {
		s.next.ServeHTTP(w, r)
		return
	}
	how(w, r, s.next)
}

// answers takes the whole body and answers with status.
func answers(status int, header ...string) Behaviour {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("X-Echo", Canary)
		w.WriteHeader(status)
		if status != http.StatusNoContent && status != http.StatusNotModified {
			_, _ = fmt.Fprintf(w, `{"error":%q,"reason":%q}`, Canary, Canary)
		}
	}
}

// reset takes the body and ends the connection rudely.
func reset(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body)
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	raw := c
	if t, ok := c.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	_ = raw.(*net.TCPConn).SetLinger(0)
	_ = raw.Close()
}

// half lets the recipient take it all, and loses the second half of the answer.
func half(w http.ResponseWriter, r *http.Request, next http.Handler) {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()+1000))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(rec.Body.Bytes())
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// lost lets the recipient take it all, and no byte of the answer comes back.
func lost(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	reset(w, r, nil)
}

// empty lets the recipient take it all, and answers without a body.
func empty(status int) Behaviour {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(status)
	}
}

// huge lets the recipient take it all, and answers with more than anybody wants. wrote is told what
// was taken of it.
func huge(wrote *atomic.Int64) Behaviour {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusOK)
		chunk := bytes.Repeat([]byte(Canary), 5000)
		for range hugeBytes / len(chunk) {
			n, err := w.Write(chunk)
			wrote.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

const hugeBytes = 256 << 20

// early acknowledges before it has taken the body.
func early(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	_ = http.NewResponseController(w).EnableFullDuplex() // so that net/http doesn't read the body first
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
}

// gate lets a test look at a request while it is there.
type gate struct {
	there chan struct{} // one for each request that has come
	open  chan struct{} // closed when they may go on
	once  sync.Once
}

func newGate(t testing.TB) *gate {
	g := &gate{there: make(chan struct{}, 100), open: make(chan struct{})}
	t.Cleanup(g.release)
	return g
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

// hold takes the whole body, waits, and lets the recipient have it.
func (g *gate) hold(w http.ResponseWriter, r *http.Request, next http.Handler) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	g.there <- struct{}{}
	<-g.open
	r.Body = io.NopCloser(bytes.NewReader(body))
	next.ServeHTTP(w, r)
}

// stall waits before it takes the body, and counts what then still comes of it.
func (g *gate) stall(got *atomic.Int64, done chan<- error) Behaviour {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		g.there <- struct{}{}
		<-g.open
		n, err := io.Copy(io.Discard, r.Body)
		got.Add(n)
		done <- err
		panic(http.ErrAbortHandler)
	}
}
