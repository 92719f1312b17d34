package app

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/http/pprof"
	"os"
	"path"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/api"
	"domicile.dev/internal/web/guard"
)

// routes puts everything that a region answers under one handler.
func (n *Node) routes(r *rules, ledgerPages, privacyPages, demo http.Handler) http.Handler {
	mux := http.NewServeMux()
	if n.demo = demo != nil; n.demo {
		mux.Handle("/demo/", demo)
	}
	mux.Handle("/ledger/", ledgerPages)
	mux.Handle("/privacy/", privacyPages)
	mux.Handle("/.well-known/security.txt", privacyPages)
	mux.Handle("/.well-known/gpc.json", privacyPages)
	mux.HandleFunc("GET /privacy/regions/here", n.here)
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", n.ready)
	mux.HandleFunc("GET /health", n.ready) // where RudderStack's gateway has it
	mux.HandleFunc("POST /moves/{move}/activate", n.hearMove)
	mux.HandleFunc("POST /moves/{move}/tell", n.hearWord)
	mux.HandleFunc("GET /{$}", n.front)
	if os.Getenv("DOMICILE_PPROF") == "1" {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		guard.Fail(w, fault.New(fault.NotFound, "path.unknown", "there is nothing here").WithHint("GET / lists what there is"))
	})
	// The API stands before the mux, which would redirect a doubled slash and turn a POST into a GET.
	rest := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(path.Clean(r.URL.Path)+"/", "/api/") {
			n.api.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	in := api.NewIngest(n.Tenants, n.Plane, r, api.IngestOptions{Region: n.Config.Region, URL: n.Config.URL, ClientIP: n.Config.ClientIP, TrustedProxies: n.Config.Proxies(), Tokens: n.Tenants, Media: n.Plane, Notices: n.Plane, Log: n.log, Planned: r.planned})
	desk := n.desk(in.Peer)
	mux.Handle("/privacy/subscriptions", desk)
	mux.Handle("/privacy/subscriptions/", desk)
	return api.NewWebhooks(in, n.Tenants, vendors...).First(in.First(rest))
}

// ready says whether the node can do its work: its store answers.
func (n *Node) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := n.db.View(ctx, func(store.Tx) error { return nil }); err != nil {
		guard.Fail(w, &fault.Error{Kind: fault.Unavailable, Reason: "store.unavailable", Public: "the store does not answer",
			Hint: "see the log of this node", Err: err})
		return
	}
	_, _ = fmt.Fprintln(w, "ready")
}

var frontPage = template.Must(template.New("front").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Domicile, region {{.Region}}</title>
<style>
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem } code, pre { font-family: ui-monospace, monospace; font-size: .9rem }
pre { overflow-x: auto; padding: .75rem 1rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .4rem }
code { overflow-wrap: anywhere } dt { font-weight: 600 } dd { margin: 0 0 .5rem }
</style>
<main>
<h1>Domicile, region {{.Region}}</h1>
<p>Personal data that is sent here stays here: sealed under a key per person, findable, erasable.</p>
<dl>
<dt>Place</dt><dd>{{.Place}}</dd>
<dt>Programme</dt><dd><code>{{.Programme}}</code></dd>
<dt>Tenants</dt><dd>{{.Tenants}}</dd>
<dt>Commit groups since start</dt><dd>{{.Groups}}, with {{.Accepted}} records</dd>
</dl>
<h2>Send</h2>
<pre>curl {{.URL}}/v1/track -u "$WRITE_KEY:" -H 'content-type: application/json' \
  -d '{"userId":"user-1","event":"Signed Up","messageId":"m-1"}'</pre>
<p>Write keys and the API token of <code>domicile up</code> are in its <code>up.json</code>.</p>
<h2>Look</h2>
<ul>{{if .Demo}}
<li><a href="/demo/">What the demo’s recipients got</a></li>{{end}}
<li><a href="/privacy/">Privacy centre</a></li>
<li><a href="/api/docs">API</a>, and as <a href="/api/openapi.json">OpenAPI</a></li>
<li><a href="/ledger/checkpoint">Ledger: newest checkpoint</a>, and the <a href="/ledger/key">key</a> that signs it</li>
<li><a href="/metrics">Metrics</a>, <a href="/healthz">health</a>, <a href="/readyz">readiness</a></li>
</ul>
</main>
`))

// front is a plain page: what this is, how much there is, and how to send.
func (n *Node) front(w http.ResponseWriter, _ *http.Request) {
	region := n.rules.p.Region(n.Config.Region)
	groups, accepted := n.Plane.Totals()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_ = frontPage.Execute(w, map[string]any{"Region": n.Config.Region, "Place": region.Name + ", " + region.Country,
		"Programme": n.rules.Hash(), "Tenants": len(n.Tenants.Tenants(tenant.Operator)), "Groups": groups, "Accepted": accepted, "URL": n.Config.URL, "Demo": n.demo})
}
