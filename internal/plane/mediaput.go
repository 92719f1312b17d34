package plane

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// MediaUpload is a recording or attachment on its way in.
type MediaUpload struct {
	ClientID string // of its record
	Kind     string // of its record, or service/kind; "" when the client id names one record
	N        int    // its number in the record
	Type     string // media type
	Name     string // of the file, "" for none
	Length   int64  // of Body; -1 when it isn't known
	Body     io.Reader

	fetched *FetchRow // names the record, of an upload that this plane got itself
}

// MediaKept is what became of an upload. Already says that the same content was there before.
type MediaKept struct {
	ID         id.Media
	Record     id.Record
	N          int
	Bytes      int64
	ReceivedAt time.Time
	Already    bool

	service string // of the record
}

// PutMedia keeps a recording or attachment of a record, streaming it into a sealed blob, and returns
// when both are durable. To send the same again is answered as the first time. The content is sealed
// for those whom the record's content is about.
//
// Errors: NotFound record.unknown; Conflict media.differs and record.ambiguous; Gone subject.erased;
// TooLarge; Invalid media.cut_short, media.empty, media.bad_number; RateLimited and Unavailable when
// nothing was kept and the client should send the same again. Refusals are counted as those of records.
func (p *Plane) PutMedia(ctx context.Context, src *tenant.Source, up MediaUpload) (MediaKept, error) {
	p.name(src.Tenant, src.TenantID)
	kept, err := p.putMedia(ctx, src, up)
	counted := &mediaOp{src: src}
	switch k := fault.KindOf(err); {
	case err == nil && kept.Already:
		counted.outcome, counted.service = "duplicate", kept.service
	case err != nil && k != fault.Internal && k != fault.Unavailable && k != fault.RateLimited:
		counted.outcome, counted.service, counted.reason = "refused", src.Service, fault.ReasonOf(err)
	default:
		return kept, err
	}
	if err := p.submit(ctx, &op{media: counted}); err != nil { // what there is to answer stays the same
		p.log.Warn("what became of an upload was not counted", "source", src.ID, "outcome", counted.outcome, "error", err)
	}
	return kept, err
}

func (p *Plane) putMedia(ctx context.Context, src *tenant.Source, up MediaUpload) (MediaKept, error) {
	if p.Blobs == nil {
		return MediaKept{}, noMediaStore()
	}
	if up.N < 0 || up.N >= MostMedia {
		return MediaKept{}, fault.New(fault.Invalid, "media.bad_number", "n is a number from 0 to %d", MostMedia-1)
	}
	if up.Length > p.opt.MediaBytes {
		return MediaKept{}, p.mediaTooLarge()
	}
	done, err := p.upload()
	if err != nil {
		return MediaKept{}, err
	}
	defer done()
	t, err := p.mediaTarget(ctx, src, &up)
	if err != nil {
		return MediaKept{}, err
	}
	if t.there != nil {
		return p.sameMedia(t, up.Body)
	}
	return p.keepMedia(ctx, src, t, &up)
}

// upload takes one of the places for what is streamed in; done gives it back.
func (p *Plane) upload() (done func(), err error) {
	select {
	case p.uploads <- struct{}{}:
		return func() { <-p.uploads }, nil
	default:
		return nil, &fault.Error{Kind: fault.RateLimited, Reason: "media.busy", Public: "this node takes in as many recordings and attachments as it can",
			Hint: "send the same request again after the time in Retry-After", RetryAfterSeconds: 2}
	}
}

// mediaTarget is the record that an upload is of, and what is there of it already.
type mediaTarget struct {
	record  id.Record
	service string
	kind    string
	owners  []*subject.Row // who are still there; nil when it is about nobody
	class   uint16
	there   *MediaRow
	key     *seal.BlobKey // of there
}

// collecting is a purpose: what comes in may be told apart also when the person is restricted.
const collecting = "collection"

// mediaTarget finds the record. Of several that the client named so, those of the source itself count
// before others', and then the oldest.
func (p *Plane) mediaTarget(ctx context.Context, src *tenant.Source, up *MediaUpload) (*mediaTarget, error) {
	c := &tenant.Caller{Tenant: src.Tenant, TenantID: src.TenantID}
	prefix := p.Vault.Clients(src.TenantID).ClientPrefix([]byte(up.ClientID))
	if up.fetched != nil {
		prefix = up.fetched.Prefix
	}
	var t *mediaTarget
	err := p.view(ctx, c, func(tx store.Tx) error {
		found, err := p.Log.ByClientPrefix(tx, src.Tenant, prefix)
		if err != nil {
			return fmt.Errorf("find records by client id: %w", err)
		}
		keys, _, err := p.keysOf(tx, c, nil, found, collecting)
		if err != nil {
			return err
		}
		f, err := p.ofUpload(c, src, up, found, keys)
		if fault.ReasonOf(err) == "record.unknown" {
			err = p.orMoved(tx, src.Tenant, found, err)
		}
		if err != nil {
			return err
		}
		if t, err = p.targetOf(tx, src, f); err != nil {
			return err
		}
		return p.mediaThere(tx, c, t, up.N, keys)
	})
	return t, err
}

// ofUpload returns the one of the records that the upload is of.
func (p *Plane) ofUpload(c *tenant.Caller, src *tenant.Source, up *MediaUpload, found []record.Found, keys map[id.Subject]*seal.Key) (*record.Found, error) {
	var o opener
	var best *record.Found
	for i := range found {
		f := &found[i]
		service, kind, full := strings.Cut(up.Kind, "/")
		if up.Kind != "" && (full && (service != f.Service || kind != f.Kind) || !full && up.Kind != f.Kind) {
			continue
		}
		v, err := o.open(p, c.TenantID, f, keys)
		if err != nil {
			return nil, err
		}
		if v.Data == nil || !p.named(up, f, &v) {
			continue
		}
		if best == nil || best.Source != src.ID && f.Source == src.ID {
			best = f
		}
	}
	if best == nil {
		return nil, fault.New(fault.NotFound, "record.unknown", "there is no record that the client named so, or the person it was about is erased").
			WithHint("send the record first, with POST /v1/records, and then what belongs to it")
	}
	return best, nil
}

// targetOf says whom the media of f are about.
func (p *Plane) targetOf(tx store.Tx, src *tenant.Source, f *record.Found) (*mediaTarget, error) {
	t := &mediaTarget{record: f.ID, service: f.Service, kind: f.Kind}
	owners, category := p.mediaOwners(f)
	if category == "" {
		return nil, contentGone()
	}
	t.class = p.Rules.RetentionDays(f.Service, f.Kind, category)
	var err error
	if t.owners, err = p.alive(tx, src.Tenant, owners); err != nil {
		return nil, err
	}
	if len(owners) > 0 && len(t.owners) == 0 {
		return nil, p.notThere(tx, subject.Key{Tenant: src.Tenant, Subject: owners[0]})
	}
	return t, nil
}

func contentGone() error {
	return fault.New(fault.Gone, "subject.erased", "the person whom the record's content was about is erased")
}

// alive returns the rows of those subjects that have not been erased.
func (p *Plane) alive(tx store.Tx, tenant uint32, subjects []id.Subject) (rows []*subject.Row, err error) {
	keys := make([]subject.Key, len(subjects))
	for i, s := range subjects {
		keys[i] = subject.Key{Tenant: tenant, Subject: s}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	if err := p.Subjects.Rows(tx, keys, func(r subject.Row) { rows = append(rows, &r) }); err != nil {
		return nil, fmt.Errorf("load subjects: %w", err)
	}
	return rows, nil
}

// mediaThere looks for what the record has under number n.
func (p *Plane) mediaThere(tx store.Tx, c *tenant.Caller, t *mediaTarget, n int, keys map[id.Subject]*seal.Key) error {
	var rows []MediaRow
	if err := p.Media.MediaOf(tx, c.Tenant, []id.Record{t.record}, func(m MediaRow) {
		if m.N == n {
			rows = append(rows, m)
		}
	}); err != nil {
		return fmt.Errorf("look for media: %w", err)
	}
	if len(rows) == 0 {
		return nil
	}
	wrapped, err := p.wrappedMedia(tx, c.Tenant, rows)
	if err != nil {
		return err
	}
	if t.key, err = p.unwrapMedia(c.TenantID, &rows[0], wrapped[rows[0].ID], keys); err != nil {
		return err
	}
	if t.there = &rows[0]; t.key == nil {
		return contentGone()
	}
	return nil
}

// sameMedia reads content and says whether it is what is there.
func (p *Plane) sameMedia(t *mediaTarget, content io.Reader) (MediaKept, error) {
	h := t.key.Digest()
	size, err := media.Digest(h, content, p.opt.MediaBytes)
	if err != nil {
		return MediaKept{}, p.uploadFault(err)
	}
	m := t.there
	if size != m.Bytes || !hmac.Equal(h.Sum(nil), m.Digest) {
		return MediaKept{}, fault.New(fault.Conflict, "media.differs", "the record has other content under this number already").
			WithHint("send further recordings and attachments of a record under another number, n=1 and so on").With("media", m.ID.String())
	}
	return MediaKept{ID: m.ID, Record: m.Record, N: m.N, Bytes: m.Bytes, ReceivedAt: time.UnixMilli(m.ReceivedAt).UTC(), Already: true, service: t.service}, nil
}

// uploadFault turns an error of media.Copy or media.Digest into a fault.
func (p *Plane) uploadFault(err error) error {
	cut := new(media.ReadError)
	switch {
	case errors.Is(err, media.ErrTooLarge):
		return p.mediaTooLarge()
	case errors.Is(err, media.ErrEmpty):
		return fault.New(fault.Invalid, "media.empty", "the request has no body").WithHint("send the content itself as the body")
	case errors.As(err, &cut) && fault.ReasonOf(cut.Err) == "move.altered":
		return cut.Err
	case errors.As(err, &cut):
		return fault.New(fault.Invalid, "media.cut_short", "the body did not arrive as a whole, or too slowly; nothing of it was kept").
			WithHint("send the same request again").Because(cut.Err)
	}
	return err
}

func (p *Plane) mediaTooLarge() error {
	return fault.New(fault.TooLarge, "media.too_large", "a recording or attachment has at most %d bytes", p.opt.MediaBytes).
		WithHint("the operator of this region sets the limit")
}

// keepMedia writes the blob, makes it durable, and then commits what names it.
func (p *Plane) keepMedia(ctx context.Context, src *tenant.Source, t *mediaTarget, up *MediaUpload) (MediaKept, error) {
	row := MediaRow{Tenant: src.Tenant, ID: id.NewMedia(), Record: t.record, N: up.N, Class: t.class, ReceivedAt: p.now().UnixMilli()}
	if len(t.owners) == 1 {
		row.Subject = t.owners[0].Subject
	}
	key, sealed, err := p.writeMedia(ctx, src.TenantID, &row, aboutMedia{Type: up.Type, Name: mediaName(up.Name)}, up.Body)
	if err != nil {
		return MediaKept{}, err
	}
	place, name := p.mediaPlace(src.TenantID, &row), media.Name(src.Tenant, row.ID)
	o := &mediaOp{src: src, target: t, row: row, key: key, sealed: sealed}
	err = p.submit(ctx, &op{media: o})
	switch {
	case fault.KindOf(err) == fault.Unavailable || fault.KindOf(err) == fault.Internal && err != nil:
		return MediaKept{}, err // it may be stored all the same: the sweep looks tomorrow
	case err != nil:
		p.dropBlob(ctx, name)
		return MediaKept{}, err
	case o.there != nil: // somebody was quicker, with the same or with something else
		defer p.dropBlob(ctx, name)
		own := media.NewReader(ctx, p.Blobs, name, key, *place, row.Bytes, func() error { return nil })
		defer func() { _ = own.Close() }()
		return p.sameMedia(&mediaTarget{service: t.service, there: o.there, key: o.thereKey}, own)
	}
	return MediaKept{ID: row.ID, Record: row.Record, N: row.N, Bytes: row.Bytes, ReceivedAt: time.UnixMilli(row.ReceivedAt).UTC()}, nil
}

// writeMedia streams content into the blob of row, under a new key, and returns when it is durable. It
// says in row what became of it. sealed is the SHA-256 of the sealed bytes.
func (p *Plane) writeMedia(ctx context.Context, tenantID string, row *MediaRow, said aboutMedia, content io.Reader) (key *seal.BlobKey, sealed [32]byte, err error) {
	place := p.mediaPlace(tenantID, row)
	key = seal.NewBlobKey()
	about, err := json.Marshal(said)
	if err != nil {
		return nil, sealed, fmt.Errorf("write what is said of media: %w", err)
	}
	row.About = key.SealAbout(place, about)
	w, err := p.Blobs.Create(ctx, media.Name(row.Tenant, row.ID))
	if err != nil {
		return nil, sealed, fmt.Errorf("create blob: %w", err)
	}
	copied, err := media.Copy(w, key, place, content, p.opt.MediaBytes)
	if err != nil {
		w.Abort()
		return nil, sealed, p.uploadFault(err)
	}
	if err := w.Commit(); err != nil {
		return nil, sealed, fmt.Errorf("commit blob: %w", err)
	}
	row.Bytes, row.Digest = copied.Size, copied.Digest[:]
	return key, copied.Sealed, nil
}

// dropBlob removes a blob that nothing names. When that fails, the sweep does it.
func (p *Plane) dropBlob(ctx context.Context, name string) {
	if err := p.Blobs.Delete(context.WithoutCancel(ctx), name); err != nil {
		p.log.Warn("a blob that nothing names was not removed, the sweep will do it", "error", err)
	}
}
