// Package objects keeps blobs as objects of a bucket that speaks S3's protocol. All nodes of a
// region share it. Credentials come from where the AWS SDK looks for them: the environment, a
// profile, or the machine's role.
package objects

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // the scheme s3
	"gocloud.dev/gcerrors"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/media"
)

// partBytes is how much of an upload lies in memory, twice; S3 takes at most 10,000 parts of a blob
// and none below 5 MiB but the last.
const partBytes = 5 << 20

// patience is how long a bucket may take to answer at the start.
const patience = 15 * time.Second

// Store is a media.Store.
type Store struct{ bucket *blob.Bucket }

var _ media.Store = (*Store)(nil)

// Open returns the store in the bucket that uri names, "s3://bucket?region=…&endpoint=…&prefix=…/".
// It asks the bucket for a list, so that a wrong address or credential is found at the start.
//
// Fault: Invalid "config.blobs".
func Open(ctx context.Context, uri string) (*Store, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.Path != "" && u.Path != "/" || u.User != nil {
		return nil, fault.New(fault.Invalid, "config.blobs", "blobs.store is not of the form s3://bucket").
			WithHint("give s3://bucket?region=eu-west-1, with endpoint=https://… for other services than AWS and prefix=folder/ within a bucket; credentials are never in it")
	}
	b, err := blob.OpenBucket(ctx, uri)
	if err != nil {
		return nil, fault.New(fault.Invalid, "config.blobs", "the bucket in blobs.store can't be opened").
			WithHint("docs/media.md lists what the address may hold").Because(err)
	}
	s := &Store{bucket: b}
	ask, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if there, err := b.IsAccessible(ask); err != nil || !there {
		_ = b.Close()
		return nil, fault.New(fault.Invalid, "config.blobs", "the bucket %s can't be read", u.Host).
			WithHint("check that it exists, its region and endpoint, and that the credentials in this process's environment may get, put, list and delete its objects").Because(err)
	}
	return s, nil
}

// Create implements media.Store. A blob appears when it is complete, or not at all.
func (s *Store) Create(ctx context.Context, name string) (media.Writer, error) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := s.bucket.NewWriter(ctx, name, &blob.WriterOptions{BufferSize: partBytes, MaxConcurrency: 1,
		ContentType: "application/octet-stream", DisableContentTypeDetection: true})
	if err != nil {
		cancel()
		return nil, translate(err)
	}
	return &writer{w: w, cancel: cancel}, nil
}

type writer struct {
	w      *blob.Writer
	cancel context.CancelFunc
}

func (w *writer) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	return n, translate(err)
}

func (w *writer) Commit() error {
	defer w.cancel()
	return translate(w.w.Close())
}

func (w *writer) Abort() {
	w.cancel() // so that Close gives up what was uploaded
	_ = w.w.Close()
}

// Open implements media.Store.
func (s *Store) Open(ctx context.Context, name string, from int64) (io.ReadCloser, error) {
	r, err := s.bucket.NewRangeReader(ctx, name, from, -1, nil)
	if err != nil {
		return nil, translate(err)
	}
	return r, nil
}

// Delete implements media.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := s.bucket.Delete(ctx, name); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return translate(err)
	}
	return nil
}

// List implements media.Store. Uploads that nobody ended can't be listed: a rule of the bucket's
// clears them away (docs/media.md).
func (s *Store) List(ctx context.Context, each func(media.Listed) error) error {
	for it := s.bucket.List(nil); ; {
		o, err := it.Next(ctx)
		if err == io.EOF { //nolint:errorlint // Next returns it bare
			return nil
		} else if err != nil {
			return translate(err)
		}
		if o.IsDir {
			continue
		}
		if err := each(media.Listed{Name: o.Key, At: o.ModTime}); err != nil {
			return err
		}
	}
}

// Close implements media.Store.
func (s *Store) Close() error { return s.bucket.Close() }

func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case gcerrors.Code(err) == gcerrors.NotFound:
		return media.Missing(err)
	}
	return media.Away(err)
}
