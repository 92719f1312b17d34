package register

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
)

// Bounds.
const (
	// MaxStanding is how many facts a register has at once.
	MaxStanding = 10_000
	// MaxAtOnce is how many facts one call adds.
	MaxAtOnce = 1000
)

// Options says how a Service works. All may be left out.
type Options struct {
	// Age is how old what a node knows of the register may be, where other nodes write to it too.
	// Default 800 ms. Never on SQLite, where the process holds the store alone.
	Age time.Duration
	// Log tells when the register can't be read, and when it can again. Default: nobody.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Service keeps the region's register. It is safe for concurrent use.
type Service struct {
	db     store.DB
	store  Store
	ledger Ledger
	opt    Options

	look sync.Mutex // one look into the store at a time

	mu      sync.RWMutex // guards what follows
	current *Snapshot    // nil until the first look
	looked  time.Time    // when the last look that went well began
	written int64        // writes so far, whatever became of them
	seen    int64        // of these, those before the last look
	failing bool         // the last look failed
}

// Snapshot is the register at one time. It is never changed.
type Snapshot struct {
	Register *Register
	Seq      int64 // of the newest row
	Facts    []Row // those that stand, oldest first
}

// Open returns the service. It doesn't read yet: a node whose register can't be read starts, and denies.
func Open(db store.DB, s Store, l Ledger, opt Options) *Service {
	if opt.Age <= 0 {
		opt.Age = 800 * time.Millisecond
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Service{db: db, store: s, ledger: l, opt: opt}
}

// Current returns the register, at most Options.Age old and with every write of this node. An error
// means that it can't be read: then nothing may be decided on what was read before.
func (s *Service) Current(ctx context.Context) (*Snapshot, error) {
	if now := s.fresh(); now != nil {
		return now, nil
	}
	s.look.Lock()
	defer s.look.Unlock()
	if now := s.fresh(); now != nil { // somebody looked while we waited
		return now, nil
	}
	return s.read(ctx)
}

// fresh returns what is known while it may be used.
func (s *Service) fresh() *Snapshot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.current == nil || s.seen < s.written || s.failing || s.shared() && time.Since(s.looked) > s.opt.Age {
		return nil
	}
	return s.current
}

func (s *Service) shared() bool { return s.db.Engine() != "sqlite" }

// read looks into the store; s.look is held.
func (s *Service) read(ctx context.Context) (*Snapshot, error) {
	began := time.Now()
	s.mu.RLock()
	now, written := s.current, s.written
	s.mu.RUnlock()
	err := s.db.View(ctx, func(tx store.Tx) error {
		last, err := s.store.LastFact(tx)
		if err != nil || now != nil && now.Seq == last {
			return err
		}
		now, err = s.standing(tx, last)
		return err
	})
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err() // whoever asked went away: nothing is wrong with the register
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed := err != nil; failed != s.failing {
		s.failing = failed
		if failed {
			s.opt.Log.ErrorContext(ctx, "the register can't be read: everything is denied until it can", "error", err)
		} else {
			s.opt.Log.InfoContext(ctx, "the register can be read again")
		}
	}
	if err != nil {
		return nil, err
	}
	s.current, s.looked, s.seen = now, began, max(s.seen, written)
	return now, nil
}

// standing reads all facts that stand.
func (s *Service) standing(tx store.Tx, last int64) (*Snapshot, error) {
	n := &Snapshot{Seq: last}
	var lines []Line
	err := s.store.StandingFacts(tx, func(r Row) error {
		n.Facts, lines = append(n.Facts, r), append(lines, r.Line)
		return nil
	})
	if err == nil {
		n.Register, err = FromLines(lines)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Run looks for what other nodes wrote, until ctx ends, so that decisions seldom have to.
func (s *Service) Run(ctx context.Context) {
	if !s.shared() {
		return
	}
	tick := time.NewTicker(s.opt.Age / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.look.Lock()
		look, stop := context.WithTimeout(ctx, 2*time.Second)
		_, _ = s.read(look) // it logs
		stop()
		s.look.Unlock()
	}
}

// History returns every act after the one numbered after, oldest first, limit at most.
func (s *Service) History(ctx context.Context, c Caller, after int64, limit int) (rows []Row, err error) {
	if !c.Operator && c.Tenant == "" {
		return nil, fault.New(fault.Forbidden, "operator.only", "only the region's operator may do this")
	}
	err = s.db.View(ctx, func(tx store.Tx) error {
		rows = nil
		return s.store.FactsAfter(tx, after, limit, c.Tenant, func(r Row) error {
			rows = append(rows, r)
			return nil
		})
	})
	return rows, err
}

// Facts returns what stands and c may see: the operator all, a tenant its own choices.
func (s *Service) Facts(ctx context.Context, c Caller) (*Snapshot, error) {
	now, err := s.Current(ctx)
	if err != nil || c.Operator {
		return now, err
	}
	own := &Snapshot{Seq: now.Seq, Register: now.Register}
	for _, r := range now.Facts {
		if c.Tenant != "" && r.Tenant == c.Tenant {
			own.Facts = append(own.Facts, r)
		}
	}
	return own, nil
}
