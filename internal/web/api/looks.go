package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"domicile.dev/internal/tenant"
)

// addLooks adds the calls that count and prove.
func (a *API) addLooks() {
	a.raw(operation{id: "get-ledger-entry", method: http.MethodGet, path: "/api/v1/ledger/entries/{entry}", tag: tagProof, answer: entryBody{},
		summary: "Show a ledger entry with its proof", doc: "What the public log commits to: the leaf is SHA-256 of nonce and entry. Proof and checkpoint are there within a second of the entry.",
		errors: []int{404}}, a.ledgerEntry)
	typed(a, operation{id: "get-stats", method: http.MethodGet, path: "/api/v1/stats", tag: tagProof,
		summary: "Count what came in, by service, kind and outcome"}, a.stats)
	typed(a, operation{id: "list-refusals", method: http.MethodGet, path: "/api/v1/refusals", tag: tagProof,
		summary: "List what was refused, by reason and path", doc: "Values are never kept. A part of a path that could be data itself is *."}, a.refusals)
}

func (a *API) ledgerEntry(w http.ResponseWriter, r *http.Request, c *call) error {
	e, err := parseEntry(c.id)
	if err != nil {
		return err
	}
	if _, err := query(r.URL); err != nil {
		return err
	}
	v, err := a.service.LedgerEntry(r.Context(), c.caller, e)
	if err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, append(b, '\n'))
}

type statsIn struct {
	Since string `query:"since" doc:"count from then on, as RFC 3339 has times; without it, from the start"`
}

type statsOut struct{ Body statsBody }

func (a *API) stats(ctx context.Context, c *tenant.Caller, in *statsIn) (*statsOut, error) {
	since, err := parseTime("since", in.Since)
	if err != nil {
		return nil, err
	}
	v, err := a.service.Stats(ctx, c, since)
	if err != nil {
		return nil, err
	}
	b := statsBody{Since: wireTime(&v.Since), Counts: make([]countBody, len(v.Counts)), OldestRemains: wireTime(v.OldestRemains)}
	for i, n := range v.Counts {
		b.Counts[i] = countBody{Service: n.Service, Kind: n.Kind, Outcome: n.Outcome, Reason: n.Reason, Count: n.N}
	}
	return &statsOut{b}, nil
}

type refusalsOut struct{ Body refusalsBody }

func (a *API) refusals(ctx context.Context, c *tenant.Caller, _ *struct{}) (*refusalsOut, error) {
	v, err := a.service.Refusals(ctx, c)
	if err != nil {
		return nil, err
	}
	b := refusalsBody{Refusals: make([]refusalBody, len(v))}
	for i, r := range v {
		b.Refusals[i] = refusalBody{Source: r.Source, Reason: r.Reason, Path: r.Path, Count: r.N,
			FirstAt: r.FirstAt.UTC().Truncate(time.Millisecond), LastAt: r.LastAt.UTC().Truncate(time.Millisecond)}
	}
	return &refusalsOut{b}, nil
}
