package client

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"domicile.dev/internal/fault"
)

// Moved is a person who has moved.
type Moved struct {
	Move            string `json:"move"`
	From            string `json:"from"`
	To              string `json:"to"`
	Subject         string `json:"subject"` // in the new region
	Records         int64  `json:"records"`
	UnrecoverableBy string `json:"unrecoverable_by,omitempty"` // of the copy in the old region
	Out             Ledger `json:"ledger_out"`
	In              Ledger `json:"ledger_in"`
}

// arriving, departed and the others are bodies of the calls; see the API's document.
type arriving struct {
	Move    string `json:"move"`
	State   string `json:"state"`
	Public  []byte `json:"public_key"`
	Pages   uint32 `json:"pages"`
	Next    string `json:"next"`
	Records int64  `json:"records"`
}

type departed struct {
	Move            string `json:"move"`
	Region          string `json:"region"`
	Proof           []byte `json:"proof"`
	UnrecoverableBy string `json:"unrecoverable_by"`
	Ledger          Ledger `json:"ledger"`
}

type moveStatus struct {
	arriving
	To     string    `json:"to"`
	Moved  *departed `json:"moved"`
	Cancel []byte    `json:"proof_of_cancel"`
}

func movePath(move, rest string) string { return "/moves/" + url.PathEscape(move) + rest }

// Region is the region in the client's token, "" when it has none.
func (c *Client) Region() string {
	_, rest, _ := strings.Cut(c.token, "_")
	region, _, ok := strings.Cut(rest, "_")
	if !ok {
		return ""
	}
	return region
}

// Courier carries a person from one region to another. It sees sealed bytes only, and may stop
// anywhere: the next one goes on where it stopped.
type Courier struct {
	From, To *Client
	// Progress is told after each page how many records are in the new region. Optional.
	Progress func(records int64)
	// MediaProgress is told after each recording or attachment how many this courier brought. Optional.
	MediaProgress func(media int)

	media int
}

// mostRounds is how often a courier goes back for what came in meanwhile.
const mostRounds = 20

// Move moves the person of a subject. Faults are those of the calls; what was done stays done, and
// another Move goes on.
func (k *Courier) Move(ctx context.Context, subject string) (Moved, error) {
	opened, err := k.open(ctx)
	if err != nil {
		return Moved{}, err
	}
	begun, err := k.begin(ctx, subject, opened)
	if f, ok := fault.As(err); ok && f.Reason == "subject.moved" {
		_ = k.To.post(ctx, movePath(opened.Move, ":cancel"), nil, &struct{}{}) // it isn't needed, and ends by itself
		return k.Finish(ctx, f)
	}
	if err != nil {
		_ = k.To.post(ctx, movePath(opened.Move, ":cancel"), nil, &struct{}{})
		return Moved{}, err
	}
	if begun.Move != opened.Move { // another courier's, which stopped on the way
		_ = k.To.post(ctx, movePath(opened.Move, ":cancel"), nil, &struct{}{})
	}
	d, err := k.carry(ctx, begun.Move, begun.Hello)
	if err != nil {
		return Moved{}, err
	}
	return k.activate(ctx, d)
}

func (k *Courier) open(ctx context.Context) (a arriving, err error) {
	return a, k.To.post(ctx, "/moves", map[string]string{"from": k.From.Region()}, &a)
}

type begun struct {
	Move  string `json:"move"`
	Hello []byte `json:"hello"`
}

func (k *Courier) begin(ctx context.Context, subject string, a arriving) (b begun, err error) {
	return b, k.From.post(ctx, "/subjects/"+url.PathEscape(subject)+":move", map[string]any{"to": k.To.Region(), "move": a.Move, "public_key": a.Public}, &b)
}

// carry brings everything over, until the source has let go.
func (k *Courier) carry(ctx context.Context, move string, hello []byte) (d departed, err error) {
	var at moveStatus
	if err := k.To.get(ctx, movePath(move, ""), nil, &at); err != nil {
		return d, err
	}
	if at.Pages == 0 {
		if err := k.take(ctx, move, 0, hello, &at.arriving); err != nil {
			return d, err
		}
	}
	for range mostRounds {
		if err := k.pages(ctx, move, &at.arriving); err != nil {
			return d, err
		}
		if err := k.carryMedia(ctx, move); err != nil {
			return d, err
		}
		var person struct {
			Sealed []byte `json:"sealed"`
		}
		if err := k.From.get(ctx, movePath(move, "/person"), nil, &person); err != nil {
			return d, err
		}
		var ack map[string]any
		if err := k.To.post(ctx, movePath(move, ":arrive"), person, &ack); err != nil {
			return d, err
		}
		err := k.From.post(ctx, movePath(move, ":commit"), ack, &d)
		if fault.ReasonOf(err) != "move.behind" {
			return d, err
		}
	}
	return d, fault.New(fault.Conflict, "move.behind", "more came in for the person than could be carried after it").
		WithHint("try again when less comes in; what was carried stays")
}

func (k *Courier) take(ctx context.Context, move string, n uint32, sealed []byte, at *arriving) error {
	return k.To.post(ctx, movePath(move, ":take"), map[string]any{"n": n, "sealed": sealed}, at)
}

// pages brings over what comes after at.
func (k *Courier) pages(ctx context.Context, move string, at *arriving) error {
	for more := true; more; {
		var p struct {
			Sealed []byte `json:"sealed"`
			Next   string `json:"next"`
			More   bool   `json:"more"`
		}
		q := url.Values{"n": {strconv.FormatUint(uint64(at.Pages), 10)}}
		if at.Next != "" {
			q.Set("after", at.Next)
		}
		if err := k.From.get(ctx, movePath(move, "/page"), q, &p); err != nil {
			return err
		}
		if p.Next == at.Next {
			return nil // there is no more
		}
		*at = arriving{Pages: at.Pages}
		if err := k.take(ctx, move, at.Pages, p.Sealed, at); err != nil {
			return err
		}
		if k.Progress != nil {
			k.Progress(at.Records)
		}
		more = p.More
	}
	return nil
}

// Finish goes on after a fault subject.moved of the source: the person is not at home there any more,
// and it may not be known in the new region yet.
func (k *Courier) Finish(ctx context.Context, moved *fault.Error) (Moved, error) {
	move, _ := moved.Extra["move"].(string)
	var st moveStatus
	if err := k.From.get(ctx, movePath(move, ""), nil, &st); err != nil {
		return Moved{}, err
	}
	if st.Moved == nil || st.Moved.Region != k.To.Region() {
		return Moved{}, moved
	}
	return k.activate(ctx, *st.Moved)
}

func (k *Courier) activate(ctx context.Context, d departed) (Moved, error) {
	var a struct {
		Subject string `json:"subject"`
		Records int64  `json:"records"`
		Ledger  Ledger `json:"ledger"`
	}
	if err := k.To.post(ctx, movePath(d.Move, ":activate"), map[string]any{"proof": d.Proof}, &a); err != nil {
		return Moved{}, err
	}
	return Moved{Move: d.Move, From: k.From.Region(), To: d.Region, Subject: a.Subject, Records: a.Records, UnrecoverableBy: d.UnrecoverableBy,
		Out: d.Ledger, In: a.Ledger}, nil
}

// Cancel calls off the move by which the person of a subject is about to leave, in both regions. It
// returns the move's id.
func (k *Courier) Cancel(ctx context.Context, subject string) (string, error) {
	var st moveStatus
	if err := k.From.get(ctx, "/subjects/"+url.PathEscape(subject)+"/move", nil, &st); err != nil {
		return "", err
	}
	if st.To != k.To.Region() {
		return "", fault.New(fault.Conflict, "move.other_region", "the person is about to move to region %s", st.To).WithHint("give --to " + st.To)
	}
	var proof struct {
		Proof []byte `json:"proof"`
	}
	if err := k.From.post(ctx, movePath(st.Move, ":cancel"), nil, &proof); err != nil {
		return "", err
	}
	return st.Move, k.To.post(ctx, movePath(st.Move, ":cancel"), proof, &struct{}{})
}
