// Package ledger is the append-only, publicly verifiable log of decisions: a Merkle log in the C2SP
// formats whose leaves are commitments, so that the public sees that nothing changed and only those
// whom an entry concerns see what it says.
//
// Format: docs/formats/ledger.md, version 1.
package ledger

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// Peer is another region, whose checkpoints this one cosigns and which cosigns this one's.
type Peer struct {
	Origin     string // of its log: "domicile/us1"
	LogKey     string // verifier key of its log
	WitnessKey string // verifier key of its witness
	// URL is where its pages begin ("https://us1.example.com"); "" means that this region never calls it.
	URL string
}

// Options tunes a Ledger. Keys is needed; the rest has defaults.
type Options struct {
	// Keys sign checkpoints and cosignatures; their origin is the log's.
	Keys *Keys
	// Peers are the other regions. None is right for a region on its own.
	Peers []Peer
	// Every is the least time between two checkpoints. Default 500 ms, at most 1 s.
	Every time.Duration
	// Client calls the peers. Default: one with a limit of 5 s a call.
	Client *http.Client
	// Log gets what somebody should look at. Default slog.Default.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Every <= 0 || o.Every > time.Second {
		o.Every = 500 * time.Millisecond
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: callTimeout}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Ledger is one cell's log. All methods may be called from several goroutines, and several nodes of
// a cell may each have one.
type Ledger struct {
	db    store.DB
	store Store
	keys  *Keys
	opt   Options
	log   *slog.Logger
	now   func() time.Time

	peers  map[string]*peer // by origin
	wake   chan struct{}    // something was committed
	counts counts

	mu       sync.Mutex // guards what follows
	edge     edge       // of the last append seen here, committed or not
	signed   Checkpoint // newest that this node signed or saw signed
	signedAt time.Time  // when it did, zero for one from before its start
	refusals map[string]*refusals
	self     SelfReport
}

// counts are what Counts shows.
type counts struct {
	entries, leaves, signed, signFailed, cosigned, refused, witnessed, pushFailed, behind atomic.Int64
}

// Counts are totals since the node started, for metrics.
type Counts struct {
	Entries     int64 // appended, sub-entries included; those rolled back too
	Leaves      int64
	Signed      int64 // checkpoints of our own
	SignRefused int64 // our own tree did not extend what we signed: somebody changed the store
	Cosigned    int64 // other logs' checkpoints
	Refused     int64 // other logs' checkpoints that did not extend what we hold
	Witnessed   int64 // cosignatures got
	PushFailed  int64 // calls to peers that failed
	Behind      int64 // times that a peer held more of our log than we do, or another one
}

// Counts returns the totals.
func (l *Ledger) Counts() Counts {
	c := &l.counts
	return Counts{Entries: c.entries.Load(), Leaves: c.leaves.Load(), Signed: c.signed.Load(), SignRefused: c.signFailed.Load(),
		Cosigned: c.cosigned.Load(), Refused: c.refused.Load(), Witnessed: c.witnessed.Load(), PushFailed: c.pushFailed.Load(), Behind: c.behind.Load()}
}

// Open returns the log in db, which it does not close. It refuses a store whose newest checkpoint
// was signed with another key (fault Conflict, "ledger.other_key").
func Open(ctx context.Context, db store.DB, s Store, opt Options) (*Ledger, error) {
	if opt.Keys == nil {
		return nil, fmt.Errorf("open ledger: no keys")
	}
	opt = opt.withDefaults()
	l := &Ledger{db: db, store: s, keys: opt.Keys, opt: opt, log: opt.Log, now: opt.Now,
		peers: map[string]*peer{}, wake: make(chan struct{}, 1), refusals: map[string]*refusals{}}
	for _, p := range opt.Peers {
		q, err := newPeer(p)
		if err != nil {
			return nil, fmt.Errorf("open ledger: peer %s: %w", p.Origin, err)
		}
		l.peers[p.Origin] = q
	}
	err := db.View(ctx, func(tx store.Tx) error {
		_, msg, err := s.Checkpoint(tx)
		if err != nil || msg == nil {
			return err
		}
		l.signed, _, err = OpenCheckpoint(msg, l.keys.logOpen)
		if err != nil {
			return fault.New(fault.Conflict, "ledger.other_key", "the ledger in this store was signed with another key").
				WithHint("start with the keyring that belongs to this store").Because(err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if err := l.lookAtItself(ctx); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return l, nil
}

// Keys returns the keys the log signs with.
func (l *Ledger) Keys() *Keys { return l.keys }

// Append enters drafts in tx, a write transaction, and returns a Ref for each, in their order.
// They are durable when the transaction is. Drafts of one kind and tenant become one leaf with
// sub-entries.
//
// It fails with Invalid for a draft that can't be entered, and then has written nothing.
func (l *Ledger) Append(tx store.Tx, drafts ...Draft) ([]Ref, error) {
	if len(drafts) == 0 {
		return nil, nil
	}
	size, last, err := l.store.Head(tx)
	if err != nil {
		return nil, fmt.Errorf("append to ledger: %w", err)
	}
	e, err := l.edgeAt(tx, size, last)
	if err != nil {
		return nil, fmt.Errorf("append to ledger: %w", err)
	}
	w := writer{drafts: drafts, refs: make([]Ref, len(drafts)), now: l.now}
	groups := grouped(drafts)
	leaves := make([]Leaf, len(groups))
	for i, g := range groups {
		if err := w.leaf(&leaves[i], g, e.size); err != nil {
			return nil, fmt.Errorf("append to ledger: %w", err)
		}
		leaves[i].Hashes = e.add(nil, tlog.RecordHash(leaves[i].Commitment[:]))
	}
	if err := l.store.Append(tx, leaves); err != nil {
		return nil, fmt.Errorf("append to ledger: %w", err)
	}
	l.mu.Lock()
	l.edge = e
	l.mu.Unlock()
	l.counts.entries.Add(int64(len(drafts)))
	l.counts.leaves.Add(int64(len(leaves)))
	return w.refs, nil
}

// Committed tells that a transaction with an Append was committed, so that a checkpoint follows.
// It never waits.
func (l *Ledger) Committed() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// grouped returns the numbers of the drafts that share a leaf, leaves in order of their first draft.
func grouped(drafts []Draft) [][]int {
	if len(drafts) == 1 {
		return [][]int{{0}}
	}
	type key struct{ kind, tenant string }
	var groups [][]int
	at := make(map[key]int)
	for i := range drafts {
		k := key{drafts[i].Kind, drafts[i].Tenant}
		g, ok := at[k]
		if !ok || len(groups[g]) == maxSubs {
			g = len(groups)
			at[k] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// writer turns drafts into leaves.
type writer struct {
	drafts []Draft
	refs   []Ref
	now    func() time.Time
	enc    encoder
	random []byte
}

// take returns n random bytes.
func (w *writer) take(n int) []byte {
	if len(w.random) < n {
		w.random = make([]byte, (nonceBytes+4)*min(2*len(w.drafts)+2, 256))
		_, _ = rand.Read(w.random)
	}
	b := w.random[:n:n]
	w.random = w.random[n:]
	return b
}

// leaf fills into with the group of drafts numbered group, at that index.
func (w *writer) leaf(into *Leaf, group []int, index int64) (err error) {
	first := w.drafts[group[0]]
	*into = Leaf{Index: index, Kind: first.Kind, Tenant: first.Tenant, Nonce: w.take(nonceBytes)}
	if len(group) == 1 {
		if first.At.IsZero() {
			first.At = w.now()
		}
		into.At = first.At.UnixMilli()
		into.Entry, err = w.entry(nil, group[0], index, 0)
		into.Commitment = commit(into.Nonce, into.Entry)
		return err
	}
	var tree edge
	var hashes []byte
	latest := time.Time{}
	subs := make([]byte, 0, len(group)*(nonceBytes+4+256))
	for i, n := range group {
		subs = append(subs, w.take(nonceBytes)...)
		subs = append(subs, 0, 0, 0, 0)
		from := len(subs)
		if subs, err = w.entry(subs, n, index, i+1); err != nil {
			return err
		}
		binary.BigEndian.PutUint32(subs[from-4:], uint32(len(subs)-from))
		c := commit(subs[from-4-nonceBytes:from-4], subs[from:])
		hashes = tree.add(hashes[:0], tlog.RecordHash(c[:]))
		if at := w.drafts[n].At; at.After(latest) {
			latest = at
		}
	}
	if latest.IsZero() {
		latest = w.now()
	}
	d := Draft{Kind: first.Kind, Tenant: first.Tenant, At: latest}
	into.At, into.Subs = latest.UnixMilli(), subs
	into.Entry = writeEntry(nil, &d, newID(index, 0, w.take(4)), nil, writeSub(nil, len(group), tree.root()))
	into.Commitment = commit(into.Nonce, into.Entry)
	return nil
}

// entry appends the entry of draft n to dst and fills its ref.
func (w *writer) entry(dst []byte, n int, index int64, ordinal int) ([]byte, error) {
	d := w.drafts[n]
	if d.At.IsZero() {
		d.At = w.now()
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	body, err := w.enc.body(d.Body)
	if err != nil {
		return nil, err
	}
	e, from := newID(index, ordinal, w.take(4)), len(dst)
	w.refs[n] = Ref{Entry: e, Index: index}
	if dst = writeEntry(dst, &d, e, body, nil); len(dst)-from > MaxEntryBytes {
		return nil, fault.New(fault.Invalid, "ledger.too_large", "an entry has at most %d bytes", MaxEntryBytes)
	}
	return dst, nil
}
