package guard

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"net/http"
	"time"
)

// Timeouts of a listener. Whoever streams prolongs the deadlines as bytes move, see Stream.
const (
	headTimeout  = 10 * time.Second
	readTimeout  = 60 * time.Second
	writeTimeout = 60 * time.Second
	idleTimeout  = 120 * time.Second
	maxHeadBytes = 32 << 10
)

// NewServer returns a server for h with limits on time and size. Its own talk goes to l without the
// addresses that net/http puts into it.
func NewServer(h http.Handler, l *slog.Logger) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: headTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeadBytes, ErrorLog: log.New(talk{l}, "", 0)}
}

// talk takes net/http's log lines, which name clients' addresses and may quote what they sent, and
// keeps what they are about.
type talk struct{ log *slog.Logger }

func (t talk) Write(b []byte) (int, error) {
	about, level := "other", slog.LevelDebug
	switch {
	case bytes.Contains(b, []byte("TLS handshake error")):
		about = "tls handshake failed"
	case bytes.Contains(b, []byte("Accept error")):
		about, level = "cannot accept connections", slog.LevelError
	case bytes.Contains(b, []byte("panic")):
		about, level = "panic outside of a handler", slog.LevelError
	}
	t.log.Log(context.Background(), level, "http server", "about", about)
	return len(b), nil
}

// Hurry gives the client of w so long to send the body, and returns what gives it the listener's
// time again. Where that isn't possible the listener's time stays.
func Hurry(w http.ResponseWriter, d time.Duration) (restore func()) {
	c := http.NewResponseController(w)
	began := time.Now()
	if d >= readTimeout || c.SetReadDeadline(began.Add(d)) != nil {
		return func() {}
	}
	return func() { _ = c.SetReadDeadline(began.Add(readTimeout)) }
}

// Stream returns w for long answers: every write gives the client another minute to take it.
func Stream(w http.ResponseWriter) *Streamer {
	return &Streamer{w: w, c: http.NewResponseController(w)}
}

// Streamer writes a long answer.
type Streamer struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	next time.Time // when the deadline is prolonged again
}

// Write prolongs the deadline at most once a second; where that isn't possible the server's stays.
func (s *Streamer) Write(b []byte) (int, error) {
	if now := time.Now(); now.After(s.next) {
		_ = s.c.SetWriteDeadline(now.Add(writeTimeout))
		s.next = now.Add(time.Second)
	}
	return s.w.Write(b)
}

// Flush sends what is buffered.
func (s *Streamer) Flush() error { return s.c.Flush() }
