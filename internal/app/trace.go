package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Endpoint returns where traces go: what the configuration says, else OTEL_EXPORTER_OTLP_ENDPOINT of
// the OpenTelemetry specification, else nowhere.
func Endpoint(configured string) string {
	if configured != "" {
		return configured
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
}

// tracesURL returns the address at which the collector of an endpoint takes traces: /v1/traces below
// it, as the specification of OTLP/HTTP has it. An endpoint that says so already is left alone.
func tracesURL(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	if !strings.HasSuffix(u.Path, "/v1/traces") {
		u = u.JoinPath("v1", "traces")
	}
	return u.String(), nil
}

// startTracing sends spans to an OTLP endpoint ("http://host:4318") from now until flush. Without
// an endpoint it does nothing. What can't be sent is dropped, and log says so.
func startTracing(ctx context.Context, log *slog.Logger, endpoint, region, version string) (flush func(), err error) {
	if endpoint = Endpoint(endpoint); endpoint == "" {
		return func() {}, nil
	}
	at, err := tracesURL(endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(at))
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces can't be sent", "error", err) }))
	p := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "domicile"), attribute.String("service.version", version), attribute.String("domicile.region", region))))
	otel.SetTracerProvider(p)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = p.Shutdown(ctx)
	}, nil
}

// method is what a span says of a request's method: a client may send any word.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "_OTHER"
}

// traced gives every request a span. A span holds the method, the status and the route, never the
// path, the query or an address: those can name people.
func traced(next http.Handler) http.Handler {
	tracer := otel.Tracer("domicile.dev")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(r.Context(), "request", oteltrace.WithSpanKind(oteltrace.SpanKindServer),
			oteltrace.WithAttributes(attribute.String("http.request.method", method(r.Method))))
		r2, told := r.WithContext(ctx), &statusWriter{ResponseWriter: w}
		defer func() { // also of a handler that panics, as those do whose answer is cut off
			told.note(span)
			if r2.Pattern != "" {
				span.SetAttributes(attribute.String("http.route", r2.Pattern))
			}
			span.End()
		}()
		next.ServeHTTP(told, r2)
		told.ended = true
	})
}

// statusWriter remembers the status of an answer for its span.
type statusWriter struct {
	http.ResponseWriter
	status int
	ended  bool // whether the handler returned
}

// WriteHeader implements http.ResponseWriter.
func (s *statusWriter) WriteHeader(status int) {
	if s.status == 0 && status >= 200 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (s *statusWriter) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// note sets what the semantic conventions for HTTP servers want: the status, and an error for 5xx and
// for an answer that was broken off. What a client did wrong is no error of the server.
func (s *statusWriter) note(span oteltrace.Span) {
	if s.status == 0 && s.ended {
		s.status = http.StatusOK
	}
	if s.status > 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", s.status))
	}
	switch {
	case s.status >= 500:
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", strconv.Itoa(s.status)))
	case !s.ended:
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", "aborted"))
	}
}
