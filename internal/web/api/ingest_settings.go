package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"domicile.dev/internal/fault"
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

// settings answers the browser SDK, which asks before it sends: where this source's data go, so
// that a page needs to know its key only, and that nothing is sampled about the SDK itself.
func (in *Ingest) settings(w http.ResponseWriter, r *http.Request, key string) {
	src, err := in.source(key, term.AdapterSegment)
	if err == nil && src.Trust != term.Public {
		err = fault.New(fault.Forbidden, "source.not_public", "this key is a secret and has no place in a browser").
			WithHint("make a public source for browsers")
	}
	if err != nil {
		guard.Fail(w, err)
		return
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if s, h, ok := strings.Cut(in.opt.URL, "://"); ok {
		scheme, host = s, strings.TrimSuffix(h, "/")
	}
	all := map[string]any{"__default": map[string]any{"enabled": true, "integrations": map[string]any{}}}
	body, err := json.Marshal(map[string]any{
		"integrations": map[string]any{"Segment.io": map[string]any{"apiKey": key, "apiHost": host + "/v1", "protocol": scheme,
			"unbundledIntegrations": []string{}, "addBundledMetadata": true, "maybeBundledConfigIds": map[string]any{},
			"versionSettings": map[string]any{"version": "4.4.7", "componentTypes": []string{"browser"}}}},
		"plan":    map[string]any{"track": all, "identify": all, "group": all},
		"metrics": map[string]any{"sampleRate": 0}, "edgeFunction": map[string]any{}, "middlewareSettings": map[string]any{},
		"enabledMiddleware": map[string]any{}, "analyticsNextEnabled": true, "legacyVideoPluginsEnabled": false, "remotePlugins": []string{},
	})
	if err != nil {
		guard.Fail(w, err)
		return
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}
