package app

import (
	"context"
	"net/http"
	"os"
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

// startTracing sends spans to an OTLP endpoint ("http://host:4318") from now until flush. Without
// an endpoint it does nothing.
func startTracing(ctx context.Context, endpoint, region, version string) (flush func(), err error) {
	if endpoint = Endpoint(endpoint); endpoint == "" {
		return func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, err
	}
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
