package app

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
)

// Collectors take traces at /v1/traces below the endpoint (OpenTelemetry protocol exporter,
// "Endpoint URLs for OTLP/HTTP"), and at no other path.
func TestSpansGoWhereCollectorsTakeThem(t *testing.T) {
	for _, tt := range []struct{ name, below, path string }{
		{"bare", "", "/v1/traces"},
		{"slash", "/", "/v1/traces"},
		{"below a path", "/otlp", "/otlp/v1/traces"},
		{"whole", "/v1/traces", "/v1/traces"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			paths := make(chan string, 8)
			collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths <- r.URL.Path }))
			defer collector.Close()
			flush, err := startTracing(context.Background(), slog.New(slog.DiscardHandler), collector.URL+tt.below, "ie1", "test")
			if err != nil {
				t.Fatal(err)
			}
			_, span := otel.Tracer("test").Start(context.Background(), "request")
			span.End()
			flush()
			select {
			case got := <-paths:
				if got != tt.path {
					t.Errorf("spans went to %s, want %s", got, tt.path)
				}
			default:
				t.Error("no span reached the collector")
			}
		})
	}
}

// A collector that is away is in the node's own log, in its form.
func TestALostCollectorIsLogged(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	var log bytes.Buffer
	flush, err := startTracing(context.Background(), slog.New(slog.NewJSONHandler(&log, nil)), gone.URL, "ie1", "test")
	if err != nil {
		t.Fatal(err)
	}
	_, span := otel.Tracer("test").Start(context.Background(), "request")
	span.End()
	flush()
	if !strings.Contains(log.String(), `"level":"WARN"`) || !strings.Contains(log.String(), "traces") {
		t.Errorf("the log says: %q", log.String())
	}
}
