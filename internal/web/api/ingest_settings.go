package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/web/guard"
)

// settingsKey returns the write key of "/v1/projects/{key}/settings".
func settingsKey(p string) (key string, ok bool) {
	rest, ok := strings.CutPrefix(p, "/v1/projects/")
	if !ok {
		return "", false
	}
	key, ok = strings.CutSuffix(rest, "/settings")
	return key, ok && key != "" && !strings.Contains(key, "/")
}

// settings answers Segment's browser SDK, which asks before it sends: where this source's data go,
// so that a page needs to know its key only, and that nothing is sampled about the SDK itself.
func (in *Ingest) settings(w http.ResponseWriter, r *http.Request, key string) {
	src, err := in.source(key, term.AdapterSegment)
	if err == nil {
		err = publicOnly(src)
	}
	if err != nil {
		guard.Fail(w, err)
		return
	}
	scheme, host := in.home(r)
	all := map[string]any{"__default": map[string]any{"enabled": true, "integrations": map[string]any{}}}
	configure(w, map[string]any{
		"integrations": map[string]any{"Segment.io": map[string]any{"apiKey": key, "apiHost": host + "/v1", "protocol": scheme,
			"unbundledIntegrations": []string{}, "addBundledMetadata": true, "maybeBundledConfigIds": map[string]any{},
			"versionSettings": map[string]any{"version": "4.4.7", "componentTypes": []string{"browser"}}}},
		"plan":    map[string]any{"track": all, "identify": all, "group": all},
		"metrics": map[string]any{"sampleRate": 0}, "edgeFunction": map[string]any{}, "middlewareSettings": map[string]any{},
		"enabledMiddleware": map[string]any{}, "analyticsNextEnabled": true, "legacyVideoPluginsEnabled": false, "remotePlugins": []string{},
	})
}

// sourceConfig answers RudderStack's browser SDK likewise. Whatever residency the page asks for,
// the address is this region's: the key decides. The SDK reports nothing about itself, and no
// destination is loaded into the page.
func (in *Ingest) sourceConfig(w http.ResponseWriter, r *http.Request) {
	key, src, err := in.who(r, term.AdapterSegment)
	switch {
	case err != nil:
	case src == nil:
		err = keyMissing()
	default:
		err = publicOnly(src)
	}
	if err != nil {
		guard.Fail(w, err)
		return
	}
	scheme, host := in.home(r)
	here := []map[string]any{{"url": scheme + "://" + host, "default": true}}
	off, made := map[string]any{"enabled": false}, src.CreatedAt.UTC().Format(time.RFC3339)
	configure(w, map[string]any{
		"source": map[string]any{"id": src.ID, "name": src.ID, "writeKey": key, "enabled": true, "workspaceId": src.TenantID,
			"dataplanes": map[string]any{"EU": here, "US": here}, "destinations": []string{}, "connections": []string{},
			"config":    map[string]any{"statsCollection": map[string]any{"errors": off, "metrics": off}},
			"createdAt": made, "updatedAt": made, "deleted": false},
		"updatedAt": made, "consentManagementMetadata": map[string]any{"providers": []string{}},
	})
}

// publicOnly refuses to configure a browser with a server's key.
func publicOnly(src *tenant.Source) error {
	if src.Trust == term.Public {
		return nil
	}
	return fault.New(fault.Forbidden, "source.not_public", "this key is a secret and has no place in a browser").
		WithHint("make a public source for browsers")
}

// home returns where browsers reach this region.
func (in *Ingest) home(r *http.Request) (scheme, host string) {
	if s, h, ok := strings.Cut(in.opt.URL, "://"); ok {
		return s, strings.TrimSuffix(h, "/")
	}
	if r.TLS != nil {
		return "https", r.Host
	}
	return "http", r.Host
}

// configure answers with a browser's configuration.
func configure(w http.ResponseWriter, v map[string]any) {
	body, err := json.Marshal(v)
	if err != nil {
		guard.Fail(w, err)
		return
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}
