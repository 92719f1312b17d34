package media

import (
	"context"
	"errors"
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
	stampName = "stamp"
	metaName  = "media/stamp"
	stampTag  = "domicile blobs 1"
)

// Bind makes sure that s is the store of the region whose database db is, and binds them to each
// other when both are new: a node that looked for blobs in the wrong place would find none, and a
// sweep would clear another's away.
//
// Faults: Conflict "blob.other_store" when they don't belong together; Unavailable.
func Bind(ctx context.Context, db store.DB, metas Metas, s Store, region string) error {
	stamp, err := readStamp(ctx, s)
	if err != nil {
		return err
	}
	var known []byte
	if err := db.View(ctx, func(tx store.Tx) (err error) { known, err = metas.Meta(tx, metaName); return err }); err != nil {
		return fmt.Errorf("read which blobs are the region's: %w", err)
	}
	if known == nil {
		if stamp, err = first(ctx, s, stamp, region); err != nil {
			return err
		}
		err = db.Do(ctx, func(tx store.Tx) (err error) {
			if known, err = metas.Meta(tx, metaName); err != nil || known != nil {
				return err
			}
			known = []byte(stamp)
			return metas.PutMeta(tx, metaName, known)
		})
		if err != nil {
			return fmt.Errorf("note which blobs are the region's: %w", err)
		}
	}
	if string(known) != stamp {
		return other("these blobs are not those that the region's database knows").
			WithHint("give blobs.store where the region's blobs lie; the nodes of a region share one: an s3:// bucket, or a folder that all of them mount")
	}
	return nil
}

func other(what string) *fault.Error {
	return fault.New(fault.Conflict, "blob.other_store", "%s", what)
}

// first returns the stamp of a store that no database knows yet: a new one, or the one that a node
// had written when it died before it could say so.
func first(ctx context.Context, s Store, stamp, region string) (string, error) {
	if stamp != "" {
		if !strings.Contains(stamp, "\nregion: "+region+"\n") {
			return "", other("these blobs are another region's").WithHint("give a bucket or folder of this region's own in blobs.store")
		}
		errUsed := errors.New("used")
		err := s.List(ctx, func(l Listed) error {
			if l.Name != stampName {
				return errUsed
			}
			return nil
		})
		if errors.Is(err, errUsed) {
			return "", other("these blobs belong to a database, and this one is new").
				WithHint("open the database that they belong to, or give an empty bucket or folder in blobs.store")
		}
		return stamp, err
	}
	stamp = stampTag + "\nregion: " + region + "\nid: " + id.New("blobs", 15) + "\n"
	w, err := s.Create(ctx, stampName)
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(w, stamp); err != nil {
		w.Abort()
		return "", err
	}
	return stamp, w.Commit()
}

// readStamp returns the stamp of s, "" when it has none.
func readStamp(ctx context.Context, s Store) (string, error) {
	r, err := s.Open(ctx, stampName, 0)
	if fault.KindOf(err) == fault.NotFound {
		return "", nil
	} else if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(io.LimitReader(r, 1<<10))
	if err != nil {
		return "", Away(err)
	}
	return string(b), nil
}
