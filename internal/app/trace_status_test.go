package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// A span has its answer's status; 5xx and what was broken off are errors, what a client did wrong is none.
func TestSpansSayHowItEnded(t *testing.T) {
	before := otel.GetTracerProvider()
	defer otel.SetTracerProvider(before)
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		status  int64
		code    codes.Code
		kind    string
	}{
		{"nothing written", func(http.ResponseWriter, *http.Request) {}, 200, codes.Unset, ""},
		{"a body alone", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) }, 200, codes.Unset, ""},
		{"a client's mistake", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, codes.Unset, ""},
		{"a server's", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(503) }, 503, codes.Error, "503"},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")); panic(http.ErrAbortHandler) }, 200, codes.Error, "aborted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(spans)))
			func() {
				defer func() { _ = recover() }()
				traced(tt.handler).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
			}()
			ended := spans.Ended()
			if len(ended) != 1 {
				t.Fatalf("%d spans ended", len(ended))
			}
			var status int64
			kind := ""
			for _, a := range ended[0].Attributes() {
				switch a.Key {
				case "http.response.status_code":
					status = a.Value.AsInt64()
				case "error.type":
					kind = a.Value.AsString()
				}
			}
			if got := ended[0].Status(); status != tt.status || got.Code != tt.code || got.Description != "" || kind != tt.kind {
				t.Errorf("status %d, %v, %q, want %d, %v, %q", status, got, kind, tt.status, tt.code, tt.kind)
			}
		})
	}
}
