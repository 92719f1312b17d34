package plane

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// MaxPartBytes bounds what one part unpacks to.
const MaxPartBytes = 8 << 20

// Query asks for a page of a person's records.
type Query struct {
	Kind    string // a kind, or "service/kind"; "" for all
	After   string // Page.Next of the page before; "" for the first
	Limit   int    // 1 to 1000
	Purpose string // of GDPR art. 18(2), needed for a restricted person
}

// Page is one page of records, newest first. Next is "" on the last.
type Page struct {
	Records []RecordView
	Next    string
}

// RecordView is a record as its tenant reads it. Data is a JSON object with the members of every
// part that still opens; Gone names the categories of those that don't, because the person they
// were about was erased or is restricted, because their time is over, or because what is read for
// may not use them.
type RecordView struct {
	ID                     id.Record
	ClientID               string
	Kind, Service          string
	OccurredAt, ReceivedAt time.Time
	Categories, Gone       []string
	Data                   []byte
	Media                  []MediaView // recordings and attachments that still open
}

// Records returns a page of the records that hold parts of the person.
//
// Errors: NotFound; Gone subject.erased; Forbidden subject.restricted; Invalid page.bad_cursor.
func (p *Plane) Records(ctx context.Context, c *tenant.Caller, s id.Subject, q Query) (Page, error) {
	after, err := parseCursor(q.After)
	if err != nil {
		return Page{}, err
	}
	use, err := p.useOf(c)
	if err != nil {
		return Page{}, err
	}
	if err := p.enterRestricted(ctx, c, s, q.Purpose); err != nil {
		return Page{}, err
	}
	var page Page
	err = p.view(ctx, c, func(tx store.Tx) error {
		pers, err := p.personOf(tx, c.Tenant, s)
		if err != nil {
			return err
		}
		if err := p.mayUse(pers.head, q.Purpose); err != nil {
			return err
		}
		if err := p.mayRead(tx, c, pers); err != nil {
			return err
		}
		rq := record.Query{After: after, Limit: q.Limit}
		if q.Kind != "" {
			rq.Kinds = []string{q.Kind}
		}
		found, more, err := p.Log.Find(tx, c.Tenant, idsOf(pers.whole()), rq)
		if err != nil {
			return fmt.Errorf("find records: %w", err)
		}
		views, read, _, err := p.openAll(tx, c, pers, found, q.Purpose, use)
		if page.Records = views; err != nil {
			return err
		}
		if more = more || read < len(found); more && read > 0 {
			page.Next = formatCursor(found[read-1].At)
		}
		return nil
	})
	return page, err
}

// RecordsByClientID returns the records that the client named so, oldest first.
//
// Errors: NotFound record.unknown, also when every part of them was erased; Forbidden
// subject.restricted when all that is left is of restricted people and no purpose was given.
func (p *Plane) RecordsByClientID(ctx context.Context, c *tenant.Caller, clientID, purpose string) ([]RecordView, error) {
	if err := checkPurpose(purpose); err != nil {
		return nil, err
	}
	use, err := p.useOf(c)
	if err != nil {
		return nil, err
	}
	prefix := p.Vault.Clients(c.TenantID).ClientPrefix([]byte(clientID))
	var views []RecordView
	var hidden []error
	err = p.view(ctx, c, func(tx store.Tx) error {
		found, err := p.Log.ByClientPrefix(tx, c.Tenant, prefix)
		if err != nil {
			return fmt.Errorf("find records by client id: %w", err)
		}
		var all []RecordView
		if all, _, hidden, err = p.openAll(tx, c, nil, found, purpose, use); err != nil {
			return err
		}
		for _, v := range all {
			if v.ClientID == clientID { // the index is blind, and short
				views = append(views, v)
			}
		}
		if len(views) == 0 && len(hidden) == 0 {
			return p.allMoved(tx, c.Tenant, found)
		}
		return nil
	})
	if err == nil && len(views) == 0 && len(hidden) > 0 {
		return nil, hidden[0]
	}
	if err == nil && purpose != "" {
		err = p.enterAlone(ctx, c, "read", map[string]any{"purpose": purpose, "records": len(views), "token": c.Token})
	}
	if err == nil && len(views) == 0 {
		return nil, fault.New(fault.NotFound, "record.unknown", "there is no record that the client named so, or the person it was about is erased")
	}
	return views, err
}

// view runs fn on a snapshot that sees every erasure which returned before it began; again on a newer
// one when a rotation of the index key ended meanwhile and the snapshot is from before.
func (p *Plane) view(ctx context.Context, c *tenant.Caller, fn func(store.Tx) error) (err error) {
	p.name(c.Tenant, c.TenantID)
	for range 3 {
		if err = p.DB.View(ctx, fn); fault.ReasonOf(err) != vault.RetiredReason {
			break
		}
	}
	return err
}

// somebody is a person as the store has them now: the head and all subjects that are them.
type somebody struct {
	head   *subject.Row
	rows   []*subject.Row
	things []*subject.Row // stand-ins of things of many that the person takes part in
}

// subjects are those that are the person.
func (s *somebody) subjects() []id.Subject { return idsOf(s.rows) }

// whole are the rows under whose keys the person's records are: with those of things of many.
func (s *somebody) whole() []*subject.Row {
	return append(s.rows[:len(s.rows):len(s.rows)], s.things...)
}

func idsOf(rows []*subject.Row) []id.Subject {
	out := make([]id.Subject, len(rows))
	for i, r := range rows {
		out[i] = r.Subject
	}
	return out
}

// headOf returns the row that speaks for whom s belongs to.
func (p *Plane) headOf(tx store.Tx, tenant uint32, s id.Subject) (*subject.Row, error) {
	for k := (subject.Key{Tenant: tenant, Subject: s}); ; {
		var row *subject.Row
		if err := p.Subjects.Rows(tx, []subject.Key{k}, func(r subject.Row) { row = &r }); err != nil {
			return nil, fmt.Errorf("load subject: %w", err)
		}
		if row == nil || row.State&subject.Arriving != 0 {
			return nil, p.notThere(tx, k)
		}
		if row.IsHead() {
			return row, nil
		}
		k.Subject = row.Head
	}
}

func (p *Plane) notThere(tx store.Tx, k subject.Key) error {
	var tomb *subject.Tomb
	if err := p.Subjects.Tombs(tx, []subject.Key{k}, func(t subject.Tomb) { tomb = &t }); err != nil {
		return fmt.Errorf("load tomb: %w", err)
	}
	if tomb == nil {
		return unknownSubject(k.Subject)
	}
	if tomb.MovedTo != "" {
		return p.moved(k.Subject.String(), tomb.MovedTo, tomb.Move)
	}
	return fault.New(fault.Gone, "subject.erased", "%s was erased", k.Subject).
		With("receipt", tomb.Receipt).With("erased_at", time.UnixMilli(tomb.ErasedAt).UTC())
}

func (p *Plane) personOf(tx store.Tx, tenant uint32, s id.Subject) (*somebody, error) {
	head, err := p.headOf(tx, tenant, s)
	if err != nil {
		return nil, err
	}
	out := &somebody{head: head, rows: []*subject.Row{head}}
	if err := p.Subjects.Members(tx, []subject.Key{head.Key}, func(r subject.Row) { out.rows = append(out.rows, &r) }); err != nil {
		return nil, fmt.Errorf("load members: %w", err)
	}
	if head.State&subject.InThings != 0 {
		out.things, err = p.standInsOf(tx, out.rows)
	}
	return out, err
}

// Purposes for which a restricted person's data may be used (GDPR art. 18(2)).
var restrictedPurposes = []string{"consent", "legal-claims", "rights-of-others", "public-interest"}

func (p *Plane) mayUse(head *subject.Row, purpose string) error {
	if head.State&subject.Restricted == 0 || slices.Contains(restrictedPurposes, purpose) {
		return nil
	}
	return restricted(head.Subject)
}

func restricted(s id.Subject) error {
	return fault.New(fault.Forbidden, "subject.restricted", "%s is restricted", s).
		WithHint("give the purpose of GDPR art. 18(2) that allows it: purpose=consent, legal-claims, rights-of-others or public-interest")
}

func checkPurpose(purpose string) error {
	if purpose == "" || slices.Contains(restrictedPurposes, purpose) {
		return nil
	}
	return fault.New(fault.Invalid, "purpose.unknown", "purpose is not one of GDPR art. 18(2)").
		WithHint("use consent, legal-claims, rights-of-others or public-interest")
}

// enterRestricted puts the reading of a restricted person's records into the ledger before it
// happens. It does nothing when no purpose was given or the person isn't restricted.
func (p *Plane) enterRestricted(ctx context.Context, c *tenant.Caller, s id.Subject, purpose string) error {
	if err := checkPurpose(purpose); err != nil || purpose == "" {
		return err
	}
	var head *subject.Row
	err := p.view(ctx, c, func(tx store.Tx) (err error) {
		head, err = p.headOf(tx, c.Tenant, s)
		return err
	})
	if err != nil || head.State&subject.Restricted == 0 {
		return err
	}
	return p.enterAlone(ctx, c, "read", map[string]any{"subject": head.Subject, "purpose": purpose, "token": c.Token})
}

func (p *Plane) enterAlone(ctx context.Context, c *tenant.Caller, kind string, body any) error {
	err := p.DB.Do(ctx, func(tx store.Tx) error {
		_, err := p.Ledger.Append(tx, ledger.Draft{Kind: kind, Tenant: c.TenantID, At: p.now(), Body: body})
		return err
	})
	if err == nil {
		p.Ledger.Committed()
	}
	return err
}

// pageBytes is about how much content one page holds; it ends after the record that goes beyond.
const pageBytes = 4 << 20

// openAll opens what can be opened of the records, and says how many of them it read before the page
// was full, and why it left out the parts of people: they are restricted, or refuse what is read for.
// use, when there is one, says which categories are shown. The person at hand is pers,
// who may be nil; everybody else is looked up in the same snapshot.
func (p *Plane) openAll(tx store.Tx, c *tenant.Caller, pers *somebody, found []record.Found, purpose string, use *Use) (views []RecordView, read int, hidden []error, err error) {
	keys, hidden, err := p.keysOf(tx, c, pers, found, purpose)
	if err != nil {
		return nil, 0, nil, err
	}
	views = make([]RecordView, 0, len(found))
	var scratch opener
	if use != nil {
		scratch.keep = func(part *record.FoundPart) bool { return use.has(part.Category) }
	}
	for size := 0; read < len(found) && size < pageBytes; read++ {
		v, err := scratch.open(p, c.TenantID, &found[read], keys)
		if err != nil {
			return nil, 0, nil, err
		}
		if v.Data != nil {
			views = append(views, v)
			size += len(v.Data)
		}
	}
	if use != nil && !use.Media {
		return views, read, hidden, nil
	}
	if err := p.listMedia(tx, c, views, keys); err != nil {
		return nil, 0, nil, err
	}
	return views, read, hidden, nil
}

// opener keeps buffers between records.
type opener struct {
	packed    []byte
	fragments [][]byte
	// keep, when set, says which parts are shown.
	keep func(*record.FoundPart) bool
}

// open returns the record with every part whose key is there. Data is nil when there is none.
func (o *opener) open(p *Plane, tenantID string, f *record.Found, keys map[id.Subject]*seal.Key) (RecordView, error) {
	v := RecordView{ID: f.ID, Kind: f.Kind, Service: f.Service, OccurredAt: time.UnixMilli(f.OccurredAt).UTC(),
		ReceivedAt: time.UnixMilli(f.ReceivedAt).UTC(), Categories: make([]string, 0, len(f.Parts))}
	bind := p.binder(tenantID)
	o.fragments = o.fragments[:0]
	var nobody *seal.Key
	for i := range f.Parts {
		part := &f.Parts[i]
		key := keys[part.Subject]
		if part.Subject.IsNobody() {
			if nobody == nil {
				nobody = p.Vault.Nobody(tenantID, f.ID.Chunk)
			}
			key = nobody
		}
		if key == nil || o.keep != nil && !o.keep(part) {
			v.Gone = addName(v.Gone, part.Category)
			continue
		}
		packed, err := bind.Open(o.packed[:0], key, part.Subject, f.ID, part.N, part.Category, part.Sealed)
		if err != nil {
			return v, fmt.Errorf("open part %d of %s: %w", i, f.ID, err)
		}
		o.packed = packed
		plain, err := seal.Unpack(nil, packed, MaxPartBytes)
		if err != nil {
			return v, fmt.Errorf("unpack part %d of %s: %w", i, f.ID, err)
		}
		n, w := binary.Uvarint(plain)
		if w <= 0 || n > uint64(len(plain)-w) {
			return v, fmt.Errorf("part %d of %s has no client id in front", i, f.ID)
		}
		if n > 0 {
			v.ClientID = string(plain[w : w+int(n)])
		}
		fragment := plain[w+int(n):]
		if !slices.ContainsFunc(o.fragments, func(f []byte) bool { return bytes.Equal(f, fragment) }) { // else several were sent it
			o.fragments = append(o.fragments, fragment)
		}
		v.Categories = addName(v.Categories, part.Category)
	}
	if len(o.fragments) == 0 {
		return v, nil
	}
	var err error
	if v.Data, err = ingest.Merge(o.fragments); err != nil {
		return v, fmt.Errorf("merge parts of %s: %w", f.ID, err)
	}
	v.Gone = slices.DeleteFunc(v.Gone, func(s string) bool { return slices.Contains(v.Categories, s) && o.keep != nil })
	return v, nil
}

func addName(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// A cursor is a location, opaque to clients.
func formatCursor(l record.Location) string {
	b := binary.AppendUvarint([]byte{1}, l.Pos)
	return hex.EncodeToString(binary.AppendUvarint(b, uint64(l.Idx)))
}

func parseCursor(s string) (l record.Location, err error) {
	if s == "" {
		return l, nil
	}
	bad := fault.New(fault.Invalid, "page.bad_cursor", "after is not a cursor of this list").
		WithHint("use the value of next from the page before, unchanged")
	b, err := hex.DecodeString(s)
	if err != nil || len(b) < 3 || b[0] != 1 {
		return l, bad
	}
	pos, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return l, bad
	}
	idx, m := binary.Uvarint(b[1+n:])
	if m <= 0 || 1+n+m != len(b) || idx > 1<<16-1 {
		return l, bad
	}
	return record.Location{Pos: pos, Idx: uint16(idx)}, nil
}
