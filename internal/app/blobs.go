package app

import (
	"context"
	"path/filepath"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/media"
	"domicile.dev/internal/media/files"
	"domicile.dev/internal/media/objects"
	"domicile.dev/internal/store/sqlstore"
)

// openBlobs opens where recordings and attachments lie, and makes sure that it is the region's. The
// folder in the node's own data is there without being asked for; where it isn't the region's, because
// another node of it has one of its own, this node does without, and says so.
func (n *Node) openBlobs(ctx context.Context) error {
	given := n.Config.Blobs.Store
	s, err := openBlobStore(ctx, given, filepath.Join(n.Config.Data, "blobs"))
	if err != nil {
		return err
	}
	err = media.Bind(ctx, n.db, sqlstore.Metas{}, s, n.Config.Region)
	if err == nil {
		n.blobs = s
		return nil
	}
	_ = s.Close()
	if given == "" && fault.ReasonOf(err) == "blob.other_store" {
		n.log.Warn("recordings and attachments are neither taken nor shown by this node: the region keeps them elsewhere; give blobs.store", "error", err)
		return nil
	}
	return err
}

func openBlobStore(ctx context.Context, given, dir string) (media.Store, error) {
	if strings.HasPrefix(given, "s3:") {
		return objects.Open(ctx, given)
	}
	if at, ok := strings.CutPrefix(given, "file:"); ok {
		dir = at
	}
	return files.Open(dir)
}
