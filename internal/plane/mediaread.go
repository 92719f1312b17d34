package plane

import (
	"context"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// MediaContent is an open recording or attachment. The caller closes it.
type MediaContent struct {
	MediaView
	*media.Reader
}

// OpenMedia opens a recording or attachment of a record for reading. An erasure or restriction
// meanwhile ends the reading. Of a restricted person it is opened for a purpose of GDPR art. 18(2)
// only, which is entered before the first byte is shown.
//
// Errors: NotFound media.unknown; Gone subject.erased; Forbidden subject.restricted; Unavailable.
func (p *Plane) OpenMedia(ctx context.Context, c *tenant.Caller, rec id.Record, m id.Media, purpose string) (*MediaContent, error) {
	if err := checkPurpose(purpose); err != nil {
		return nil, err
	}
	if p.Media == nil {
		return nil, unknownMedia(m)
	}
	if err := p.mayReadMedia(c); err != nil {
		return nil, err
	}
	row, key, err := p.mayOpen(ctx, c, rec, m, "")
	if fault.ReasonOf(err) == "subject.restricted" && purpose != "" {
		if err := p.enterAlone(ctx, c, "read", map[string]any{"media": m, "purpose": purpose, "token": c.Token}); err != nil {
			return nil, err
		}
		row, key, err = p.mayOpen(ctx, c, rec, m, purpose)
	} else {
		purpose = "" // one that wasn't needed opens nothing later either
	}
	if err != nil {
		return nil, err
	}
	if p.Blobs == nil {
		return nil, noMediaStore()
	}
	v, err := p.viewMedia(c.TenantID, row, key)
	if err != nil {
		return nil, err
	}
	still := func() error {
		_, _, err := p.mayOpen(ctx, c, rec, m, purpose)
		return err
	}
	return &MediaContent{MediaView: v, Reader: media.NewReader(ctx, p.Blobs, media.Name(c.Tenant, m), key,
		*p.mediaPlace(c.TenantID, row), row.Bytes, still)}, nil
}

// mayOpen returns m and the key of its blob, when somebody whom it is about is there and may be read of.
func (p *Plane) mayOpen(ctx context.Context, c *tenant.Caller, rec id.Record, m id.Media, purpose string) (row *MediaRow, key *seal.BlobKey, err error) {
	err = p.view(ctx, c, func(tx store.Tx) error {
		row = nil
		if err := p.Media.Media(tx, c.Tenant, []id.Media{m}, func(r MediaRow) { row = &r }); err != nil {
			return fmt.Errorf("load media: %w", err)
		}
		if row == nil || row.Record != rec {
			return unknownMedia(m)
		}
		wrapped, err := p.wrappedMedia(tx, c.Tenant, []MediaRow{*row})
		if err != nil {
			return err
		}
		about := record.Found{Parts: make([]record.FoundPart, len(wrapped[m]))}
		for i, w := range wrapped[m] {
			about.Parts[i].Subject = w.Subject
		}
		keys, hidden, err := p.keysOf(tx, c, nil, []record.Found{about}, purpose)
		if err != nil {
			return err
		}
		if key, err = p.unwrapMedia(c.TenantID, row, wrapped[m], keys); err != nil || key != nil {
			return err
		}
		if len(hidden) > 0 {
			return hidden[0]
		}
		if len(wrapped[m]) == 0 {
			return unknownMedia(m)
		}
		return p.notThere(tx, subject.Key{Tenant: c.Tenant, Subject: wrapped[m][0].Subject})
	})
	return row, key, err
}
