package plane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
)

// MoveState is where a move is in its life.
type MoveState string

// The states of a move, at the source and at the target. docs/moving.md draws them.
const (
	MoveLeaving  MoveState = "leaving"  // source: at home here, and may be copied
	MoveMoved    MoveState = "moved"    // source: the keys are destroyed
	MoveLeft     MoveState = "left"     // source: and the target has confirmed that it is their home
	MoveArriving MoveState = "arriving" // target: pages come, and nobody sees them
	MoveArrived  MoveState = "arrived"  // target: all is here and acknowledged, and nobody sees it
	MoveDone     MoveState = "done"     // target: at home here
	MoveEnded    MoveState = "ended"    // either: called off
)

// next is the life of a move: what isn't in it doesn't happen.
var next = map[MoveState][]MoveState{
	MoveLeaving:  {MoveMoved, MoveEnded},
	MoveMoved:    {MoveLeft},
	MoveArriving: {MoveArrived, MoveEnded},
	MoveArrived:  {MoveArrived, MoveDone, MoveEnded}, // again, when the source had more meanwhile
}

// Move is a person's move as a store has it.
type Move struct {
	Tenant  uint32
	ID      string // "mov_<target>_…"
	In      bool   // at the target
	Peer    string // the other region
	State   MoveState
	Subject id.Subject // the head at the source, the new subject at the target
	At      int64      // Unix milliseconds, when it began
	Body    []byte     // sealed: leavingBody or arrivingBody
}

// gone says whether the person has left this region.
func (m *Move) gone() bool { return m.State == MoveMoved || m.State == MoveLeft }

// MoveFlags says what moves left in a tenant's data, so that others need not look.
type MoveFlags struct {
	Left    bool // there are identifiers of people who moved away
	Came    bool // there are clients' ids of people who moved here
	Leaving bool // somebody is about to leave
}

// MoveStore keeps moves. Digests of Moved are under the suppression key.
type MoveStore interface {
	PutMove(tx store.Tx, m *Move) error
	Move(tx store.Tx, tenant uint32, id string) (*Move, error) // nil when there is none
	MovesOf(tx store.Tx, tenant uint32, subjects []id.Subject, each func(*Move)) error
	// StaleMoves calls each for moves in a state that began before then, at most limit.
	StaleMoves(tx store.Tx, state MoveState, before int64, limit int, each func(*Move)) error
	MoveFlags(tx store.Tx, tenant uint32) (MoveFlags, error)

	// PutMoved leaves an address. One of an identifier that was given up replaces none of an identifier
	// that wasn't: that is somebody else's.
	PutMoved(tx store.Tx, left []MovedFrom, keyVersion uint32, region, move string, at int64) error
	// Moved calls each for those of the identifiers whose person moved, with when they gave it up.
	Moved(tx store.Tx, keys []subject.BindingKey, each func(i int, region, move string, retiredAt int64)) error
	DropMoved(tx store.Tx, keys []subject.BindingKey) error

	// PutArrived notes clients' ids that come by a move. Arrived calls each for those of a move that
	// is done.
	PutArrived(tx store.Tx, tenant uint32, move string, clients [][12]byte) error
	Arrived(tx store.Tx, tenant uint32, clients [][12]byte, each func(i int)) error

	// What became of the source's records and media, as long as a move is open; see movemedia.go.
	PutArrivedRecords(tx store.Tx, tenant uint32, move string, list []ArrivedRecord) error
	ArrivedRecords(tx store.Tx, tenant uint32, move string, sources []id.Record, each func(i int, here id.Record)) error
	PutArrivedMedium(tx store.Tx, tenant uint32, move string, m MediumAt) error
	ArrivedMedia(tx store.Tx, tenant uint32, move string, each func(MediumAt)) error
	// HaveArrived calls each for those of the media that came; record and number name them.
	HaveArrived(tx store.Tx, tenant uint32, move string, list []MediumAt, each func(i int)) error
	DropArrival(tx store.Tx, tenant uint32, move string) error
}

// MovedFrom is an identifier of somebody who moves, under the suppression key.
type MovedFrom struct {
	subject.BindingKey
	RetiredAt int64 // Unix milliseconds, when they gave it up; 0 while it is theirs
}

// also takes another binding of the person of the same identifier into account: what is theirs under
// one is theirs.
func (m *MovedFrom) also(retiredAt int64) {
	if m.RetiredAt == 0 || retiredAt == 0 {
		m.RetiredAt = 0
	} else {
		m.RetiredAt = max(m.RetiredAt, retiredAt)
	}
}

// RefusedMoved is why an event of somebody who moved away is refused.
const RefusedMoved = "subject.moved"

// Ack is the target's word that all of a person is durable there. The courier carries it and can't
// make one: MAC is under a key that only the two regions have.
type Ack struct {
	Move    string
	Subject id.Subject // at the target
	Next    string     // the source's cursor after the last record
	Records int64
	Person  []byte // keyed digest of who the person is
	Media   []byte // and of which media came
	Entry   id.Entry
	MAC     []byte
}

func (a *Ack) mac(key []byte) []byte {
	return transit.MAC(key, "ack", a.Move, a.Subject.String(), a.Next, strconv.FormatInt(a.Records, 10), string(a.Person), string(a.Media), a.Entry.String())
}

// personMAC is the keyed digest of a sealed person's plaintext.
func personMAC(key, doc []byte) []byte { return transit.MAC(key, "person", string(doc)) }

// refused is a fault of a move's step before it wrote anything: its group goes on.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// step runs one step of a move in a commit group of its own.
func (p *Plane) step(ctx context.Context, c *tenant.Caller, do func(g *group) error) error {
	p.name(c.Tenant, c.TenantID)
	return p.submit(ctx, &op{move: func(g *group) error {
		if err := store.Effect(ctx, g.tx); err != nil {
			return refused{err}
		}
		return do(g)
	}})
}

// moveAll runs the step of a move that this group is.
func (g *group) moveAll() error {
	for _, o := range g.ops {
		if o.move == nil {
			continue
		}
		err := o.move(g)
		var r refused
		if errors.As(err, &r) {
			err = o.failed(r.error)
		}
		if err != nil {
			return err
		}
		g.moves = true
	}
	return nil
}

// movesApart commits steps of moves in groups of their own, and everything else before them.
func (p *Plane) movesApart(ops []*op) (apart bool, err error) {
	if len(ops) < 2 || !slices.ContainsFunc(ops, func(o *op) bool { return o.move != nil }) {
		return false, nil
	}
	rest := slices.DeleteFunc(slices.Clone(ops), func(o *op) bool { return o.move != nil })
	if len(rest) > 0 {
		err = p.commit(rest)
	}
	for _, o := range ops {
		if o.move != nil {
			if one := p.commit([]*op{o}); one != nil {
				err = one
			}
		}
	}
	return true, err
}

// flags are what moves left in the tenant's data, as this group sees it.
func (g *group) flags(tenant uint32) (MoveFlags, error) {
	if g.p.Moves == nil {
		return MoveFlags{}, nil
	}
	if f, known := g.p.flags[tenant]; known {
		return f, nil
	}
	f, err := g.p.Moves.MoveFlags(g.tx, tenant)
	if err != nil {
		return f, fmt.Errorf("look for moves: %w", err)
	}
	g.p.flags[tenant] = f
	return f, nil
}

// load returns a move of the tenant, in or out, in one of the states.
func (p *Plane) load(tx store.Tx, c *tenant.Caller, moveID string, in bool, states ...MoveState) (*Move, error) {
	m, err := p.Moves.Move(tx, c.Tenant, moveID)
	if err != nil {
		return nil, fmt.Errorf("load move: %w", err)
	}
	if m == nil || m.In != in {
		return nil, refused{unknownMove()}
	}
	if !slices.Contains(states, m.State) {
		return nil, refused{fault.New(fault.Conflict, "move.wrong_state", "the move is %s", m.State).With("state", string(m.State))}
	}
	return m, nil
}

func unknownMove() error {
	return fault.New(fault.NotFound, "move.unknown", "there is no such move here").WithHint("begin one with POST /api/v1/moves in the region that the person moves to")
}

// to moves m on in its life.
func (m *Move) to(s MoveState) error {
	if s != m.State && !slices.Contains(next[m.State], s) {
		return fmt.Errorf("move %s can't be %s after %s", m.ID, s, m.State)
	}
	m.State = s
	return nil
}

// route is what everything sealed of a move is bound to.
func (p *Plane) route(c *tenant.Caller, m *Move) transit.Route {
	r := transit.Route{Move: m.ID, Tenant: c.TenantID, From: p.Region, To: m.Peer}
	if m.In {
		r.From, r.To = m.Peer, p.Region
	}
	return r
}

// sealBody puts what is known of a move into it, under key.
func (p *Plane) sealBody(c *tenant.Caller, m *Move, key *seal.Key, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode move: %w", err)
	}
	m.Body = seal.SealBytes(key, p.identifierAD(c.TenantID, m.Subject, "move "+m.ID), b)
	clear(b)
	return nil
}

func (p *Plane) openBody(c *tenant.Caller, m *Move, key *seal.Key, v any) error {
	b, err := seal.OpenBytes(key, p.identifierAD(c.TenantID, m.Subject, "move "+m.ID), m.Body)
	if err != nil {
		return fmt.Errorf("open move %s: %w", m.ID, err)
	}
	defer clear(b)
	if json.Unmarshal(b, v) != nil {
		return fmt.Errorf("move %s holds what no version wrote", m.ID)
	}
	return nil
}

// membersDigest names the set of subjects that are a person.
func membersDigest(subjects []id.Subject) string {
	subjects = slices.Clone(subjects)
	slices.SortFunc(subjects, func(a, b id.Subject) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	for _, s := range subjects {
		h.Write(s[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// moved is the fault of asking for somebody who moved away.
func (p *Plane) moved(who, region, move string) *fault.Error {
	f := fault.New(fault.WrongRegion, RefusedMoved, "%s moved to region %s", who, region).With("region", region).With("move", move)
	if url := p.opt.URLs[region]; url != "" {
		return f.With("url", url).WithHint("ask at the address in url")
	}
	return f.WithHint("ask in that region")
}

// whereTo returns the fault of the wrong region when one of the identifiers is of somebody who moved
// away, nil when none is. keys are under the suppression key.
func (p *Plane) whereTo(tx store.Tx, keys []subject.BindingKey) (err error) {
	if p.Moves == nil {
		return nil
	}
	var to error
	err = p.Moves.Moved(tx, keys, func(_ int, region, move string, retiredAt int64) {
		if retiredAt == 0 {
			to = p.moved("who has these identifiers", region, move)
		}
	})
	if err != nil {
		return fmt.Errorf("look for who moved: %w", err)
	}
	return to
}

// moveIDs are ids of moves, with the region that the person moves to.
var moveIDs = regexp.MustCompile(`^mov_([a-z][a-z0-9-]{0,15})_[a-z2-7]{24}$`)
