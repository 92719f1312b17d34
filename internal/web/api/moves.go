package api

import (
	"context"
	"io"
	"net/http"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
)

// Moves is the part of the data path that moves people between regions. Whoever carries a move calls
// both regions in turn; docs/moving.md says in which order.
type Moves interface {
	OpenMove(ctx context.Context, c *tenant.Caller, from string) (plane.Arriving, error)
	BeginMove(ctx context.Context, c *tenant.Caller, s id.Subject, to, moveID string, public []byte) (plane.Leaving, error)
	MovePage(ctx context.Context, c *tenant.Caller, moveID string, n uint32, after string) (plane.SealedPage, error)
	MovePerson(ctx context.Context, c *tenant.Caller, moveID string) ([]byte, error)
	TakePage(ctx context.Context, c *tenant.Caller, moveID string, n uint32, sealed []byte) (plane.Arriving, error)
	Arrive(ctx context.Context, c *tenant.Caller, moveID string, sealed []byte) (plane.Ack, error)
	CommitMove(ctx context.Context, c *tenant.Caller, ack plane.Ack) (plane.Departed, error)
	ActivateMove(ctx context.Context, c *tenant.Caller, moveID string, proof []byte) (plane.Activated, error)
	CancelMove(ctx context.Context, c *tenant.Caller, moveID string, proof []byte) ([]byte, error)
	LastMove(ctx context.Context, c *tenant.Caller, s id.Subject) (plane.MoveStatus, error)
	MoveStatus(ctx context.Context, c *tenant.Caller, moveID string) (plane.MoveStatus, error)

	MoveMedia(ctx context.Context, c *tenant.Caller, moveID string, after *plane.MediumAt) ([]plane.MediumAt, bool, error)
	MoveMedium(ctx context.Context, c *tenant.Caller, moveID string, rec id.Record, n int) (plane.MovingMedium, error)
	MissingMedia(ctx context.Context, c *tenant.Caller, moveID string, list []plane.MediumAt) ([]plane.MediumAt, error)
	TakeMedium(ctx context.Context, c *tenant.Caller, moveID string, rec id.Record, n int, body io.Reader) error
}

const tagMoves = "Moves"

// maxMoveBody is the largest sealed part, in base64 in JSON.
const maxMoveBody = transit.MaxSealedBytes/3*4 + 4096

// addMoves adds the calls by which a person moves to another region.
func (a *API) addMoves() {
	if a.opt.Moves == nil {
		return
	}
	const root, one = "/api/v1/moves", "/api/v1/moves/{move}"
	call := func(method, path, id, summary, doc string, errors ...int) operation {
		return operation{id: id, method: method, path: path, tag: tagMoves, summary: summary, doc: doc, errors: errors}
	}
	large := func(o operation) operation { o.maxBody = maxMoveBody; return o }
	get, post := http.MethodGet, http.MethodPost

	opened := call(post, root, "open-move", "Make ready for a person from another region", "In the region that the person moves to. The answer's public_key is what the other region seals to.")
	opened.status = http.StatusCreated
	typed(a, opened, a.openMove)
	typed(a, call(get, one, "get-move", "See how far a move is", "In either region.", 404, 410), a.moveStatus)
	typed(a, call(get, "/api/v1/subjects/{subject}/move", "get-subject-move", "See by which move a person is about to leave", "Or the last one that was called off.", 404, 410, 421), a.lastMove)
	typed(a, call(post, "/api/v1/subjects/{subject}:move", "begin-move", "Let a person be copied to another region", "In the region where the person is at home, with the move and the key that the other one answered. Where such a move has begun, the answer is that one's. 409 move.shares_records when records that name nobody could be others' as well.", 404, 409, 410, 421), a.beginMove)
	typed(a, call(get, one+"/page", "get-move-page", "Take a page of records, sealed to the other region", "In the region where the person is at home. Pages count from 1. 409 move.media_pending while something of these records is still to be fetched from its vendor.", 404, 409), a.movePage)
	typed(a, large(call(post, one+":take", "take-move-page", "Bring a page", "In the region that the person moves to. Page 0 is what begin-move answered. A page that came before changes nothing.", 404, 409)), a.takePage)
	typed(a, call(get, one+"/person", "get-move-person", "Take who the person is, sealed to the other region", "In the region where the person is at home, after the last page.", 404, 409), a.movePerson)
	typed(a, large(call(post, one+":arrive", "arrive-move", "Bring who the person is", "In the region that the person moves to. The answer acknowledges that all is durable; the person is not at home here yet.", 404, 409)), a.arriveMove)
	typed(a, call(post, one+":commit", "commit-move", "End the person's home here", "In the region where the person is at home, with what the other one acknowledged. The keys go in this transaction. 409 move.behind when there is more by now, records or media: carry that, and try again.", 404, 409), a.commitMove)
	typed(a, call(post, one+":activate", "activate-move", "Make this region the person's home", "In the region that the person moves to, with the proof that the other one revealed.", 404, 409, 410), a.activateMove)
	typed(a, call(post, one+":cancel", "cancel-move", "Call off a move", "First in the region where the person is at home, whose answer is the proof that the other one wants.", 404, 409), a.cancelMove)
	a.addMoveMedia()
}

type (
	moveIn struct {
		Move string `path:"move"`
	}
	openMoveBody struct {
		From string `json:"from" maxLength:"16" doc:"the region in which the person is at home"`
	}
	arrivingBody struct {
		Move    string `json:"move" doc:"the move's id, the same in both regions"`
		State   string `json:"state" enum:"leaving,moved,left,arriving,arrived,done,ended"`
		Public  []byte `json:"public_key,omitempty" doc:"what the other region seals to"`
		Subject string `json:"subject" doc:"the person's id in this region"`
		Pages   uint32 `json:"pages" doc:"the number of the page that comes next"`
		Next    string `json:"next,omitempty" doc:"the cursor after which that page begins"`
		Records int64  `json:"records"`
	}
	moveStatusBody struct {
		Move    string        `json:"move" doc:"the move's id, the same in both regions"`
		State   string        `json:"state" enum:"leaving,moved,left,arriving,arrived,done,ended"`
		Public  []byte        `json:"public_key,omitempty" doc:"of a move into this region: what the other one seals to"`
		Subject string        `json:"subject" doc:"the person's id in this region"`
		Pages   uint32        `json:"pages" doc:"of a move into this region: the number of the page that comes next"`
		Next    string        `json:"next,omitempty" doc:"the cursor after which that page begins"`
		Records int64         `json:"records"`
		From    string        `json:"from,omitempty" doc:"of a move into this region"`
		To      string        `json:"to,omitempty" doc:"of a move out of this region"`
		Moved   *departedBody `json:"moved,omitempty" doc:"of a move out of this region that is done"`
		Cancel  []byte        `json:"proof_of_cancel,omitempty" doc:"of a move out of this region that was called off"`
	}
	beginMoveBody struct {
		To     string `json:"to" maxLength:"16" doc:"the region that the person moves to"`
		Move   string `json:"move" maxLength:"64"`
		Public []byte `json:"public_key"`
	}
	leavingBody struct {
		Move   string  `json:"move" doc:"the move that goes on; not the one that was given, when another had begun"`
		To     string  `json:"to"`
		Hello  []byte  `json:"hello" doc:"page 0, sealed"`
		Ledger refBody `json:"ledger"`
	}
	sealedPageBody struct {
		Sealed []byte `json:"sealed"`
		Next   string `json:"next,omitempty"`
		More   bool   `json:"more,omitempty"`
	}
	takePageBody struct {
		N      uint32 `json:"n"`
		Sealed []byte `json:"sealed"`
	}
	sealedBody struct {
		Sealed []byte `json:"sealed"`
	}
	ackBody struct {
		Subject string `json:"subject" doc:"the person's id in the region that they move to"`
		Next    string `json:"next,omitempty"`
		Records int64  `json:"records"`
		Person  []byte `json:"person" doc:"a keyed digest"`
		Media   []byte `json:"media" doc:"a keyed digest"`
		Entry   string `json:"entry" doc:"the ledger entry of the arrival"`
		MAC     []byte `json:"mac"`
	}
	departedBody struct {
		Move            string  `json:"move"`
		Region          string  `json:"region"`
		URL             string  `json:"url,omitempty"`
		Subject         string  `json:"subject" doc:"the person's id there"`
		Proof           []byte  `json:"proof" doc:"makes that region the person's home"`
		UnrecoverableBy string  `json:"unrecoverable_by,omitempty" format:"date-time" doc:"from then on no old copy of this region's store opens the person"`
		Ledger          refBody `json:"ledger"`
	}
	proofBody struct {
		Proof []byte `json:"proof,omitempty"`
	}
	activatedBody struct {
		Subject string  `json:"subject"`
		Records int64   `json:"records"`
		Ledger  refBody `json:"ledger"`
	}
)

func (a *API) openMove(ctx context.Context, c *tenant.Caller, in *struct{ Body openMoveBody }) (*out[arrivingBody], error) {
	m, err := a.opt.Moves.OpenMove(ctx, c, in.Body.From)
	return answered(arrivingOf(m), err)
}

func (a *API) moveStatus(ctx context.Context, c *tenant.Caller, in *moveIn) (*out[moveStatusBody], error) {
	return statusAnswer(a.opt.Moves.MoveStatus(ctx, c, in.Move))
}

func (a *API) lastMove(ctx context.Context, c *tenant.Caller, in *struct {
	Subject string `path:"subject"`
}) (*out[moveStatusBody], error) {
	s, err := parseSubject(in.Subject)
	if err != nil {
		return nil, err
	}
	return statusAnswer(a.opt.Moves.LastMove(ctx, c, s))
}

func statusAnswer(st plane.MoveStatus, err error) (*out[moveStatusBody], error) {
	if err != nil {
		return nil, err
	}
	m := arrivingOf(st.Arriving)
	b := moveStatusBody{Move: m.Move, State: m.State, Public: m.Public, Subject: m.Subject, Pages: m.Pages, Next: m.Next, Records: m.Records,
		From: st.From, To: st.To, Cancel: st.Cancel}
	if st.Departed.Move != "" {
		d := departedOf(st.Departed)
		b.Moved = &d
	}
	return &out[moveStatusBody]{b}, nil
}

func (a *API) beginMove(ctx context.Context, c *tenant.Caller, in *struct {
	Subject string `path:"subject"`
	Body    beginMoveBody
}) (*out[leavingBody], error) {
	s, err := parseSubject(in.Subject)
	if err != nil {
		return nil, err
	}
	l, err := a.opt.Moves.BeginMove(ctx, c, s, in.Body.To, in.Body.Move, in.Body.Public)
	return answered(leavingBody{Move: l.Move, To: l.To, Hello: l.Hello, Ledger: refOf(l.Ledger)}, err)
}

func (a *API) movePage(ctx context.Context, c *tenant.Caller, in *struct {
	Move  string `path:"move"`
	N     uint32 `query:"n" minimum:"1" default:"1" doc:"the number of the page"`
	After string `query:"after" maxLength:"128" doc:"next of the page before"`
}) (*out[sealedPageBody], error) {
	p, err := a.opt.Moves.MovePage(ctx, c, in.Move, in.N, in.After)
	return answered(sealedPageBody{Sealed: p.Sealed, Next: p.Next, More: p.More}, err)
}

func (a *API) takePage(ctx context.Context, c *tenant.Caller, in *struct {
	Move string `path:"move"`
	Body takePageBody
}) (*out[arrivingBody], error) {
	m, err := a.opt.Moves.TakePage(ctx, c, in.Move, in.Body.N, in.Body.Sealed)
	return answered(arrivingOf(m), err)
}

func (a *API) movePerson(ctx context.Context, c *tenant.Caller, in *moveIn) (*out[sealedBody], error) {
	sealed, err := a.opt.Moves.MovePerson(ctx, c, in.Move)
	return answered(sealedBody{sealed}, err)
}

func (a *API) arriveMove(ctx context.Context, c *tenant.Caller, in *struct {
	Move string `path:"move"`
	Body sealedBody
}) (*out[ackBody], error) {
	k, err := a.opt.Moves.Arrive(ctx, c, in.Move, in.Body.Sealed)
	return answered(ackBody{Subject: k.Subject.String(), Next: k.Next, Records: k.Records, Person: k.Person, Media: k.Media, Entry: k.Entry.String(), MAC: k.MAC}, err)
}

func (a *API) commitMove(ctx context.Context, c *tenant.Caller, in *struct {
	Move string `path:"move"`
	Body ackBody
}) (*out[departedBody], error) {
	s, err := parseSubject(in.Body.Subject)
	if err != nil {
		return nil, err
	}
	e, err := id.ParseEntry(in.Body.Entry)
	if err != nil {
		return nil, fault.New(fault.Invalid, "move.bad_ack", "entry is no ledger entry").WithHint("give the target's answer to :arrive, unchanged")
	}
	d, err := a.opt.Moves.CommitMove(ctx, c, plane.Ack{Move: in.Move, Subject: s, Next: in.Body.Next, Records: in.Body.Records,
		Person: in.Body.Person, Media: in.Body.Media, Entry: e, MAC: in.Body.MAC})
	return answered(departedOf(d), err)
}

func (a *API) activateMove(ctx context.Context, c *tenant.Caller, in *struct {
	Move string `path:"move"`
	Body proofBody
}) (*out[activatedBody], error) {
	d, err := a.opt.Moves.ActivateMove(ctx, c, in.Move, in.Body.Proof)
	return answered(activatedBody{Subject: d.Subject.String(), Records: d.Records, Ledger: refOf(d.Ledger)}, err)
}

func (a *API) cancelMove(ctx context.Context, c *tenant.Caller, in *struct {
	Move string     `path:"move"`
	Body *proofBody `required:"false"`
}) (*out[proofBody], error) {
	var proof []byte
	if in.Body != nil {
		proof = in.Body.Proof
	}
	cancelled, err := a.opt.Moves.CancelMove(ctx, c, in.Move, proof)
	return answered(proofBody{cancelled}, err)
}

func answered[T any](body T, err error) (*out[T], error) {
	if err != nil {
		return nil, err
	}
	return &out[T]{body}, nil
}

func arrivingOf(m plane.Arriving) arrivingBody {
	return arrivingBody{Move: m.Move, State: string(m.State), Public: m.Public, Subject: m.Subject.String(), Pages: m.Pages, Next: m.Next, Records: m.Records}
}

func departedOf(d plane.Departed) departedBody {
	b := departedBody{Move: d.Move, Region: d.Region, URL: d.URL, Subject: d.Subject.String(), Proof: d.Proof, Ledger: refOf(d.Ledger)}
	if !d.UnrecoverableBy.IsZero() {
		b.UnrecoverableBy = d.UnrecoverableBy.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return b
}
