package tenant

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
)

// Options says where a Service stands. Region is needed.
type Options struct {
	Region string
	// Peers are the addresses of the other regions, for whoever comes to the wrong one.
	Peers map[string]string
	// Adapters are those that sources can be made for.
	Adapters []string
	// Service checks the service of a new source against what its adapter sends, and fills it in
	// where it is "" and only one fits. Default: anything goes.
	Service func(adapter, service string) (string, error)
	// Keys seal the secrets of signed adapters, which can't be made without.
	Keys Keys
	// Secret checks the secret that came for a new source of a signed adapter, beyond its length.
	// Its faults don't repeat it. Default: anything goes.
	Secret func(adapter, secret string) error
	// OperatorToken is the credential of the region's operator, see OperatorToken. "" lets nobody
	// in as operator.
	OperatorToken string
	// Poll is how often a node looks for changes that other nodes made. Default 500 ms; never on
	// SQLite, where the process holds the store alone.
	Poll time.Duration
	// Log tells of failing polls. Default: nobody.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// missPause is the shortest time between two looks into the store for credentials that a node does
// not know, so that guessing costs the database nothing.
const missPause = 100 * time.Millisecond

// Service answers who is calling, from memory, and changes accounts. Every change is entered in the
// ledger in the transaction that makes it.
type Service struct {
	db       store.DB
	store    Store
	ledger   Ledger
	opt      Options
	operator hash
	index    *index

	look   sync.Mutex // one look into the store at a time
	looked time.Time  // when the last one began; guarded by look
}

// Open loads all accounts of the cell.
func Open(ctx context.Context, db store.DB, s Store, l Ledger, opt Options) (*Service, error) {
	if opt.Poll <= 0 {
		opt.Poll = 500 * time.Millisecond
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	v := &Service{db: db, store: s, ledger: l, opt: opt, index: newIndex()}
	if opt.OperatorToken != "" {
		v.operator = sha256.Sum256([]byte(opt.OperatorToken))
	}
	if err := v.refresh(ctx); err != nil {
		return nil, fmt.Errorf("load tenants: %w", err)
	}
	v.endGracesOrLog(ctx)
	return v, nil
}

// Run looks for changes by other nodes until ctx ends, so that a credential disabled on one node
// is refused by all within a second. It also has old secrets forgotten when their grace is over.
func (s *Service) Run(ctx context.Context) {
	graces := time.NewTicker(graceEvery)
	defer graces.Stop()
	var changes <-chan time.Time
	if s.shared() {
		tick := time.NewTicker(s.opt.Poll)
		defer tick.Stop()
		changes = tick.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-graces.C:
			s.endGracesOrLog(ctx)
		case <-changes:
			if err := s.refresh(ctx); err != nil && ctx.Err() == nil {
				s.opt.Log.WarnContext(ctx, "cannot look for changed tenants", "error", err)
			}
		}
	}
}

func (s *Service) endGracesOrLog(ctx context.Context) {
	if err := s.EndGraces(ctx); err != nil && ctx.Err() == nil {
		s.opt.Log.WarnContext(ctx, "cannot clear old secrets, it will be tried again", "error", err)
	}
}

// shared says whether other nodes may change the store.
func (s *Service) shared() bool { return s.db.Engine() != "sqlite" }

// SourceByKey returns the source of a dwk_… key. The source is never changed; a later call may
// return another value for the same key. Faults: Unauthenticated; Forbidden when the source or its
// tenant is disabled; WrongRegion with the right address under "url"; Unavailable when the key
// isn't known and the store can't be asked; Unauthenticated, oauth.token_missing, when its source
// has OAuth.
func (s *Service) SourceByKey(key string) (*Source, error) {
	h, _, err := s.place(key, kindKey)
	if err != nil {
		return nil, err
	}
	c, err := s.credential(h)
	if err != nil {
		return nil, err
	}
	if c.source == nil {
		return nil, unknown()
	}
	if c.source.OAuth {
		return nil, needsToken()
	}
	return c.source, nil
}

// HasKey says whether key is the write key of src, which a request with an access token repeats.
func (s *Service) HasKey(src *Source, key string) bool {
	h, _, err := s.place(key, kindKey)
	if err != nil {
		return false
	}
	c, err := s.credential(h)
	return err == nil && c.source != nil && c.source.ID == src.ID
}

// TenantByToken returns the tenant that a dtk_… token speaks for. Faults as for SourceByKey.
func (s *Service) TenantByToken(token string) (*Caller, error) {
	c, err := s.CallerByToken(token)
	if err != nil {
		return nil, err
	}
	if c.Operator {
		return nil, fault.New(fault.Forbidden, "operator.no_data", "an operator manages tenants and does not see their data").
			WithHint("use a token of the tenant, dtk_…")
	}
	return c, nil
}

// CallerByToken returns the caller of a dtk_… or dok_… token. Faults as for SourceByKey.
func (s *Service) CallerByToken(token string) (*Caller, error) {
	h, kind, err := s.place(token, kindToken, kindOperator)
	if err != nil {
		return nil, err
	}
	if kind == kindOperator {
		if s.opt.OperatorToken == "" || subtle.ConstantTimeCompare(h[:], s.operator[:]) != 1 {
			return nil, unknown()
		}
		return Operator, nil
	}
	c, err := s.credential(h)
	if err != nil {
		return nil, err
	}
	if c.caller == nil {
		return nil, unknown()
	}
	return c.caller, nil
}

// Version grows with every change of a tenant that this node knows of.
func (s *Service) Version() int64 { return s.index.seen() }

// Tenant returns a tenant by its id, from memory.
func (s *Service) Tenant(id string) (Tenant, error) {
	a, ok := s.index.account(id)
	if !ok {
		return Tenant{}, noTenant()
	}
	return a.Tenant, nil
}

// credential returns what h stands for. Keys are found by their hash, so the time it takes tells
// nothing about a key that is nearly right.
func (s *Service) credential(h hash) (credential, error) {
	c, ok := s.index.find(h, s.opt.Now())
	if !ok && s.shared() {
		if err := s.miss(); err != nil {
			return c, fault.New(fault.Unavailable, "credential.unchecked", "the credential cannot be checked at the moment").Because(err)
		}
		c, ok = s.index.find(h, s.opt.Now())
	}
	if !ok {
		return c, unknown()
	}
	return c, c.fault
}

// miss returns once the store has been looked into after miss was called, which it is at most every
// missPause: another node may have made a key a moment ago, and an SDK that is answered 401 throws
// its data away.
func (s *Service) miss() error {
	called := time.Now()
	s.look.Lock()
	defer s.look.Unlock()
	if s.looked.After(called) {
		return nil
	}
	if wait := missPause - time.Since(s.looked); wait > 0 {
		time.Sleep(wait)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return s.load(ctx)
}

// refresh loads the accounts that changed since the last look.
func (s *Service) refresh(ctx context.Context) error {
	s.look.Lock()
	defer s.look.Unlock()
	return s.load(ctx)
}

// load does it; s.look is held.
func (s *Service) load(ctx context.Context) error {
	began := time.Now()
	var changed []Account
	err := s.db.View(ctx, func(tx store.Tx) (err error) {
		changed, err = s.store.ChangedSince(tx, s.index.seen())
		return err
	})
	if err != nil {
		return err
	}
	s.index.put(changed, s.openAll(changed))
	s.looked = began
	return nil
}

// disabled is the fault of a credential that is known and does not work.
func disabled(tenant, own bool, what string) error {
	switch {
	case tenant:
		return fault.New(fault.Forbidden, "tenant.disabled", "the tenant is disabled").WithHint("the region's operator can enable it")
	case own:
		return fault.New(fault.Forbidden, what+".disabled", "this %s is disabled", what).WithHint("the region's operator can enable it")
	}
	return nil
}
