package guard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/web/guard"
)

// canary stands where a person could be.
const canary = "kanarienvogel"

// world wraps one handler at /things/{thing}.
func world(h http.HandlerFunc) (http.Handler, *bytes.Buffer, *prometheus.Registry) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{thing}", h)
	g := guard.New(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), reg, guard.Options{AccessLog: true})
	return g.Wrap(mux), &log, reg
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("X-Secret", canary)
	r.RemoteAddr = "203.0.113.77:1234"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryKindHasItsStatus(t *testing.T) {
	for kind, want := range map[fault.Kind]int{fault.Internal: 500, fault.Invalid: 400, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404,
		fault.Conflict: 409, fault.Gone: 410, fault.TooLarge: 413, fault.WrongRegion: 421, fault.Unprocessable: 422, fault.RateLimited: 429, fault.Unavailable: 503} {
		if got := guard.Status(kind); got != want {
			t.Errorf("Status(%s) = %d, want %d", kind, got, want)
		}
		p := guard.Describe(fault.New(kind, "a.reason", "said").With("receipt", "r").With("status", 1))
		var m map[string]any
		b, err := json.Marshal(p)
		if err != nil || json.Unmarshal(b, &m) != nil {
			t.Fatalf("%s, %v", b, err)
		}
		if m["status"] != float64(want) {
			t.Errorf("%s: status %v, want %d: an extra member must not hide it", kind, m["status"], want)
		}
		if kind != fault.Internal && (m["reason"] != "a.reason" || m["detail"] != "said" || m["receipt"] != "r") {
			t.Errorf("%s: %s", kind, b)
		}
	}
}

func TestWhatIsNoFaultStaysInside(t *testing.T) {
	for _, err := range []error{errors.New(canary), fmt.Errorf("x: %w", io.ErrUnexpectedEOF), fault.New(fault.Internal, "store.broken", canary),
		fmt.Errorf("wrap %s: %w", canary, fault.New(fault.NotFound, "subject.not_found", "nobody").Because(errors.New(canary)))} {
		b, _ := json.Marshal(guard.Describe(err))
		if strings.Contains(string(b), canary) {
			t.Errorf("%s", b)
		}
	}
	if p := guard.Describe(context.DeadlineExceeded); p.Status != 503 {
		t.Errorf("out of time: %d, want 503", p.Status)
	}
	if p := guard.Describe(fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 5})); p.Status != 413 {
		t.Errorf("over-size: %d, want 413", p.Status)
	}
}

func TestRetryAfter(t *testing.T) {
	for want, err := range map[string]error{"1": fault.New(fault.Unavailable, "a.b", ""), "7": &fault.Error{Kind: fault.RateLimited, RetryAfterSeconds: 7},
		"3": &fault.Error{Kind: fault.Conflict, RetryAfterSeconds: 3}, "": fault.New(fault.NotFound, "a.b", "")} {
		w := httptest.NewRecorder()
		guard.Fail(w, err)
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v: Retry-After %q, want %q", err, got, want)
		}
	}
}

func TestAPanicIsAnswered(t *testing.T) {
	for name, value := range map[string]any{"a string": canary, "an error": errors.New(canary), "Go's own": nil} {
		t.Run(name, func(t *testing.T) {
			h, log, reg := world(func(http.ResponseWriter, *http.Request) {
				if value == nil {
					var m map[string]int
					m[canary] = 1
				}
				panic(value)
			})
			w := get(h, "/things/x")
			if w.Code != 500 || !strings.Contains(w.Body.String(), `"request":"req_`) || w.Header().Get("Content-Type") != guard.ProblemType {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if strings.Contains(log.String()+w.Body.String(), canary) {
				t.Errorf("what panicked is repeated: %s", log)
			}
			if !strings.Contains(log.String(), "guard_test.TestAPanicIsAnswered") {
				t.Errorf("the log does not say where: %s", log)
			}
			if n := metric(t, reg, "domicile_http_panics_total"); n != 1 {
				t.Errorf("%v panics counted, want 1", n)
			}
		})
	}
}

func TestHalfAnAnswerIsCutOff(t *testing.T) {
	h, _, reg := world(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("boom")
	})
	s := httptest.NewServer(h)
	defer s.Close()
	res, err := s.Client().Get(s.URL + "/things/x")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Error("half an answer reads as a whole one")
	}
	if n := metric(t, reg, "domicile_http_requests_total"); n != 1 {
		t.Errorf("%v requests counted, want 1", n)
	}
}

func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			sum := 0.0
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
			return sum
		}
	}
	return 0
}

func TestLogsAndMetricsNameRoutesAndNobody(t *testing.T) {
	h, log, reg := world(func(w http.ResponseWriter, _ *http.Request) {
		guard.Fail(w, fault.New(fault.NotFound, "thing.not_found", "no such thing"))
	})
	get(h, "/things/"+canary+"?q="+canary)
	get(h, "/elsewhere/"+canary)
	if l := log.String(); strings.Contains(l, canary) || strings.Contains(l, "203.0.113") || !strings.Contains(l, "GET /things/{thing}") {
		t.Errorf("log: %s", l)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprint(families)
	if strings.Contains(all, canary) || !strings.Contains(all, "GET /things/{thing}") || !strings.Contains(all, `value:"other"`) {
		t.Errorf("metrics: %s", all)
	}
}

func TestServerTalkHasNoAddresses(t *testing.T) {
	var log bytes.Buffer
	s := guard.NewServer(http.NotFoundHandler(), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	s.ErrorLog.Printf("http: TLS handshake error from %s: %s", "203.0.113.77:1234", canary)
	if l := log.String(); strings.Contains(l, "203.0.113") || strings.Contains(l, canary) || !strings.Contains(l, "tls handshake failed") {
		t.Errorf("log: %s", l)
	}
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Error("a limit is missing")
	}
}

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{"": "credential.missing", "Basic eA==": "credential.bad_scheme", "Bearer": "credential.bad_scheme", "Bearer  ": "credential.bad_scheme",
		"Bearer tok": "", "bearer tok": ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		token, err := guard.Bearer(r)
		if fault.ReasonOf(err) != want || err == nil && token != "tok" {
			t.Errorf("%q: %q, %v, want %q", header, token, err, want)
		}
	}
}

func TestBodiesAreLimited(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("123456"))
	w := httptest.NewRecorder()
	guard.LimitBody(w, r, 5)
	if _, err := io.ReadAll(r.Body); guard.Describe(err).Status != 413 {
		t.Errorf("%v, want an error for 413", err)
	}
}
