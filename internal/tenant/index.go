package tenant

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// index is what a node knows of the accounts, in memory, so that no request asks the database who
// is calling.
type index struct {
	mu       sync.RWMutex
	version  int64               // guarded by mu, as all below
	accounts map[string]*Account // by tenant id; an account is replaced, never changed
	hooks    map[string]hook     // by source id
	keys     map[hash]credential // current and old ones
	owned    map[string][]hash   // by tenant id: its hashes in keys
}

// credential is what a hash stands for. One of source and caller is set.
type credential struct {
	source *Source
	caller *Caller
	fault  error     // set when it is disabled
	ends   time.Time // zero: it doesn't
}

func newIndex() *index {
	return &index{accounts: map[string]*Account{}, hooks: map[string]hook{}, keys: map[hash]credential{}, owned: map[string][]hash{}}
}

// find returns what h stands for at now.
func (x *index) find(h hash, now time.Time) (credential, bool) {
	x.mu.RLock()
	c, ok := x.keys[h]
	x.mu.RUnlock()
	if ok && !c.ends.IsZero() && !now.Before(c.ends) {
		return credential{}, false
	}
	return c, ok
}

func (x *index) seen() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.version
}

func (x *index) hook(id string) (hook, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	h, ok := x.hooks[id]
	return h, ok
}

// adapter returns that of a source, "" when there is no such source.
func (x *index) adapter(sid string) string {
	if h, ok := x.hook(sid); ok {
		return h.source.Adapter
	}
	return ""
}

func (x *index) account(id string) (*Account, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	a, ok := x.accounts[id]
	return a, ok
}

// tenants returns all tenants by id.
func (x *index) tenants() []Tenant {
	x.mu.RLock()
	all := make([]Tenant, 0, len(x.accounts))
	for _, a := range x.accounts {
		all = append(all, a.Tenant)
	}
	x.mu.RUnlock()
	slices.SortFunc(all, func(a, b Tenant) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// put replaces accounts by what the store has now. secrets are those of their sources, opened, by the
// source's id.
func (x *index) put(accounts []Account, secrets map[string]opened) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range accounts {
		a := &accounts[i]
		if old := x.accounts[a.ID]; old != nil && old.Version > a.Version {
			continue
		}
		for _, h := range x.owned[a.ID] {
			delete(x.keys, h)
		}
		x.accounts[a.ID], x.owned[a.ID] = a, nil
		for j := range a.Sources {
			s := &a.Sources[j]
			s.Settings = a.Settings
			s.OAuth = s.oauth()
			off := disabled(a.Disabled, s.Disabled, "source")
			x.hooks[s.ID] = hook{source: &s.Source, opened: secrets[s.ID], oldEnds: s.OldEnds, disabled: off}
			x.own(a, s.Secret, credential{source: &s.Source, fault: off})
		}
		for j := range a.Tokens {
			t := &a.Tokens[j]
			x.own(a, t.Secret, credential{caller: &Caller{Tenant: a.No, TenantID: a.ID, Token: t.ID, Settings: a.Settings},
				fault: disabled(a.Disabled, t.Disabled, "token")})
		}
		x.version = max(x.version, a.Version)
	}
}

// own puts a secret's hashes under c. x.mu is held.
func (x *index) own(a *Account, s Secret, c credential) {
	x.own1(a, s.Hash, c)
	if len(s.Old) > 0 {
		c.ends = s.OldEnds
		x.own1(a, s.Old, c)
	}
}

func (x *index) own1(a *Account, b []byte, c credential) {
	if len(b) != len(hash{}) {
		return // a store that was tampered with opens nothing
	}
	h := hash(b)
	x.keys[h] = c
	x.owned[a.ID] = append(x.owned[a.ID], h)
}
