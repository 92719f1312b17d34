package app

import (
	"context"
	"slices"

	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/media/fetch"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// fetcher gets recordings and pictures that lie at Twilio, with the source's own account and token.
type fetcher struct {
	sources []string
	tenants *tenant.Service
	client  *fetch.Client
}

var _ plane.Fetcher = (*fetcher)(nil)

// newFetcher returns nil, which fetches nothing, unless the configuration names sources.
func newFetcher(c config.Fetch, tenants *tenant.Service) plane.Fetcher {
	if len(c.Sources) == 0 {
		return nil
	}
	return &fetcher{sources: c.Sources, tenants: tenants, client: fetch.New(fetch.Options{Hosts: c.Hosts, CDN: c.CDN, Private: c.Private})}
}

// Fetches implements plane.Fetcher.
func (f *fetcher) Fetches(source string) bool { return slices.Contains(f.sources, source) }

// Wanted implements plane.Fetcher.
func (f *fetcher) Wanted(adapter, kind string, data []byte) map[int]string {
	if adapter != term.AdapterTwilio {
		return nil
	}
	return twilio.MediaOf(kind, data)
}

// Source implements plane.Fetcher.
func (f *fetcher) Source(source string) (*tenant.Source, error) {
	h, err := f.tenants.Hook(source)
	if err != nil {
		return nil, err
	}
	return h.Source, nil
}

// Fetch implements plane.Fetcher.
func (f *fetcher) Fetch(ctx context.Context, source, address string) (plane.Fetched, error) {
	h, err := f.tenants.Hook(source)
	if err != nil {
		return plane.Fetched{}, err
	}
	if h.Source.Account == "" || len(h.Secrets) == 0 {
		return plane.Fetched{}, fault.New(fault.Invalid, "fetch.no_account", "the source has no account, or no token, to fetch with").
			WithHint("make the source with the vendor's account id")
	}
	got, err := f.client.Get(ctx, address, h.Source.Account, h.Secrets[0].Secret)
	if err != nil {
		return plane.Fetched{}, err
	}
	return plane.Fetched(*got), nil
}
