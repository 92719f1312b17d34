package record

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"domicile.dev/internal/store"
)

// Family is one of the two indexes.
type Family int64

const (
	BySubject Family = 0 // (tenant, subject) → locations with kind codes
	ByClient  Family = 1 // (tenant, client key) → location
)

var families = [...]Family{BySubject, ByClient}

// Log is the record log of one cell. It is safe for concurrent use; Append is called inside DB.Do.
type Log struct {
	db    store.DB
	store Store
	opt   Options

	mem    memtable
	cache  *cache
	shapes shapeCache
	kinds  kindTable

	state   atomic.Pointer[state]
	stateMu sync.Mutex
	states  []*state       // guarded by stateMu: the last ones, oldest first
	fresh   map[int64]*run // guarded by stateMu: runs that this node is about to publish

	appendMu sync.Mutex
	build    builder // guarded by appendMu

	mergeMu sync.Mutex
	merger  merger // guarded by mergeMu
	wake    chan struct{}
}

// Open returns the log of db. It reads the fences and filters of all runs, and the group indexes
// that no run has yet. The caller runs Run, else nothing is merged.
func Open(ctx context.Context, db store.DB, s Store, opt Options) (*Log, error) {
	opt = opt.withDefaults(db.Engine())
	l := &Log{db: db, store: s, opt: opt, cache: newCache(opt.CacheBytes), fresh: map[int64]*run{}, wake: make(chan struct{}, 1)}
	l.mem.maxRecords, l.mem.maxGroups = opt.MemRecords, opt.MemGroups
	err := db.View(ctx, func(tx store.Tx) error {
		l.mem.gens = []*generation{newGeneration(0)}
		if err := l.kinds.load(l.store, tx); err != nil {
			return err
		}
		_, err := l.at(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open record log: %w", err)
	}
	return l, nil
}

// kindTable maps kind codes to kinds and back. Codes are given once and never change.
type kindTable struct {
	mu     sync.RWMutex
	byCode map[uint16]Kind // guarded by mu
	codes  map[Kind]uint16 // guarded by mu; the key's Code is 0
}

func (t *kindTable) load(s Store, tx store.Tx) error {
	all, err := s.Kinds(tx)
	if err != nil {
		return fmt.Errorf("read kind codes: %w", err)
	}
	t.add(all)
	return nil
}

func (t *kindTable) add(all []Kind) {
	if len(all) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byCode == nil {
		t.byCode, t.codes = make(map[uint16]Kind), make(map[Kind]uint16)
	}
	for _, k := range all {
		t.byCode[k.Code] = k
		code := k.Code
		k.Code = 0
		t.codes[k] = code
	}
}

func (t *kindTable) code(k Kind) (uint16, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	c, ok := t.codes[k]
	return c, ok
}

// kind returns the kind of a code, looking into the store for one that another node gave.
func (v *view) kind(code uint16) (Kind, error) {
	t := &v.l.kinds
	for try := 0; ; try++ {
		t.mu.RLock()
		k, ok := t.byCode[code]
		t.mu.RUnlock()
		if ok {
			return k, nil
		}
		if try > 0 {
			return k, corrupt(fmt.Sprintf("no kind with code %d", code))
		}
		if err := t.load(v.l.store, v.tx); err != nil {
			return k, err
		}
	}
}
