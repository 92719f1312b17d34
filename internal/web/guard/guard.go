// Package guard stands between the network and every handler: it turns faults into problems, names
// requests, ends panics, counts, and keeps personal data out of what it writes about them. What it
// logs of a request is the pattern of its route, never its path, query, headers or address.
package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
)

// Options tunes a Guard. The zero value is right for most nodes.
type Options struct {
	// AccessLog writes a line for every request at level info. Without it, only those that failed
	// inside are logged.
	AccessLog bool
	// TLS says that the listener speaks it, so that browsers are told to use nothing else.
	TLS bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Guard wraps handlers. It is safe for concurrent use.
type Guard struct {
	log *slog.Logger
	opt Options

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	panics   prometheus.Counter
}

// New returns a Guard that writes to log and registers its metrics with reg.
func New(log *slog.Logger, reg prometheus.Registerer, opt Options) *Guard {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	g := &Guard{log: log, opt: opt,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "domicile_http_requests_total",
			Help: "Requests answered, by route and status."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "domicile_http_request_seconds",
			Help:    "Time from a request's head to the end of its answer, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "domicile_http_in_flight", Help: "Requests being answered."}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "domicile_http_panics_total", Help: "Handlers that panicked."}),
	}
	reg.MustRegister(g.requests, g.seconds, g.inFlight, g.panics)
	return g
}

// Wrap returns next with all that every request gets. Routes are told by (*http.Request).Pattern,
// which http.ServeMux sets and a handler may set; next must be given the same *http.Request.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := g.opt.Now()
		w := &writer{ResponseWriter: rw, id: id.New("req", 10)}
		secure(rw.Header(), g.opt.TLS)
		g.inFlight.Inc()
		defer func() {
			g.inFlight.Dec()
			if p := recover(); p != nil {
				g.panicked(w, r, p)
			}
			g.done(w, r, g.opt.Now().Sub(start))
		}()
		next.ServeHTTP(w, r)
	})
}

// done counts a request and logs it.
func (g *Guard) done(w *writer, r *http.Request, took time.Duration) {
	route := r.Pattern
	if route == "" {
		route = "other"
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	g.requests.WithLabelValues(route, strconv.Itoa(w.status)).Inc()
	g.seconds.WithLabelValues(route).Observe(took.Seconds())
	level := slog.LevelDebug
	switch {
	case w.err != nil && inside(w.err):
		level = slog.LevelError
	case g.opt.AccessLog:
		level = slog.LevelInfo
	}
	if !g.log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{slog.String("request", w.id), slog.String("route", route), slog.Int("status", w.status),
		slog.Int64("bytes", w.bytes), slog.Duration("took", took)}
	if w.err != nil {
		attrs = append(attrs, slog.String("error", said(w.err)))
	}
	g.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// said is err's text, but for trouble on the connection: that would name the client's address.
func said(err error) string {
	if op := new(net.OpError); errors.As(err, &op) {
		return "connection: " + op.Op
	}
	return err.Error()
}

// inside says whether somebody should be woken for err.
func inside(err error) bool {
	op := new(net.OpError)
	return !errors.As(err, &op) && Status(classify(err).Kind) == http.StatusInternalServerError
}

// panicked answers for a handler that panicked. A panic's value may hold anything, so of those that
// aren't Go's own only the type is logged; a stack is logged without arguments, which hold values.
func (g *Guard) panicked(w *writer, r *http.Request, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http compares it
		w.status = statusAborted
		g.done(w, r, 0)
		panic(p)
	}
	g.panics.Inc()
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	g.log.LogAttrs(r.Context(), slog.LevelError, "handler panicked", slog.String("request", w.id),
		slog.String("route", r.Pattern), slog.String("panic", what), slog.Any("stack", stack()))
	if w.status == 0 {
		Fail(w, fault.New(fault.Internal, "internal", "").Because(errors.New("panic")))
		return
	}
	g.done(w, r, 0)
	panic(http.ErrAbortHandler) // half an answer must not look like a whole one
}

// statusAborted is counted for answers that were cut off on purpose.
const statusAborted = 499

// stack returns the functions and lines above the panic.
func stack() (frames []string) {
	pcs := make([]uintptr, 48)
	all := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	for {
		f, more := all.Next()
		frames = append(frames, f.Function+":"+strconv.Itoa(f.Line))
		if !more {
			return frames
		}
	}
}

// writer remembers what was answered.
type writer struct {
	http.ResponseWriter
	id     string
	status int
	bytes  int64
	err    error
}

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// find returns the Guard's writer under w, nil when there is none.
func find(w http.ResponseWriter) *writer {
	for {
		switch v := w.(type) {
		case *writer:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
}

// RequestID returns the id of the request that w answers, "" outside of a Guard.
func RequestID(w http.ResponseWriter) string {
	if g := find(w); g != nil {
		return g.id
	}
	return ""
}

// Note keeps err for the log of the request that w answers.
func Note(w http.ResponseWriter, err error) {
	if g := find(w); g != nil {
		g.err = err
	}
}
