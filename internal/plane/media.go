package plane

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// MediaRow is what the store has of one recording or attachment. What is said of it in the clear is
// its size and when it came.
type MediaRow struct {
	Tenant     uint32
	ID         id.Media
	Record     id.Record
	N          int        // its number in the record, from 0
	Subject    id.Subject // whom the blob is bound to: seal.BlobPlace.Subject
	Bytes      int64      // of the content
	Class      uint16     // of retention, days; 0 is without a limit
	ReceivedAt int64      // Unix ms
	Digest     []byte     // seal.BlobKey.Digest of the content
	About      []byte     // sealed: seal.BlobKey.SealAbout
}

// MediaKey is a blob's key, sealed under that of one person it is about.
type MediaKey struct {
	Media   id.Media
	Subject id.Subject
	Wrapped []byte
}

// MediaStore is what the data path needs to know of recordings and attachments.
type MediaStore interface {
	// AnyMedia says whether there is one, of any tenant.
	AnyMedia(tx store.Tx) (bool, error)
	// InsertMedia adds one, which is not there yet, with its keys.
	InsertMedia(tx store.Tx, m MediaRow, keys []MediaKey) error
	Media(tx store.Tx, tenant uint32, ids []id.Media, each func(MediaRow)) error
	// MediaOf calls each for those of the records, in the order of the records and their numbers.
	MediaOf(tx store.Tx, tenant uint32, records []id.Record, each func(MediaRow)) error
	MediaKeys(tx store.Tx, tenant uint32, ids []id.Media, each func(MediaKey)) error
	MediaKeysOf(tx store.Tx, tenant uint32, subjects []id.Subject, each func(MediaKey)) error
	DropMedia(tx store.Tx, tenant uint32, ids []id.Media) error
	DropMediaKeys(tx store.Tx, tenant uint32, subjects []id.Subject) error

	// PutFetches adds what is to be fetched, or says when it is due again.
	PutFetches(tx store.Tx, rows []FetchRow) error
	// DueFetches calls each for at most limit that are due, the longest due first.
	DueFetches(tx store.Tx, now int64, limit int, each func(FetchRow)) error
	DropFetches(tx store.Tx, rows []FetchRow) error
	// FetchesOf calls each for what is to be fetched of the records.
	FetchesOf(tx store.Tx, tenant uint32, records []id.Record, each func(FetchRow)) error
}

// MediaView is a recording or attachment as its tenant sees it in the list of a record.
type MediaView struct {
	ID         id.Media
	N          int
	Type       string // media type, as it was sent
	Name       string // of the file; "" when none was sent
	Bytes      int64
	ReceivedAt time.Time
}

// Limits of recordings and attachments.
const (
	// MostMedia is how many a record may have.
	MostMedia = 100
	// MaxMediaBytes is what Options.MediaBytes can't go beyond: an upload to S3 has 10,000 parts at most.
	MaxMediaBytes = 48 << 30

	maxMediaName   = 255 // bytes
	defaultUploads = 16
	defaultMedia   = 1 << 30
)

// aboutMedia is what is said of one and sealed with it.
type aboutMedia struct {
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
}

// mediaName returns the last step of a file's name as the client gave it, without what doesn't print.
func mediaName(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if s = path.Base(strings.ReplaceAll(s, `\`, "/")); s == "." || s == "/" || s == ".." {
		return ""
	}
	for len(s) > maxMediaName {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// noMedia remembers, by the number of the store's last change, that there was no recording or
// attachment at all, so that reading records costs nothing where none is kept.
type noMedia struct {
	any atomic.Bool
	at  atomic.Int64 // number of the change plus one; 0 for never looked
}

// anyMedia says whether there may be some.
func (p *Plane) anyMedia(tx store.Tx) (bool, error) {
	if p.Media == nil {
		return false, nil
	}
	seq := p.Changes.ChangeSeq(tx) + 1
	if p.noMedia.any.Load() {
		return true, nil
	}
	if p.noMedia.at.Load() == seq {
		return false, nil
	}
	some, err := p.Media.AnyMedia(tx)
	if err != nil {
		return false, fmt.Errorf("look for media: %w", err)
	}
	if some {
		p.noMedia.any.Store(true)
	} else {
		p.noMedia.at.Store(seq)
	}
	return some, nil
}

// mediaPlace is what the blob of m is bound to.
func (p *Plane) mediaPlace(tenantID string, m *MediaRow) *seal.BlobPlace {
	return &seal.BlobPlace{Region: p.Region, Tenant: tenantID, Subject: m.Subject, Record: m.Record, Media: m.ID}
}

// unwrapMedia returns the key of m's blob by the first of its wrappings whose person's key is there;
// nil when none is.
func (p *Plane) unwrapMedia(tenantID string, m *MediaRow, wrapped []MediaKey, keys map[id.Subject]*seal.Key) (*seal.BlobKey, error) {
	for _, w := range wrapped {
		key := keys[w.Subject]
		if w.Subject.IsNobody() {
			key = p.Vault.Nobody(tenantID, m.Record.Chunk)
		}
		if key == nil {
			continue
		}
		k, err := seal.UnwrapBlobKey(key, p.mediaPlace(tenantID, m), w.Subject, w.Wrapped)
		if err != nil {
			return nil, fmt.Errorf("unwrap the key of %s: %w", m.ID, err)
		}
		return k, nil
	}
	return nil, nil
}

// viewMedia opens what is said of m.
func (p *Plane) viewMedia(tenantID string, m *MediaRow, k *seal.BlobKey) (MediaView, error) {
	v := MediaView{ID: m.ID, N: m.N, Bytes: m.Bytes, ReceivedAt: time.UnixMilli(m.ReceivedAt).UTC()}
	b, err := k.OpenAbout(p.mediaPlace(tenantID, m), m.About)
	if err != nil {
		return v, fmt.Errorf("open what is said of %s: %w", m.ID, err)
	}
	var about aboutMedia
	if err := json.Unmarshal(b, &about); err != nil {
		return v, fmt.Errorf("what is said of %s is no JSON", m.ID)
	}
	v.Type, v.Name = about.Type, about.Name
	return v, nil
}

// listMedia adds to each record the recordings and attachments that the keys open.
func (p *Plane) listMedia(tx store.Tx, c *tenant.Caller, views []RecordView, keys map[id.Subject]*seal.Key) error {
	if some, err := p.anyMedia(tx); err != nil || !some || len(views) == 0 {
		return err
	}
	records := make([]id.Record, len(views))
	at := make(map[id.Record]int, len(views))
	for i := range views {
		records[i], at[views[i].ID] = views[i].ID, i
	}
	var rows []MediaRow
	if err := p.Media.MediaOf(tx, c.Tenant, records, func(m MediaRow) { rows = append(rows, m) }); err != nil {
		return fmt.Errorf("list media: %w", err)
	}
	wrapped, err := p.wrappedMedia(tx, c.Tenant, rows)
	if err != nil {
		return err
	}
	for i := range rows {
		k, err := p.unwrapMedia(c.TenantID, &rows[i], wrapped[rows[i].ID], keys)
		if err != nil {
			return err
		}
		if k == nil {
			continue
		}
		v, err := p.viewMedia(c.TenantID, &rows[i], k)
		if err != nil {
			return err
		}
		of := &views[at[rows[i].Record]]
		of.Media = append(of.Media, v)
	}
	return nil
}

// wrappedMedia returns the wrapped keys of all rows.
func (p *Plane) wrappedMedia(tx store.Tx, tenant uint32, rows []MediaRow) (map[id.Media][]MediaKey, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]id.Media, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	wrapped := make(map[id.Media][]MediaKey, len(rows))
	if err := p.Media.MediaKeys(tx, tenant, ids, func(k MediaKey) { wrapped[k.Media] = append(wrapped[k.Media], k) }); err != nil {
		return nil, fmt.Errorf("load keys of media: %w", err)
	}
	return wrapped, nil
}

// mediaOwners returns whom the media of a record are about: whom its content is about, where a part of
// it is content, and else everybody in it. category is the one whose retention they have, "" for none.
func (p *Plane) mediaOwners(f *record.Found) (owners []id.Subject, category string) {
	content := false
	for _, c := range f.Categories {
		content = content || p.content(f.Service, f.Kind, c)
	}
	seen := map[id.Subject]bool{}
	for i := range f.Parts {
		part := &f.Parts[i]
		if content && !p.content(f.Service, f.Kind, part.Category) {
			continue
		}
		if category == "" {
			category = part.Category
		}
		if !part.Subject.IsNobody() && !seen[part.Subject] {
			seen[part.Subject] = true
			owners = append(owners, part.Subject)
		}
	}
	return owners, category
}

func noMediaStore() error {
	return fault.New(fault.Unavailable, "blob.no_store", "this node has no place for recordings and attachments").
		WithHint("the log of its start says why; docs/media.md says how to give it one")
}

func unknownMedia(m id.Media) error {
	return fault.New(fault.NotFound, "media.unknown", "there is no %s of this record, or the person it was about is erased", m)
}
