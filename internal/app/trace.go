package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
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
		defer span.End()
		r2 := r.WithContext(ctx)
		next.ServeHTTP(w, r2)
		if r2.Pattern != "" {
			span.SetAttributes(attribute.String("http.route", r2.Pattern))
		}
	})
}
