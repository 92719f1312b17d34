package app

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/media/fetch"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// fetcher gets recordings, pictures and transcripts' sentences that lie at Twilio, with the source's own account and token.
type fetcher struct {
	sources     []string
	transcripts string // address of the API for them
	tenants     *tenant.Service
	client      *fetch.Client
}

var _ plane.Fetcher = (*fetcher)(nil)

// newFetcher returns nil, which fetches nothing, unless the configuration names sources.
func newFetcher(c config.Fetch, tenants *tenant.Service) plane.Fetcher {
	if len(c.Sources) == 0 {
		return nil
	}
	hosts := append([]string(nil), c.Hosts...)
	if u, err := url.Parse(c.Transcripts); err == nil {
		hosts = append(hosts, u.Host)
	}
	return &fetcher{sources: c.Sources, transcripts: c.Transcripts, tenants: tenants,
		client: fetch.New(fetch.Options{Hosts: hosts, CDN: c.CDN, Private: c.Private})}
}

// Fetches implements plane.Fetcher.
func (f *fetcher) Fetches(source string) bool { return slices.Contains(f.sources, source) }

// Wanted implements plane.Fetcher.
func (f *fetcher) Wanted(adapter, kind string, data []byte) map[int]string {
	if adapter != term.AdapterTwilio {
		return nil
	}
	media := twilio.MediaOf(kind, data)
	for n, address := range media {
		if strings.HasSuffix(address, twilio.Sentences) && strings.HasPrefix(address, "/") {
			media[n] = f.transcripts + address
		}
	}
	return media
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
	get := f.client.Get
	if strings.HasPrefix(address, f.transcripts+"/") && strings.HasSuffix(address, twilio.Sentences) {
		get = func(ctx context.Context, address, user, password string) (*fetch.Got, error) {
			return f.client.List(ctx, address, "sentences", user, password)
		}
	}
	got, err := get(ctx, address, h.Source.Account, h.Secrets[0].Secret)
	if err != nil {
		return plane.Fetched{}, err
	}
	return plane.Fetched(*got), nil
}
