package plane

import (
	"context"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
	"domicile.dev/internal/store"
)

// Times of what the sweep does to blobs.
const (
	blobsEvery = 6 * time.Hour  // how often blobs are compared with the store
	blobsYoung = 24 * time.Hour // no younger blob is removed: its upload may be under way
	blobsPage  = 512            // blobs that one transaction looks for
)

// clearMedia removes the blobs that nobody but the erased subjects could open, then what names them.
// It may end anywhere and be done again.
func (p *Plane) clearMedia(ctx context.Context, tenant uint32, subjects []id.Subject) error {
	if p.Media == nil {
		return nil
	}
	for page := range slices.Chunk(subjects, blobsPage) {
		var gone []id.Media
		some := false
		err := p.DB.View(ctx, func(tx store.Tx) (err error) {
			if some, err = p.anyMedia(tx); err == nil && some {
				gone, some, err = p.orphaned(tx, tenant, page)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("list media of erased people: %w", err)
		}
		if !some {
			continue
		}
		if len(gone) > 0 && p.Blobs == nil {
			return fmt.Errorf("clear %d blobs of erased people: %w", len(gone), noMediaStore())
		}
		for _, m := range gone {
			if err := p.Blobs.Delete(ctx, media.Name(tenant, m)); err != nil {
				return fmt.Errorf("delete blob of %s: %w", m, err)
			}
		}
		if err := p.DB.Do(ctx, func(tx store.Tx) error {
			if err := p.Media.DropMedia(tx, tenant, gone); err != nil {
				return err
			}
			return p.Media.DropMediaKeys(tx, tenant, page)
		}); err != nil {
			return fmt.Errorf("drop media of erased people: %w", err)
		}
	}
	return nil
}

// orphaned returns the media of which the subjects, who are erased, have the only keys, and whether
// they have any keys of media.
func (p *Plane) orphaned(tx store.Tx, tenant uint32, subjects []id.Subject) (gone []id.Media, some bool, err error) {
	theirs := map[id.Subject]bool{}
	for _, s := range subjects {
		theirs[s] = true
	}
	others := map[id.Media]bool{} // by media of the subjects: does anybody else have a key
	if err := p.Media.MediaKeysOf(tx, tenant, subjects, func(k MediaKey) { others[k.Media] = false }); err != nil || len(others) == 0 {
		return nil, false, err
	}
	ids := make([]id.Media, 0, len(others))
	for m := range others {
		ids = append(ids, m)
	}
	if err := p.Media.MediaKeys(tx, tenant, ids, func(k MediaKey) { others[k.Media] = others[k.Media] || !theirs[k.Subject] }); err != nil {
		return nil, false, err
	}
	return slices.DeleteFunc(ids, func(m id.Media) bool { return others[m] }), true, nil
}

// sweepBlobs removes blobs that nothing in the store names: those of requests that died between the
// blob and the commit. It looks every few hours.
func (p *Plane) sweepBlobs(ctx context.Context, now time.Time) error {
	if p.Blobs == nil || p.Media == nil || now.Sub(p.blobsAt) < blobsEvery {
		return nil
	}
	if err := p.SweepBlobsOnce(ctx, now.Add(-blobsYoung)); err != nil {
		return err
	}
	p.blobsAt = now
	return nil
}

// SweepBlobsOnce removes blobs, and what is left of unfinished ones, that nothing in the store names
// and that were last written to before then.
func (p *Plane) SweepBlobsOnce(ctx context.Context, before time.Time) error {
	var page []string
	look := func() error {
		gone, err := p.unnamed(ctx, page)
		page = page[:0]
		if err != nil {
			return err
		}
		for _, name := range gone {
			if err := p.Blobs.Delete(ctx, name); err != nil {
				return fmt.Errorf("delete a blob that nothing names: %w", err)
			}
		}
		if len(gone) > 0 {
			p.log.Info("removed blobs that nothing names", "blobs", len(gone))
		}
		return nil
	}
	if err := p.Blobs.List(ctx, func(l media.Listed) error {
		if !l.At.Before(before) {
			return nil
		}
		if l.Partial {
			return p.Blobs.Delete(ctx, l.Name)
		}
		if page = append(page, l.Name); len(page) < blobsPage {
			return nil
		}
		return look()
	}); err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	return look()
}

// unnamed returns those blobs that the store doesn't know. What isn't called like a blob stays.
func (p *Plane) unnamed(ctx context.Context, names []string) (gone []string, err error) {
	byTenant := map[uint32]map[id.Media]string{}
	for _, name := range names {
		if tenant, m, ok := media.ParseName(name); ok {
			if byTenant[tenant] == nil {
				byTenant[tenant] = map[id.Media]string{}
			}
			byTenant[tenant][m] = name
		}
	}
	err = p.DB.View(ctx, func(tx store.Tx) error {
		for tenant, blobs := range byTenant {
			ids := make([]id.Media, 0, len(blobs))
			for m := range blobs {
				ids = append(ids, m)
			}
			if err := p.Media.Media(tx, tenant, ids, func(m MediaRow) { delete(blobs, m.ID) }); err != nil {
				return fmt.Errorf("look which blobs are named: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, blobs := range byTenant {
		for _, name := range blobs {
			gone = append(gone, name)
		}
	}
	return gone, nil
}
