package media

import (
	"context"
	"fmt"
	"io"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Metas are single named values of a region's database.
type Metas interface {
	Meta(tx store.Tx, name string) ([]byte, error)
	PutMeta(tx store.Tx, name string, value []byte) error
}

const (
	stamps   = "stamp/" // and the id that the database knows
	metaName = "media/stamp"
	stampTag = "domicile blobs 1"
)

// Bind makes sure that s is the store of the region whose database db is, and binds them to each
// other when both are new: a node that looked for blobs in the wrong place would find none, and a
// sweep would clear another's away. Each node that meets a new database leaves a stamp of its own, and
// the database says whose counts, so that two that start at once agree when they share a store.
//
// Faults: Conflict "blob.other_store" when they don't belong together; Unavailable.
func Bind(ctx context.Context, db store.DB, metas Metas, s Store, region string) error {
	var known []byte
	if err := db.View(ctx, func(tx store.Tx) (err error) { known, err = metas.Meta(tx, metaName); return err }); err != nil {
		return fmt.Errorf("read which blobs are the region's: %w", err)
	}
	if known == nil {
		if err := mustBeNew(ctx, s, region); err != nil {
			return err
		}
		own := id.New("blobs", 15)
		if err := writeStamp(ctx, s, own, region); err != nil {
			return fmt.Errorf("stamp blobs: %w", err)
		}
		err := db.Do(ctx, func(tx store.Tx) (err error) {
			if known, err = metas.Meta(tx, metaName); err != nil || known != nil {
				return err
			}
			known = []byte(own)
			return metas.PutMeta(tx, metaName, known)
		})
		if err != nil {
			return fmt.Errorf("note which blobs are the region's: %w", err)
		}
	}
	stamp, err := readStamp(ctx, s, stamps+string(known))
	if fault.KindOf(err) == fault.NotFound || err == nil && stamp != stampOf(string(known), region) {
		return other("these blobs are not those that the region's database knows").
			WithHint("give blobs.store where the region's blobs lie; the nodes of a region share one: an s3:// bucket, or a folder that all of them mount")
	}
	return err
}

func other(what string) *fault.Error {
	return fault.New(fault.Conflict, "blob.other_store", "%s", what)
}

// mustBeNew refuses a store that has blobs, or is another region's, beside a new database. One with
// stamps alone is of nodes that died before the database knew.
func mustBeNew(ctx context.Context, s Store, region string) error {
	var found []string
	err := s.List(ctx, func(l Listed) error {
		switch {
		case l.Partial:
		case strings.HasPrefix(l.Name, stamps):
			found = append(found, l.Name)
		default:
			return other("these blobs belong to a database, and this one is new").
				WithHint("open the database that they belong to, or give an empty bucket or folder in blobs.store")
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range found {
		stamp, err := readStamp(ctx, s, name)
		if err != nil {
			return err
		}
		if stamp != stampOf(strings.TrimPrefix(name, stamps), region) {
			return other("these blobs are another region's").WithHint("give a bucket or folder of this region's own in blobs.store")
		}
	}
	return nil
}

func stampOf(id, region string) string {
	return stampTag + "\nregion: " + region + "\nid: " + id + "\n"
}

func writeStamp(ctx context.Context, s Store, id, region string) error {
	w, err := s.Create(ctx, stamps+id)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, stampOf(id, region)); err != nil {
		w.Abort()
		return err
	}
	return w.Commit()
}

func readStamp(ctx context.Context, s Store, name string) (string, error) {
	r, err := s.Open(ctx, name, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(io.LimitReader(r, 1<<10))
	if err != nil {
		return "", Away(err)
	}
	return string(b), nil
}
