package plane

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
)

// MediumAt is one recording or attachment of who moves, as it is called at the source.
type MediumAt struct {
	Record id.Record
	N      int // its number in the record
	Media  id.Media
	Bytes  int64 // of the content
}

func (m MediumAt) compare(o MediumAt) int {
	a, b := m.Record.Bytes(), o.Record.Bytes()
	return cmp.Or(bytes.Compare(a[:], b[:]), cmp.Compare(m.N, o.N))
}

// ArrivedRecord is which record of the source became which at the target.
type ArrivedRecord struct{ Source, Record id.Record }

// mediaMAC is the keyed digest of which media there are.
func mediaMAC(key []byte, list []MediumAt) []byte {
	slices.SortFunc(list, MediumAt.compare)
	parts := make([]string, 0, 4*len(list))
	for _, m := range list {
		parts = append(parts, m.Record.String(), strconv.Itoa(m.N), m.Media.String(), strconv.FormatInt(m.Bytes, 10))
	}
	return transit.MAC(key, "media", parts...)
}

// movingMedia lists the media that go along, in one order: those of which the person has a key.
func (p *Plane) movingMedia(tx store.Tx, c *tenant.Caller, pers *somebody) ([]MediumAt, error) {
	if p.Media == nil {
		return nil, nil
	}
	theirs := map[id.Media]bool{}
	if err := p.Media.MediaKeysOf(tx, c.Tenant, pers.subjects(), func(k MediaKey) { theirs[k.Media] = true }); err != nil {
		return nil, fmt.Errorf("look for media: %w", err)
	}
	ids := make([]id.Media, 0, len(theirs))
	for m := range theirs {
		ids = append(ids, m)
	}
	var list []MediumAt
	if err := p.Media.Media(tx, c.Tenant, ids, func(m MediaRow) {
		list = append(list, MediumAt{Record: m.Record, N: m.N, Media: m.ID, Bytes: m.Bytes})
	}); err != nil {
		return nil, fmt.Errorf("load media: %w", err)
	}
	slices.SortFunc(list, MediumAt.compare)
	return list, nil
}

// MostMoveMedia is how many media one call about them takes or answers.
const MostMoveMedia = 1000

// MoveMedia lists the recordings and attachments of somebody who is about to leave, those after one of
// them, nil for the first: at most MostMoveMedia.
//
// Errors as MovePage.
func (p *Plane) MoveMedia(ctx context.Context, c *tenant.Caller, moveID string, after *MediumAt) (list []MediumAt, more bool, err error) {
	err = p.view(ctx, c, func(tx store.Tx) error {
		_, _, pers, err := p.leaver(tx, c, moveID)
		if err != nil {
			return err
		}
		list, err = p.movingMedia(tx, c, pers)
		return err
	})
	if err != nil {
		return nil, false, unrefused(err)
	}
	if after != nil {
		list = slices.DeleteFunc(list, func(m MediumAt) bool { return m.compare(*after) <= 0 })
	}
	if more = len(list) > MostMoveMedia; more {
		list = list[:MostMoveMedia]
	}
	return list, more, nil
}

// MovingMedium is a recording or attachment on its way out. The caller closes it.
type MovingMedium interface {
	// Ready opens the beginning of the content, so that trouble is known before anything is sent.
	Ready() error
	// Send seals the content to the target, into w, a chunk at a time.
	Send(w io.Writer) error
	// Close wipes what is in memory.
	Close() error
}

type movingMedium struct {
	*media.Reader
	send func(w io.Writer) error
}

func (m *movingMedium) Send(w io.Writer) error { return m.send(w) }

// MoveMedium opens number n of a record of somebody who is about to leave, to be sealed to the target.
// The end of the move ends the reading.
//
// Errors as MovePage; NotFound media.unknown; Unavailable.
func (p *Plane) MoveMedium(ctx context.Context, c *tenant.Caller, moveID string, rec id.Record, n int) (MovingMedium, error) {
	if p.Media == nil || p.Blobs == nil {
		return nil, noMediaStore()
	}
	var m *Move
	var body leavingBody
	var row *MediaRow
	var key *seal.BlobKey
	err := p.view(ctx, c, func(tx store.Tx) error {
		var pers *somebody
		var err error
		if m, body, pers, err = p.leaver(tx, c, moveID); err != nil {
			return err
		}
		row, key, err = p.theirMedium(tx, c, pers, rec, n)
		return err
	})
	if err != nil {
		return nil, unrefused(err)
	}
	v, err := p.viewMedia(c.TenantID, row, key)
	if err != nil {
		return nil, err
	}
	still := func() error {
		return unrefused(p.view(ctx, c, func(tx store.Tx) error { _, _, _, err := p.leaver(tx, c, moveID); return err }))
	}
	content := media.NewReader(ctx, p.Blobs, media.Name(c.Tenant, row.ID), key, *p.mediaPlace(c.TenantID, row), row.Bytes, still)
	about := transit.Medium{ID: row.ID.String(), Type: v.Type, Name: v.Name, Bytes: row.Bytes, Class: row.Class, ReceivedAt: row.ReceivedAt}
	return &movingMedium{content, func(w io.Writer) error {
		return transit.SealMedium(w, body.Public, p.route(c, m), rec.String(), n, about, content)
	}}, nil
}

// theirMedium returns number n of a record, and its key by one of the person's own.
func (p *Plane) theirMedium(tx store.Tx, c *tenant.Caller, pers *somebody, rec id.Record, n int) (row *MediaRow, key *seal.BlobKey, err error) {
	if err := p.Media.MediaOf(tx, c.Tenant, []id.Record{rec}, func(r MediaRow) {
		if r.N == n {
			row = &r
		}
	}); err != nil {
		return nil, nil, fmt.Errorf("load media: %w", err)
	}
	unknown := refused{fault.New(fault.NotFound, "media.unknown", "the record has no recording or attachment of the person under this number")}
	if row == nil {
		return nil, nil, unknown
	}
	wrapped, err := p.wrappedMedia(tx, c.Tenant, []MediaRow{*row})
	if err != nil {
		return nil, nil, err
	}
	keys, err := p.ownKeys(pers)
	if err != nil {
		return nil, nil, err
	}
	theirs := slices.DeleteFunc(wrapped[row.ID], func(k MediaKey) bool { return k.Subject.IsNobody() })
	if key, err = p.unwrapMedia(c.TenantID, row, theirs, keys); err == nil && key == nil {
		err = unknown
	}
	return row, key, err
}

// MissingMedia returns those of the media that have not come by a move, and whose record has.
//
// Errors: NotFound move.unknown; Conflict move.wrong_state.
func (p *Plane) MissingMedia(ctx context.Context, c *tenant.Caller, moveID string, list []MediumAt) (missing []MediumAt, err error) {
	if len(list) > MostMoveMedia {
		return nil, fault.New(fault.Invalid, "request.too_many", "that is more than %d media", MostMoveMedia).WithHint("ask for fewer at once")
	}
	err = p.view(ctx, c, func(tx store.Tx) error {
		if _, err := p.load(tx, c, moveID, true, MoveArriving, MoveArrived); err != nil {
			return err
		}
		records := make([]id.Record, len(list))
		for i := range list {
			records[i] = list[i].Record
		}
		want := make([]bool, len(list))
		if err := p.Moves.ArrivedRecords(tx, c.Tenant, moveID, records, func(i int, _ id.Record) { want[i] = true }); err != nil {
			return fmt.Errorf("look for records that came: %w", err)
		}
		if err := p.Moves.HaveArrived(tx, c.Tenant, moveID, list, func(i int) { want[i] = false }); err != nil {
			return fmt.Errorf("look for media that came: %w", err)
		}
		missing = nil
		for i := range list {
			if want[i] {
				missing = append(missing, list[i])
			}
		}
		return nil
	})
	return missing, unrefused(err)
}

// takenMedium is a medium on its way in.
type takenMedium struct {
	at   MediumAt
	here bool      // it came before
	row  *MediaRow // what it becomes
	open func(io.Reader) (*transit.MediumReader, error)
}

// TakeMedium takes number n of a record that has come by a move, seals it anew, and returns when it is
// durable. One that came before isn't read, and changes nothing.
//
// Errors: NotFound move.unknown; Conflict move.wrong_state, move.no_record; Invalid move.altered,
// move.malformed, media.cut_short; TooLarge; RateLimited and Unavailable when it is to be sent again.
func (p *Plane) TakeMedium(ctx context.Context, c *tenant.Caller, moveID string, rec id.Record, n int, body io.Reader) error {
	if p.Media == nil || p.Blobs == nil {
		return noMediaStore()
	}
	if n < 0 || n >= MostMedia {
		return fault.New(fault.Invalid, "media.bad_number", "n is a number from 0 to %d", MostMedia-1)
	}
	done, err := p.upload()
	if err != nil {
		return err
	}
	defer done()
	t := &takenMedium{at: MediumAt{Record: rec, N: n}}
	if err := p.view(ctx, c, func(tx store.Tx) error { return p.expectMedium(tx, c, moveID, t) }); err != nil || t.here {
		return unrefused(err)
	}
	in, err := t.open(body)
	if _, told := fault.As(err); told {
		return err
	}
	if err != nil {
		return p.uploadFault(&media.ReadError{Err: err})
	}
	about := in.About()
	if t.at.Media, err = id.ParseMedia(about.ID); err != nil {
		return fault.New(fault.Invalid, "move.malformed", "what came of the move is not of its format").WithHint("both regions must run the same version of domicile")
	}
	if about.ReceivedAt > p.now().Add(clocksApart).UnixMilli() {
		return fault.New(fault.Invalid, "move.future", "a recording or attachment was received in the future").WithHint("set the clocks of both regions")
	}
	if about.Bytes > p.opt.MediaBytes {
		return p.mediaTooLarge()
	}
	t.at.Bytes = about.Bytes
	t.row.Class, t.row.ReceivedAt = about.Class, about.ReceivedAt
	key, _, err := p.writeMedia(ctx, c.TenantID, t.row, aboutMedia{Type: about.Type, Name: mediaName(about.Name)}, in)
	if err != nil {
		return err
	}
	err = p.step(ctx, c, func(g *group) error { return g.keepTaken(c, moveID, t, key) })
	if k := fault.KindOf(err); t.here || err != nil && k != fault.Unavailable && k != fault.Internal {
		p.dropBlob(ctx, media.Name(c.Tenant, t.row.ID))
	} // after those two it may be stored all the same: the sweep looks tomorrow
	return err
}

// expectMedium finds what a medium belongs to.
func (p *Plane) expectMedium(tx store.Tx, c *tenant.Caller, moveID string, t *takenMedium) error {
	m, body, row, _, err := p.comer(tx, c, moveID, MoveArriving, MoveArrived)
	if err != nil {
		return err
	}
	if err := p.Moves.HaveArrived(tx, c.Tenant, moveID, []MediumAt{t.at}, func(int) { t.here = true }); err != nil || t.here {
		return err
	}
	t.row = nil
	if err := p.Moves.ArrivedRecords(tx, c.Tenant, moveID, []id.Record{t.at.Record}, func(_ int, here id.Record) {
		t.row = &MediaRow{Tenant: c.Tenant, ID: id.NewMedia(), Record: here, N: t.at.N, Subject: row.Subject}
	}); err != nil {
		return fmt.Errorf("look for a record that came: %w", err)
	}
	if t.row == nil {
		return refused{fault.New(fault.Conflict, "move.no_record", "the record that this belongs to has not come").WithHint("bring the pages that follow first")}
	}
	k, err := transit.ParseKey(body.Private)
	if err != nil {
		return err
	}
	route := p.route(c, m)
	t.open = func(in io.Reader) (*transit.MediumReader, error) {
		return k.OpenMedium(route, t.at.Record.String(), t.at.N, in)
	}
	return nil
}

// keepTaken stores what names the blob of a medium, under the key of who arrives.
func (g *group) keepTaken(c *tenant.Caller, moveID string, t *takenMedium, key *seal.BlobKey) error {
	p := g.p
	_, _, row, own, err := p.comer(g.tx, c, moveID, MoveArriving, MoveArrived)
	if err != nil {
		return err
	}
	t.here = false
	if err := p.Moves.HaveArrived(g.tx, c.Tenant, moveID, []MediumAt{t.at}, func(int) { t.here = true }); err != nil || t.here {
		return err
	}
	if err := g.firstMedia(); err != nil {
		return err
	}
	wrapped := seal.WrapBlobKey(own, p.mediaPlace(c.TenantID, t.row), row.Subject, key)
	if err := p.Media.InsertMedia(g.tx, *t.row, []MediaKey{{Media: t.row.ID, Subject: row.Subject, Wrapped: wrapped}}); err != nil {
		return fmt.Errorf("store media: %w", err)
	}
	if err := p.Moves.PutArrivedMedium(g.tx, c.Tenant, moveID, t.at); err != nil {
		return fmt.Errorf("note which media came: %w", err)
	}
	return nil
}
