package api

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/guard"
)

// addMoveMedia adds the calls that carry the recordings and attachments of somebody who moves.
func (a *API) addMoveMedia() {
	const root, one = "/api/v1/moves/{move}", "/api/v1/moves/{move}/media/{record}"
	n := param{name: "n", doc: "its number in the record", min: 0, max: plane.MostMedia - 1, def: 0}
	typed(a, operation{id: "list-move-media", method: http.MethodGet, path: root + "/media", tag: tagMoves, summary: "List the recordings and attachments that go along",
		doc: "In the region where the person is at home, in one order, up to 1000 at once.", errors: []int{404, 409}}, a.moveMedia)
	typed(a, operation{id: "missing-move-media", method: http.MethodPost, path: root + ":missing", tag: tagMoves, summary: "Say which of these recordings and attachments have not come",
		doc:     "In the region that the person moves to. Those whose record has not come are left out: bring the pages first.",
		maxBody: 1 << 20, errors: []int{404, 409}}, a.missingMedia)
	a.raw(operation{id: "get-move-medium", method: http.MethodGet, path: one, tag: tagMoves, stream: []string{octets}, params: []param{n},
		summary: "Take a recording or attachment, sealed to the other region",
		doc:     "In the region where the person is at home, as a stream. An answer that is cut off is not whole: take it again.", errors: []int{404, 409, 503}}, a.moveMedium)
	a.raw(operation{id: "take-move-medium", method: http.MethodPut, path: one, tag: tagMoves, status: http.StatusNoContent, streamed: true, params: []param{n}, maxBody: plane.MaxMediaBytes * 2,
		summary: "Bring a recording or attachment",
		doc: "In the region that the person moves to: what get-move-medium answered, unchanged, as application/octet-stream. {record} is the record's id in the other region. " +
			"It is durable when this is answered; one that came before changes nothing.", errors: []int{404, 409, 503}}, a.takeMedium)
}

// mediumAtBody is one recording or attachment, as the region that the person leaves calls it.
type mediumAtBody struct {
	Record string `json:"record" maxLength:"64"`
	N      int    `json:"n" minimum:"0" maximum:"99" doc:"its number in the record"`
	ID     string `json:"id" maxLength:"64"`
	Bytes  int64  `json:"bytes"`
}

type mediaListBody struct {
	Media []mediumAtBody `json:"media" maxItems:"1000"`
	More  bool           `json:"more,omitempty" doc:"there are others after the last of these"`
}

func mediaList(list []plane.MediumAt, more bool) mediaListBody {
	b := mediaListBody{Media: make([]mediumAtBody, len(list)), More: more}
	for i, m := range list {
		b.Media[i] = mediumAtBody{Record: m.Record.String(), N: m.N, ID: m.Media.String(), Bytes: m.Bytes}
	}
	return b
}

func badMoveRecord() error {
	return fault.New(fault.Invalid, "record.bad_id", "that names no record").WithHint("give the ids that the list of a move's media has")
}

func (a *API) moveMedia(ctx context.Context, c *tenant.Caller, in *struct {
	Move   string `path:"move"`
	Record string `query:"record" maxLength:"64" doc:"the record of the last that was listed: what follows it is answered"`
	N      int    `query:"n" minimum:"0" maximum:"99" doc:"and its number"`
}) (*out[mediaListBody], error) {
	var after *plane.MediumAt
	if in.Record != "" {
		rec, err := id.ParseRecord(in.Record)
		if err != nil {
			return nil, badMoveRecord()
		}
		after = &plane.MediumAt{Record: rec, N: in.N}
	}
	list, more, err := a.opt.Moves.MoveMedia(ctx, c, in.Move, after)
	return answered(mediaList(list, more), err)
}

func (a *API) missingMedia(ctx context.Context, c *tenant.Caller, in *struct {
	Move string `path:"move"`
	Body mediaListBody
}) (*out[mediaListBody], error) {
	list := make([]plane.MediumAt, len(in.Body.Media))
	for i, m := range in.Body.Media {
		rec, err := id.ParseRecord(m.Record)
		if err != nil {
			return nil, badMoveRecord()
		}
		med, err := id.ParseMedia(m.ID)
		if err != nil {
			return nil, fault.New(fault.Invalid, "media.bad_id", "that names no recording or attachment").WithHint("give the ids that the list of a move's media has")
		}
		list[i] = plane.MediumAt{Record: rec, N: m.N, Media: med, Bytes: m.Bytes}
	}
	missing, err := a.opt.Moves.MissingMedia(ctx, c, in.Move, list)
	return answered(mediaList(missing, false), err)
}

// mediumOf reads which medium a call is about.
func mediumOf(r *http.Request, c *call) (rec id.Record, n int, err error) {
	if rec, err = id.ParseRecord(c.subject); err != nil {
		return rec, 0, badMoveRecord()
	}
	in, err := query(r.URL, "n")
	if err != nil {
		return rec, 0, err
	}
	if s := in.Get("n"); s != "" {
		if n, err = strconv.Atoi(s); err != nil || n < 0 || n >= plane.MostMedia {
			return rec, 0, fault.New(fault.Invalid, "media.bad_number", "n is a number from 0 to %d", plane.MostMedia-1)
		}
	}
	return rec, n, nil
}

func (a *API) moveMedium(w http.ResponseWriter, r *http.Request, c *call) error {
	rec, n, err := mediumOf(r, c)
	if err != nil {
		return err
	}
	m, err := a.opt.Moves.MoveMedium(r.Context(), c.caller, c.id, rec, n)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	if err := m.Ready(); err != nil { // while a problem can still be told
		return err
	}
	w.Header().Set("Content-Type", octets)
	if r.Method == http.MethodHead {
		return nil
	}
	if err := m.Send(guard.Stream(w)); err != nil {
		guard.Note(w, err)
		panic(http.ErrAbortHandler) // the other region must not be offered half
	}
	return nil
}

func (a *API) takeMedium(w http.ResponseWriter, r *http.Request, c *call) error {
	rec, n, err := mediumOf(r, c)
	if err != nil {
		return err
	}
	body := &paced{body: r.Body, c: http.NewResponseController(w), patience: movePatience}
	err = a.opt.Moves.TakeMedium(context.WithoutCancel(r.Context()), c.caller, c.id, rec, n, body)
	body.rest()
	if err != nil {
		if body.left != 0 { // the client is sending: it shall read why, and not that it was hung up on
			_, _ = io.CopyN(io.Discard, body, drainedBody)
		}
		w.Header().Set("Connection", "close")
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

const (
	movePatience = 30 * time.Second // for 64 KiB
	drainedBody  = 1 << 20          // bytes
)
