package plane

import (
	"encoding/hex"
	"fmt"

	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// mediaOp is an upload whose blob is durable on its way into a commit group, or the count of one that
// was no news.
type mediaOp struct {
	src                      *tenant.Source
	outcome, service, reason string     // of a count; then there is nothing else but
	fetched                  []FetchRow // what needs not be fetched any more

	target   *mediaTarget
	row      MediaRow
	key      *seal.BlobKey
	sealed   [32]byte
	there    *MediaRow // what another request has stored meanwhile
	thereKey *seal.BlobKey
}

// collectedMedia is the ledger's entry on a recording or attachment.
type collectedMedia struct {
	Decision  string   `json:"decision"` // "permit": the record's kind is declared
	Programme string   `json:"programme"`
	Region    string   `json:"region"`
	Of        string   `json:"of"` // service/kind of the record
	Media     id.Media `json:"media"`
	Bytes     int64    `json:"bytes"`
	Digest    string   `json:"sha256"` // over the sealed blob
}

// mediaKind is under what uploads are counted.
const mediaKind = "media"

func (g *group) mediaAll() error {
	for _, o := range g.ops {
		if o.media == nil {
			continue
		}
		m := o.media
		if m.outcome == "" {
			if err := g.putMedia(o); err != nil {
				return err
			}
			continue
		}
		if len(m.fetched) > 0 {
			if err := g.p.Media.DropFetches(g.tx, m.fetched); err != nil {
				return fmt.Errorf("drop what was fetched: %w", err)
			}
		}
		g.counts = add(g.counts, countKey{m.src.Tenant, m.service, mediaKind, m.outcome, m.reason}, 1)
		if m.reason != "" {
			g.refused = add(g.refused, refusalKey{m.src.Tenant, m.src.ID, m.reason, ""}, 1)
		}
	}
	return nil
}

// putMedia stores what names a blob, for those of its people who are still there.
func (g *group) putMedia(o *op) error {
	m, p := o.media, g.p
	m.there, m.thereKey = nil, nil
	subjects := make([]id.Subject, len(m.target.owners))
	for i, r := range m.target.owners {
		subjects[i] = r.Subject
	}
	rows, err := p.alive(g.tx, m.src.Tenant, subjects)
	if err != nil {
		return err
	}
	if len(subjects) > 0 && len(rows) == 0 {
		return o.failed(p.notThere(g.tx, subject.Key{Tenant: m.src.Tenant, Subject: subjects[0]}))
	}
	people := map[id.Subject]*seal.Key{}
	for _, r := range rows {
		if people[r.Subject], err = p.open(r); err != nil {
			return fmt.Errorf("open key of %s: %w", r.Subject, err)
		}
	}
	quicker := &mediaTarget{record: m.row.Record}
	caller := &tenant.Caller{Tenant: m.src.Tenant, TenantID: m.src.TenantID}
	if err := p.mediaThere(g.tx, caller, quicker, m.row.N, people); err != nil {
		return o.failed(err)
	}
	if quicker.there != nil {
		m.there, m.thereKey = quicker.there, quicker.key
		return nil
	}
	place := p.mediaPlace(m.src.TenantID, &m.row)
	var keys []MediaKey
	for s, k := range people {
		keys = append(keys, MediaKey{Media: m.row.ID, Subject: s, Wrapped: seal.WrapBlobKey(k, place, s, m.key)})
	}
	if len(subjects) == 0 {
		keys = append(keys, MediaKey{Media: m.row.ID, Subject: id.Nobody,
			Wrapped: seal.WrapBlobKey(p.Vault.Nobody(m.src.TenantID, m.row.Record.Chunk), place, id.Nobody, m.key)})
	}
	if err := g.firstMedia(); err != nil {
		return err
	}
	if err := p.Media.InsertMedia(g.tx, m.row, keys); err != nil {
		return fmt.Errorf("store media: %w", err)
	}
	g.counts = add(g.counts, countKey{m.src.Tenant, m.target.service, mediaKind, "accepted", ""}, 1)
	if _, err := g.enter(ledger.Draft{Kind: "collect", Tenant: m.src.TenantID, At: g.now, Body: collectedMedia{Decision: "permit",
		Programme: p.Rules.Hash(), Region: p.Region, Of: m.target.service + "/" + m.target.kind, Media: m.row.ID, Bytes: m.row.Bytes,
		Digest: hex.EncodeToString(m.sealed[:])}}); err != nil {
		return fmt.Errorf("enter collection of media: %w", err)
	}
	return nil
}

// firstMedia tells this node and others that there is something to list with records from now on.
func (g *group) firstMedia() error {
	g.p.noMedia.any.Store(true)
	some, err := g.p.Media.AnyMedia(g.tx)
	if err == nil && !some {
		_, err = g.p.Changes.Change(g.tx, "media", 0, nil, g.now)
	}
	if err != nil {
		return fmt.Errorf("tell of the first media: %w", err)
	}
	return nil
}
