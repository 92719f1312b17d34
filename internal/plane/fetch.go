package plane

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// Fetcher gets the recordings and attachments that lie at a vendor and that its webhooks name.
type Fetcher interface {
	// Fetches says whether that is switched on for a source.
	Fetches(source string) bool
	// Wanted returns where the media of a record lie, by their number in it.
	Wanted(adapter, kind string, data []byte) map[int]string
	// Source returns the source of that id. Faults as tenant.Service.Hook.
	Source(source string) (*tenant.Source, error)
	// Fetch gets what lies at an address, with the source's credentials. Faults: Unavailable for what
	// may pass, any other for what will not.
	Fetch(ctx context.Context, source, address string) (Fetched, error)
}

// Fetched is what a vendor sends. The plane closes Body.
type Fetched struct {
	Type   string
	Length int64 // -1 when it isn't known
	Body   io.ReadCloser
}

// FetchRow is something that is still to be fetched. Where it lies is not in it: that is read out of the
// sealed record, by the same person's key.
type FetchRow struct {
	Tenant   uint32
	Record   id.Record
	N        int
	Source   string
	Prefix   [6]byte // of the record's blind client id, to find it by
	DueAt    int64   // Unix ms
	Attempts int     // begun
}

const (
	fetchEvery    = 5 * time.Second
	fetchTogether = 4
	fetchTakes    = 15 * time.Minute // after that long another try is made of one whose node has died
	fetchFirst    = 30 * time.Second // between the first two tries; each pause is twice the one before
	fetchLongest  = 6 * time.Hour
	fetchMost     = 16 // tries, over about two days
)

// fetching is the ledger's entry on what will be fetched: it is entered with the record, before any byte
// goes to the vendor.
type fetching struct {
	Decision  string `json:"decision"` // "permit": the operator switched it on for the source
	Programme string `json:"programme"`
	Source    string `json:"source"`
	Media     int    `json:"media"` // how many
}

// wantMedia notes what is to be fetched for a record that was just accepted.
func (g *group) wantMedia(o *ingestOp, e *prepared) error {
	f := g.p.opt.Fetcher
	if f == nil || e.key == ([12]byte{}) || !f.Fetches(o.src.ID) {
		return nil
	}
	fragments := make([][]byte, len(e.ev.Fragments))
	for i := range e.ev.Fragments {
		fragments[i] = e.ev.Fragments[i].JSON
	}
	data, err := ingest.Merge(fragments)
	if err != nil {
		return fmt.Errorf("merge an event: %w", err)
	}
	urls := f.Wanted(o.src.Adapter, e.ev.Kind.Name, data)
	if len(urls) == 0 {
		return nil
	}
	rows := make([]FetchRow, 0, len(urls))
	for _, n := range slices.Sorted(maps.Keys(urls)) {
		rows = append(rows, FetchRow{Tenant: o.src.Tenant, Record: id.Record{Chunk: o.chunk.ID, Ordinal: e.sealed.Ordinal}, N: n,
			Source: o.src.ID, Prefix: [6]byte(e.key[:6]), DueAt: g.now.UnixMilli()})
	}
	if err := g.p.Media.PutFetches(g.tx, rows); err != nil {
		return fmt.Errorf("note what is to be fetched: %w", err)
	}
	if _, err := g.enter(ledger.Draft{Kind: "fetch", Tenant: o.src.TenantID, At: g.now, Body: fetching{Decision: "permit",
		Programme: g.p.Rules.Hash(), Source: o.src.ID, Media: len(rows)}}); err != nil {
		return fmt.Errorf("enter what is to be fetched: %w", err)
	}
	return nil
}

// RunFetch fetches what is due, until ctx ends.
func (p *Plane) RunFetch(ctx context.Context) {
	if p.opt.Fetcher == nil || p.Media == nil || p.Blobs == nil {
		return
	}
	for {
		n, err := p.FetchOnce(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.Error("looking for what is to be fetched failed, it will be tried again", "error", err)
		}
		wait := fetchEvery
		if n == fetchTogether {
			wait = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// FetchOnce takes a few of those that are due, and returns how many when it has tried them all.
func (p *Plane) FetchOnce(ctx context.Context) (int, error) {
	now := p.now()
	var rows []FetchRow
	due := func(tx store.Tx) error {
		rows = rows[:0]
		return p.Media.DueFetches(tx, now.UnixMilli(), fetchTogether, func(r FetchRow) { rows = append(rows, r) })
	}
	if err := p.DB.View(ctx, due); err != nil || len(rows) == 0 { // most often there is nothing to write for
		return 0, err
	}
	err := p.DB.Do(ctx, func(tx store.Tx) error {
		if err := due(tx); err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows { // so that no other node takes it, and another try is made if this one dies
			rows[i].Attempts++
			rows[i].DueAt = now.Add(fetchTakes).UnixMilli()
		}
		return p.Media.PutFetches(tx, rows)
	})
	if err != nil {
		return 0, fmt.Errorf("take what is to be fetched: %w", err)
	}
	var all sync.WaitGroup
	for _, r := range rows {
		all.Go(func() {
			if err := p.fetch(ctx, r); err != nil && ctx.Err() == nil {
				p.log.Warn("what became of a fetch could not be noted", "source", r.Source, "error", err)
			}
		})
	}
	all.Wait()
	return len(rows), nil
}

// fetch tries once and notes what became of it.
func (p *Plane) fetch(ctx context.Context, r FetchRow) error {
	service, err := p.fetchInto(ctx, r)
	reason := fault.ReasonOf(err)
	switch k := fault.KindOf(err); {
	case err == nil:
		return p.submit(ctx, &op{media: &mediaOp{src: &tenant.Source{Tenant: r.Tenant, ID: r.Source}, outcome: "fetched", service: service, fetched: []FetchRow{r}}})
	case ctx.Err() != nil:
		return nil // it is due again by itself
	case k == fault.Unavailable, k == fault.RateLimited, k == fault.Internal, reason == "media.cut_short":
		if r.Attempts < fetchMost {
			p.log.Info("a recording or attachment was not fetched, it will be tried again", "source", r.Source, "attempt", r.Attempts, "reason", reason)
			r.DueAt = p.now().Add(pauseAfter(r.Attempts)).UnixMilli()
			return p.DB.Do(ctx, func(tx store.Tx) error { return p.Media.PutFetches(tx, []FetchRow{r}) })
		}
	}
	if reason == "" {
		reason = "fetch.failed"
	}
	p.log.Warn("a recording or attachment is not fetched", "source", r.Source, "attempts", r.Attempts, "reason", reason)
	return p.submit(ctx, &op{media: &mediaOp{src: &tenant.Source{Tenant: r.Tenant, ID: r.Source}, outcome: "failed", service: service, reason: reason, fetched: []FetchRow{r}}})
}

func pauseAfter(attempts int) time.Duration {
	return min(fetchFirst<<min(attempts-1, 16), fetchLongest)
}

// fetchInto reads where it lies, gets it, and keeps it as an upload.
func (p *Plane) fetchInto(ctx context.Context, r FetchRow) (service string, err error) {
	f := p.opt.Fetcher
	src, err := f.Source(r.Source)
	if err != nil {
		return "", err
	}
	p.name(src.Tenant, src.TenantID)
	if !f.Fetches(r.Source) {
		return src.Service, fault.New(fault.Conflict, "fetch.off", "fetching was switched off for the source")
	}
	address, nobody := "", false
	err = p.view(ctx, &tenant.Caller{Tenant: src.Tenant, TenantID: src.TenantID}, func(tx store.Tx) error {
		v, about, err := p.recordOf(tx, src, r)
		if err != nil {
			return err
		}
		service, address, nobody = v.Service, f.Wanted(src.Adapter, v.Kind, v.Data)[r.N], about == 0
		return nil
	})
	switch {
	case err != nil:
		return src.Service, err
	case address == "":
		return service, fault.New(fault.Gone, "fetch.no_url", "the record says no more where it lies")
	case nobody:
		return service, fault.New(fault.Unprocessable, "fetch.nobody", "the record names nobody, so no erasure would find it")
	}
	return service, p.fetchAs(ctx, src, address, MediaUpload{fetched: &r, N: r.N})
}

func (p *Plane) fetchAs(ctx context.Context, src *tenant.Source, address string, up MediaUpload) error {
	got, err := p.opt.Fetcher.Fetch(ctx, src.ID, address)
	if err != nil {
		return err
	}
	defer func() { _ = got.Body.Close() }()
	body := &noted{from: got.Body}
	up.Type, up.Length, up.Body = got.Type, got.Length, body
	if _, err = p.putMedia(ctx, src, up); fault.ReasonOf(err) == "media.cut_short" && fault.ReasonOf(body.err) != "" {
		return body.err // a later page said why, and whether it may pass
	}
	return err
}

// noted reads from and keeps the error that ended it.
type noted struct {
	from io.Reader
	err  error
}

func (n *noted) Read(p []byte) (int, error) {
	k, err := n.from.Read(p)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return k, err
}

// recordOf opens the record of r, and says how many people its media are about. Fault: Gone when
// nothing of it opens.
func (p *Plane) recordOf(tx store.Tx, src *tenant.Source, r FetchRow) (v RecordView, about int, err error) {
	found, err := p.Log.ByClientPrefix(tx, src.Tenant, r.Prefix)
	if err != nil {
		return v, 0, fmt.Errorf("find the record of a fetch: %w", err)
	}
	c := &tenant.Caller{Tenant: src.Tenant, TenantID: src.TenantID}
	for i := range found {
		if found[i].ID != r.Record {
			continue
		}
		keys, _, err := p.keysOf(tx, c, nil, found[i:i+1], collecting)
		if err != nil {
			return v, 0, err
		}
		var o opener
		if v, err = o.open(p, c.TenantID, &found[i], keys); err != nil || v.Data != nil {
			owners, _ := p.mediaOwners(&found[i])
			return v, len(owners), err
		}
	}
	return v, 0, contentGone()
}

// named says whether f is the record that the upload is of, by the id that its client or this plane
// gave it.
func (p *Plane) named(up *MediaUpload, f *record.Found, v *RecordView) bool {
	if up.fetched != nil {
		return f.ID == up.fetched.Record
	}
	return v.ClientID == up.ClientID // the index is blind, and short
}
