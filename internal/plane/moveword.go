package plane

import (
	"context"
	"crypto/hmac"
	"fmt"
	"regexp"
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
)

// A person's old home keeps, under the move, what its recipients call them; their new home tells it with a
// word when there is something to pass on. A word names the move and no person.

// Word is what a person's new home tells the one that they came from.
type Word struct {
	Tenant  uint32
	Move    string
	ID      string // "wrd_…", random
	Peer    string // the old home
	Kind    string // of the notices that it is to make
	Receipt string // of the erasure at the new home, or the ledger entry of what else was done there
	MAC     []byte
	At      int64 // Unix ms
}

// upstream is a region that a person came from, by a move that is done.
type upstream struct {
	Move string
	Peer string
	Key  []byte // of words
}

// wordKey is the key of words about a move, which only its two regions have.
func wordKey(ackKey []byte) []byte { return transit.MAC(ackKey, "words") }

func (w *Word) mac(key []byte) []byte {
	return transit.MAC(key, "word", w.Move, w.ID, w.Kind, w.Receipt)
}

func newWord() string { return id.New("wrd", 15) }

// upstreamOf returns where the person came from, with their keys at hand.
func (g *group) upstreamOf(tenantID string, rows []*subject.Row) (out []upstream, err error) {
	if len(rows) == 0 || g.p.Moves == nil {
		return nil, nil
	}
	var came []*Move
	if err := g.p.Moves.MovesOf(g.tx, rows[0].Tenant, idsOf(rows), func(m *Move) {
		if m.In && m.State == MoveDone {
			came = append(came, m)
		}
	}); err != nil {
		return nil, fmt.Errorf("look for where somebody came from: %w", err)
	}
	c := &tenant.Caller{Tenant: rows[0].Tenant, TenantID: tenantID}
	for _, m := range came {
		key, err := g.p.open(rows[slices.IndexFunc(rows, func(r *subject.Row) bool { return r.Subject == m.Subject })])
		if err != nil {
			return nil, fmt.Errorf("open key of %s: %w", m.Subject, err)
		}
		var body arrivingBody
		if err := g.p.openBody(c, m, key, &body); err != nil {
			return nil, err
		}
		if len(body.After) > 0 { // else they came before there were words
			out = append(out, upstream{m.ID, m.Peer, body.After})
		}
	}
	return out, nil
}

// sendWords notes, in the transaction of what was done to the person who is rows, that the regions they came
// from are to be told.
func (g *group) sendWords(kind, tenantID, receipt string, rows []*subject.Row) error {
	if g.p.Owed == nil || len(rows) == 0 {
		return nil
	}
	f, err := g.flags(rows[0].Tenant)
	if err != nil || !f.Came {
		return err
	}
	ups, err := g.upstreamOf(tenantID, rows)
	if err != nil || len(ups) == 0 {
		return err
	}
	return g.putWords(rows[0].Tenant, ups, newWord(), kind, receipt)
}

func (g *group) putWords(no uint32, ups []upstream, word, kind, receipt string) error {
	if g.p.Owed == nil {
		return nil
	}
	for _, u := range ups {
		w := &Word{Tenant: no, Move: u.Move, ID: word, Peer: u.Peer, Kind: kind, Receipt: receipt, At: g.now.UnixMilli()}
		w.MAC = w.mac(u.Key)
		if err := g.p.Owed.PutWord(g.tx, w); err != nil {
			return fmt.Errorf("note a word to region %s: %w", u.Peer, err)
		}
	}
	return nil
}

// keepTold keeps, before the keys of who leaves go, what recipients call them and where they came from.
func (g *group) keepTold(c *tenant.Caller, m *Move, body *leavingBody, pers *somebody) error {
	p := g.p
	if p.Owed != nil {
		var err error
		if body.Upstream, err = g.upstreamOf(c.TenantID, pers.rows); err != nil {
			return err
		}
	}
	if p.Notices == nil {
		return nil
	}
	if err := g.correctLeaver(c, pers); err != nil {
		return err
	}
	if err := p.Notices.Keep(g.tx, c.TenantID, m.ID, pers.rows); err != nil {
		return fmt.Errorf("keep what recipients will have to be told: %w", err)
	}
	return nil
}

// correctLeaver tells now what would be told after the person has left.
func (g *group) correctLeaver(c *tenant.Caller, pers *somebody) error {
	if g.p.Owed == nil {
		return nil
	}
	var due []Corrected
	if err := g.p.Owed.CorrectedOf(g.tx, keysOfRows(pers.rows), func(d Corrected) { due = append(due, d) }); err != nil {
		return fmt.Errorf("look whether somebody was corrected: %w", err)
	}
	changed := false
	for _, d := range due {
		if _, err := g.p.Owed.TakeCorrected(g.tx, d); err != nil {
			return fmt.Errorf("forget a correction: %w", err)
		}
		one, err := g.p.corrects(g.tx, c, pers, d.Pos)
		if err != nil {
			return err
		}
		changed = changed || one
	}
	if !changed {
		return nil
	}
	return g.enterCorrection(c, pers)
}

func keysOfRows(rows []*subject.Row) []subject.Key {
	out := make([]subject.Key, len(rows))
	for i, r := range rows {
		out[i] = r.Key
	}
	return out
}

// OwedWord is a word with whose tenant it is.
type OwedWord struct {
	Word
	Caller *tenant.Caller // in whose name; nobody's token
}

// wordAgain is how long a word waits after a region didn't take it.
const wordAgain = 60_000 // ms

// Words returns words that other regions haven't confirmed and that are due, the oldest first. name
// returns the id of a tenant by its number, "" for one that isn't known.
func (p *Plane) Words(ctx context.Context, name func(uint32) string) (out []OwedWord, err error) {
	if p.Owed == nil {
		return nil, nil
	}
	now := p.now().UnixMilli()
	var nobodys []*Word
	err = p.DB.View(ctx, func(tx store.Tx) error {
		out, nobodys = out[:0], nil
		return p.Owed.Words(tx, mostDeliveries, func(w *Word) {
			if w.At > now {
				return
			}
			if tid := name(w.Tenant); tid != "" {
				out = append(out, OwedWord{*w, &tenant.Caller{Tenant: w.Tenant, TenantID: tid}})
			} else {
				nobodys = append(nobodys, w)
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list words to other regions: %w", err)
	}
	return out, p.putOffNobodys(ctx, nobodys, now)
}

// putOffNobodys keeps words of tenants that this node doesn't know from standing before the others.
func (p *Plane) putOffNobodys(ctx context.Context, list []*Word, now int64) error {
	if len(list) == 0 {
		return nil
	}
	p.log.Error("words to other regions are of tenants that aren't known, they are tried again in a day", "words", len(list))
	if err := p.DB.Do(ctx, func(tx store.Tx) error {
		for _, w := range list {
			if err := p.Owed.PutOffWord(tx, w, now+putOffMost.Milliseconds()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("put off words: %w", err)
	}
	return nil
}

// WordTaken notes that the other region has a word, or with again that it is to be told later, after others.
func (p *Plane) WordTaken(ctx context.Context, w *OwedWord, again bool) error {
	return p.DB.Do(ctx, func(tx store.Tx) error {
		if again {
			return p.Owed.PutOffWord(tx, &w.Word, p.now().UnixMilli()+wordAgain)
		}
		return p.Owed.DropWord(tx, &w.Word)
	})
}

var (
	wordIDs      = regexp.MustCompile(`^wrd_[a-z2-7]{24}$`)
	wordReceipts = regexp.MustCompile(`^[a-z]{3}_[A-Za-z0-9_-]{8,64}$`)
	wordKinds    = []string{"erasure", "restriction", "restriction_lifted", "correction"}
)

// wordHeard is the ledger's entry on a word from a person's new home.
type wordHeard struct {
	Move    string `json:"move"`
	Word    string `json:"word"`
	Kind    string `json:"kind"`
	Receipt string `json:"receipt"`
	From    string `json:"from"`
}

// HearWord takes the word of the region that a person moved to, and makes notices to the recipients that had
// something of them here. Regions that they came from before are told in turn. Again: it changes nothing.
//
// Errors: Invalid word.malformed; NotFound move.unknown; Conflict move.wrong_state, move.bad_proof.
func (p *Plane) HearWord(ctx context.Context, c *tenant.Caller, w Word) error {
	if !wordIDs.MatchString(w.ID) || !wordReceipts.MatchString(w.Receipt) || !slices.Contains(wordKinds, w.Kind) {
		return fault.New(fault.Invalid, "word.malformed", "that is no word of a region")
	}
	return p.step(ctx, c, func(g *group) error {
		m, err := p.load(g.tx, c, w.Move, false, MoveMoved, MoveLeft)
		if err != nil {
			return err
		}
		body, err := p.leavingBody(c, m)
		if err != nil {
			return err
		}
		if !hmac.Equal(w.mac(wordKey(body.AckKey)), w.MAC) {
			return refused{badProof()}
		}
		if p.Notices != nil {
			if err := p.Notices.Recall(g.tx, c.Tenant, m.ID, w.ID, w.Kind, w.Receipt); err != nil {
				return fmt.Errorf("tell who had something of a person who moved: %w", err)
			}
		}
		if err := g.putWords(c.Tenant, body.Upstream, w.ID, w.Kind, w.Receipt); err != nil {
			return err
		}
		if _, err := g.enter(ledger.Draft{Kind: "move.word", Tenant: c.TenantID, At: g.now, Body: wordHeard{m.ID, w.ID, w.Kind, w.Receipt, m.Peer}}); err != nil {
			return fmt.Errorf("enter a word: %w", err)
		}
		return nil
	})
}
