package plane

import (
	"context"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
)

// arrivingBody is what the target knows of a move, sealed under the key of who arrives.
type arrivingBody struct {
	Private []byte `json:",omitempty"` // the move's key; gone when the move is done
	Hello   transit.Hello
	Pages   uint32 // that have come, Hello included
	Next    string // the source's cursor after them
	Records int64
	Person  []byte `json:",omitempty"` // transit.Person as it came
	Ack     *Ack   `json:",omitempty"`
	Entry   id.Entry
	Index   int64
	Head    id.Subject // when done
	After   []byte     `json:",omitempty"` // when done: what words to the old home are made with
}

// Arriving is how far a move is at the target.
type Arriving struct {
	Move    string
	From    string
	State   MoveState
	Public  []byte // what the source seals to; nil when the move is over
	Subject id.Subject
	Pages   uint32
	Next    string
	Records int64
}

// OpenMove makes the key of a move from another region, and the subject that will be the person here.
// Nobody sees that subject before ActivateMove.
func (p *Plane) OpenMove(ctx context.Context, c *tenant.Caller, from string) (out Arriving, err error) {
	if from == p.Region || p.opt.URLs[from] == "" {
		return out, fault.New(fault.Invalid, "move.unknown_region", "that is no other region whose address this node knows").
			WithHint("add it to peers in the node's configuration")
	}
	key, err := transit.NewKey()
	if err != nil {
		return out, err
	}
	private, err := key.Bytes()
	if err != nil {
		return out, fmt.Errorf("encode a move's key: %w", err)
	}
	err = p.step(ctx, c, func(g *group) error {
		if _, err := p.Vault.Fence(g.tx); err != nil {
			return err
		}
		m := &Move{Tenant: c.Tenant, ID: id.New("mov_"+p.Region, 15), In: true, Peer: from, State: MoveArriving, Subject: id.NewSubject(), At: g.now.UnixMilli()}
		w, own, err := p.Vault.Mint(c.TenantID, m.Subject)
		if err != nil {
			return fmt.Errorf("mint key of %s: %w", m.Subject, err)
		}
		row := &subject.Row{Key: subject.Key{Tenant: c.Tenant, Subject: m.Subject}, Head: m.Subject, State: subject.Arriving,
			CreatedAt: m.At, Epoch: w.Epoch, Wrapped: w.Bytes}
		if err := p.Subjects.InsertRows(g.tx, []*subject.Row{row}); err != nil {
			return fmt.Errorf("insert who arrives: %w", err)
		}
		body := arrivingBody{Private: private}
		if err := p.sealBody(c, m, own, &body); err != nil {
			return err
		}
		if err := p.Moves.PutMove(g.tx, m); err != nil {
			return fmt.Errorf("keep move %s: %w", m.ID, err)
		}
		out, err = arriving(m, &body)
		return err
	})
	return out, err
}

func arriving(m *Move, b *arrivingBody) (Arriving, error) {
	out := Arriving{Move: m.ID, From: m.Peer, State: m.State, Subject: m.Subject, Pages: b.Pages, Next: b.Next, Records: b.Records}
	if len(b.Private) > 0 {
		k, err := transit.ParseKey(b.Private)
		if err != nil {
			return out, err
		}
		out.Public = k.Public()
	}
	return out, nil
}

// comer returns a move into this region, what is known of it, and the row and key of who arrives.
func (p *Plane) comer(tx store.Tx, c *tenant.Caller, moveID string, states ...MoveState) (*Move, *arrivingBody, *subject.Row, *seal.Key, error) {
	m, err := p.load(tx, c, moveID, true, states...)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	var row *subject.Row
	if err := p.Subjects.Rows(tx, []subject.Key{{Tenant: c.Tenant, Subject: m.Subject}}, func(r subject.Row) { row = &r }); err != nil {
		return nil, nil, nil, nil, fmt.Errorf("load who arrives: %w", err)
	}
	if row == nil {
		return nil, nil, nil, nil, refused{p.notThere(tx, subject.Key{Tenant: c.Tenant, Subject: m.Subject})}
	}
	key, err := p.open(row)
	if err != nil {
		return nil, nil, nil, nil, fmt.Errorf("open key of %s: %w", row.Subject, err)
	}
	body := &arrivingBody{}
	return m, body, row, key, p.openBody(c, m, key, body)
}
