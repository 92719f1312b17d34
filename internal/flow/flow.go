// Package flow moves data out of a region: along declared flows, each batch on a decision that is in
// the ledger before a byte moves.
//
// A flow runs for one tenant at a time as a stream, with one cursor over the record log and one batch
// in flight. No queue holds copies: a batch that has to be sent again is read, decided and shaped anew
// from the store, under the same id. docs/flows.md has it for users, docs/decisions/0029-flows.md why.
package flow

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/form"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/pseudonym"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// Rules gives the engine of decisions that is in force, for its newest programme and register. It is
// cheap, and called for every batch.
type Rules interface{ Engine() *decision.Engine }

// Say knows what people have said.
type Say interface {
	// Of returns what each person has said as tx sees it, with Known true. A person is a set of
	// subjects, the head first.
	Of(tx store.Tx, tenant uint32, people [][]id.Subject) ([]decision.Subject, error)
}

// Shaper writes records in the form that was decided.
type Shaper interface {
	// Shape appends one line for r in d's form, ended, honouring d's obligations; nothing when
	// nothing of r is left.
	Shape(dst []byte, r *form.Record, d *decision.Decision) ([]byte, error)
}

// Window counts the records of one window.
type Window interface {
	// Add counts a record about these people; it keeps neither.
	Add(r *form.Record, people []id.Subject, d *decision.Decision) error
	// Lines appends the lines of all groups that are large enough, and says how many they are. head
	// returns who speaks now for a person who was counted, and false when nobody does.
	Lines(dst []byte, head func(id.Subject) (id.Subject, bool)) (out []byte, n int, err error)
}

// Forms makes what writes a flow's lines.
type Forms interface {
	Shaper(p *programme.Programme, f *programme.Flow, tenant string) (Shaper, error)
	// Window is for what is received from the first time on until before the second.
	Window(p *programme.Programme, f *programme.Flow, from, until time.Time) Window
}

// Tenant is one of whom flows can run.
type Tenant struct {
	No       uint32
	ID       string
	Pinned   bool // by its settings: no clear data leaves the region
	Disabled bool // its flows stand still
}

// Parts are the rooms that a Runner works with; it closes none of them.
type Parts struct {
	Region   string
	DB       store.DB
	Store    Store
	Subjects subject.Store
	Records  *record.Log
	Ledger   *ledger.Ledger
	Vault    *vault.Vault
	Rules    Rules
	Say      Say
	Forms    Forms
	// Pseudonyms is the region's map of whom recipients' pseudonyms mean. Nil: none is kept.
	Pseudonyms pseudonym.Store
	// Drifts returns codes of what a flow would do that the region's published notice doesn't say: with
	// any it halts. Nil: it isn't looked at.
	Drifts  func(flow string) []string
	Tenants func() []Tenant
	// Connect opens the way to a recipient, once; the Runner closes it. A fault NotFound says that
	// this node has no destination for it.
	Connect func(ctx context.Context, recipient string) (Connector, error)
}

// Options tunes a Runner. The zero value is right for a small region.
type Options struct {
	// BatchRecords and BatchBytes bound a batch: it ends after the row of the log that goes beyond.
	// Bytes are of sealed parts. Defaults 4,000 and 1 MiB.
	BatchRecords, BatchBytes int
	// Poll is how often the store is asked for what is new and for erasures by other nodes. Default
	// 200 ms, at most 250.
	Poll time.Duration
	// Streams is how many deliver at a time. Default 16.
	Streams int
	// Timeout bounds one attempt. Default 60 s.
	Timeout time.Duration
	// BackOff and MostBackOff bound the pause after a failed attempt, which doubles. Defaults 1 s and 5 min.
	BackOff, MostBackOff time.Duration
	// ParkAfter is how long a batch is tried. Default 24 h.
	ParkAfter time.Duration
	// Grace is how long after its end a window is counted: what was received in it is in the store by
	// then. Default 2 min.
	Grace time.Duration
	// Log gets what an operator should know. Default: nothing.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if o.BatchRecords == 0 {
		o.BatchRecords = 4000
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 1 << 20
	}
	if o.Streams == 0 {
		o.Streams = 16
	}
	def(&o.Poll, 200*time.Millisecond)
	o.Poll = min(o.Poll, 250*time.Millisecond)
	def(&o.Timeout, time.Minute)
	def(&o.BackOff, time.Second)
	def(&o.MostBackOff, 5*time.Minute)
	def(&o.ParkAfter, 24*time.Hour)
	def(&o.Grace, 2*time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Times of leases. A node that can't prolong its own cuts its attempts before others may begin theirs,
// and an erasure never waits longer than leaseFor for a node that is gone.
const (
	leaseFor   = 4 * time.Second
	renewAfter = time.Second
	cutAfter   = 3 * time.Second
)

// LeaseMost is how far ahead a lease of a stream or an attempt can end. One that ends later was written by a
// clock that has been set back since; it holds nobody up.
const LeaseMost = leaseFor + time.Minute

// Runner runs the flows of one region on one node. It is safe for concurrent use.
type Runner struct {
	Parts
	opt     Options
	now     func() time.Time
	log     *slog.Logger
	node    string // in leases
	metrics *metrics
	wake    chan struct{}
	work    sync.WaitGroup
	looks   uint // Run's own

	mu         sync.Mutex // guards what follows
	streams    map[Key]*stream
	attempts   map[*attempt]struct{}
	looked     looks
	connectors map[string]Connector // by recipient
	busy       int
}

// New returns a Runner; Run starts it.
func New(parts Parts, opt Options) *Runner {
	r := &Runner{Parts: parts, opt: opt.withDefaults(), node: id.New("node", 8), wake: make(chan struct{}, 1),
		streams: map[Key]*stream{}, attempts: map[*attempt]struct{}{}, connectors: map[string]Connector{}}
	r.now, r.log, r.metrics = r.opt.Now, r.opt.Log, newMetrics()
	return r
}

// Wake makes the Runner look at once.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
}

// connector returns the way to a recipient.
func (r *Runner) connector(ctx context.Context, recipient string) (Connector, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.connectors[recipient]; c != nil {
		return c, nil
	}
	if r.Connect == nil {
		return nil, noDestination(recipient)
	}
	c, err := r.Connect(ctx, recipient)
	if err != nil {
		return nil, err
	}
	r.connectors[recipient] = c
	return c, nil
}

func noDestination(recipient string) error {
	return fault.New(fault.NotFound, "destination.none", "this node has no destination for %s", recipient).
		WithHint("give it one: destinations in the node's configuration, or up --destination")
}
