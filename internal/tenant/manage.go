package tenant

import (
	"context"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Change says what was entered about a change.
type Change struct{ Entry id.Entry }

// CreateTenant makes a tenant with its first API token, which is returned and never shown again.
// Only the operator may. Faults: Invalid; Conflict when the id is taken.
func (s *Service) CreateTenant(ctx context.Context, c *Caller, tid, name string) (Tenant, Token, string, Change, error) {
	var t Tenant
	var tok Token
	if err := needOperator(c); err != nil {
		return t, tok, "", Change{}, err
	} else if err := CheckID(tid); err != nil {
		return t, tok, "", Change{}, err
	} else if err := checkName(name); err != nil {
		return t, tok, "", Change{}, err
	}
	key, h := newKey(kindToken, s.opt.Region)
	ch, err := s.commit(ctx, func(tx store.Tx, now time.Time) (Tenant, string, any, error) {
		if _, taken, err := s.store.Account(tx, tid); err != nil {
			return t, "", nil, err
		} else if taken {
			return t, "", nil, fault.New(fault.Conflict, "tenant.exists", "there is a tenant called %s", tid)
		}
		no, err := s.store.NextTenant(tx)
		if err != nil {
			return t, "", nil, err
		}
		t = Tenant{No: no, ID: tid, Name: name, CreatedAt: now}
		tok = Token{Tenant: no, TenantID: tid, ID: id.New("tok_"+s.opt.Region, 10), Name: "first", CreatedAt: now}
		if err := s.store.PutTenant(tx, t); err != nil { // before its token, which refers to it
			return t, "", nil, err
		}
		err = s.store.PutToken(tx, StoredToken{Token: tok, Secret: Secret{Hash: h}})
		return t, "tenant.created", map[string]any{"tenant": tid, "token": tok.ID}, err
	})
	return t, tok, key, ch, err
}

// Tenants returns those that c may manage, by id.
func (s *Service) Tenants(c *Caller) []Tenant {
	if c.Operator {
		return s.index.tenants()
	}
	if a, ok := s.index.account(c.TenantID); ok {
		return []Tenant{a.Tenant}
	}
	return nil
}

// SetTenant disables or enables a tenant, with all its sources and tokens. Only the operator may.
func (s *Service) SetTenant(ctx context.Context, c *Caller, tid string, off bool) (Tenant, Change, error) {
	if err := needOperator(c); err != nil {
		return Tenant{}, Change{}, err
	}
	var t Tenant
	ch, err := s.change(ctx, c, tid, func(_ store.Tx, a *Account, _ time.Time) (string, any, error) {
		a.Disabled = off
		t = a.Tenant
		return "tenant." + offWord(off), map[string]any{"tenant": tid}, nil
	})
	return t, ch, err
}

// CreateSource makes a source and returns what Domicile made for it, which is never shown again: its
// key; of WhatsApp its verify token; of another signed adapter "", for its secret is the vendor's.
func (s *Service) CreateSource(ctx context.Context, c *Caller, tid string, n NewSource) (Source, string, Change, error) {
	n, err := n.check(s.opt.Adapters)
	if err == nil && s.opt.Service != nil {
		n.Service, err = s.opt.Service(n.Adapter, n.Service)
	}
	if err == nil {
		n.Secret, err = s.checkSecret(n.Adapter, n.Secret)
	}
	if err != nil {
		return Source{}, "", Change{}, err
	}
	var src Source
	shown, h := newKey(kindKey, s.opt.Region)
	ch, err := s.change(ctx, c, tid, func(tx store.Tx, a *Account, now time.Time) (string, any, error) {
		src = Source{Tenant: a.No, TenantID: tid, ID: id.New("src_"+s.opt.Region, 10), Name: n.Name,
			Adapter: n.Adapter, Service: n.Service, Trust: n.Trust, Account: n.Account, CreatedAt: now}
		f := StoredSource{Source: src, Secret: Secret{Hash: h}}
		body := map[string]any{"source": src.ID, "adapter": n.Adapter, "service": n.Service, "trust": n.Trust}
		switch {
		case Signed(n.Adapter):
			f.Sealed, shown = s.seal(&src, n.Secret)
		case n.Secret != "":
			f.Sealed, _ = s.seal(&src, n.Secret)
			src.OAuth, body["oauth"] = true, true
		}
		return "source.created", body, s.store.PutSource(tx, f)
	})
	if err != nil {
		return Source{}, "", Change{}, err
	}
	return src, shown, ch, nil
}

// Sources returns a tenant's sources, oldest first.
func (s *Service) Sources(c *Caller, tid string) ([]Source, error) {
	a, ok := s.index.account(tid)
	if !ok || !c.mayManage(tid) {
		return nil, noTenant()
	}
	all := make([]Source, len(a.Sources))
	for i := range a.Sources {
		all[i] = a.Sources[i].Source
	}
	return all, nil
}

// RotateSource gives a source a new key. The old one works until grace is over, at once with 0. A
// source of a signed adapter gets secret instead, which the vendor made, and what is returned is as
// for CreateSource. One with OAuth gets secret as its new public key and keeps its write key. secret
// is "" for every other.
func (s *Service) RotateSource(ctx context.Context, c *Caller, tid, sid, secret string, grace time.Duration) (Source, string, Change, error) {
	if err := checkGrace(grace); err != nil {
		return Source{}, "", Change{}, err
	}
	shown, h := newKey(kindKey, s.opt.Region)
	src, ch, err := s.changeSource(ctx, c, tid, sid, func(f *StoredSource, now time.Time) (string, map[string]any, error) {
		secret, err := s.checkRotation(f, secret)
		if err != nil {
			return "", nil, err
		}
		writeKey := f.Hash
		f.OldKeyValidTo = f.rotate(h, now, grace)
		if f.oauth() { // the write key says whose it is, and no more: it stays
			f.Hash, f.Old = writeKey, nil
		}
		if Signed(f.Adapter) || f.oauth() {
			f.OldSealed = nil
			if grace > 0 {
				f.OldSealed = f.Sealed
			}
			f.Sealed, shown = s.seal(&f.Source, secret)
		}
		return "source.rotated", map[string]any{"grace_seconds": int64(grace / time.Second)}, nil
	})
	if err != nil {
		return Source{}, "", Change{}, err
	}
	return src, shown, ch, nil
}

// SetSource disables or enables a source.
func (s *Service) SetSource(ctx context.Context, c *Caller, tid, sid string, off bool) (Source, Change, error) {
	return s.changeSource(ctx, c, tid, sid, func(f *StoredSource, _ time.Time) (string, map[string]any, error) {
		f.Disabled = off
		return "source." + offWord(off), map[string]any{}, nil
	})
}

func (s *Service) changeSource(ctx context.Context, c *Caller, tid, sid string, fn func(*StoredSource, time.Time) (string, map[string]any, error)) (Source, Change, error) {
	var src Source
	ch, err := s.change(ctx, c, tid, func(tx store.Tx, a *Account, now time.Time) (string, any, error) {
		i := slices.IndexFunc(a.Sources, func(x StoredSource) bool { return x.ID == sid })
		if i < 0 {
			return "", nil, noSource()
		}
		f := a.Sources[i]
		kind, body, err := fn(&f, now)
		if err != nil {
			return "", nil, err
		}
		body["source"], src = sid, f.Source
		src.OAuth = f.oauth()
		return kind, body, s.store.PutSource(tx, f)
	})
	return src, ch, err
}

// rotate makes h the hash of the key and keeps the one before it until grace is over.
func (s *Secret) rotate(h []byte, now time.Time, grace time.Duration) (oldEnds time.Time) {
	if grace > 0 {
		s.Old, s.OldEnds = s.Hash, now.Add(grace)
	} else {
		s.Old, s.OldEnds = nil, time.Time{}
	}
	s.Hash = h
	return s.OldEnds
}

// change runs fn on the account of a tenant that c may manage.
func (s *Service) change(ctx context.Context, c *Caller, tid string, fn func(store.Tx, *Account, time.Time) (kind string, body any, err error)) (Change, error) {
	return s.commit(ctx, func(tx store.Tx, now time.Time) (Tenant, string, any, error) {
		a, found, err := s.store.Account(tx, tid)
		if err != nil {
			return Tenant{}, "", nil, err
		}
		if !found || !c.mayManage(tid) {
			return Tenant{}, "", nil, noTenant()
		}
		kind, body, err := fn(tx, &a, now)
		return a.Tenant, kind, body, err
	})
}

// commit runs fn, writes the tenant that it returns under a new version and enters the change, all
// in one transaction. This node knows of it when commit returns, the others within a second.
func (s *Service) commit(ctx context.Context, fn func(store.Tx, time.Time) (Tenant, string, any, error)) (Change, error) {
	var ch Change
	now := s.opt.Now().UTC().Truncate(time.Millisecond)
	err := s.db.Do(ctx, func(tx store.Tx) error {
		t, kind, body, err := fn(tx, now)
		if err != nil {
			return err
		}
		if err := s.store.PutTenant(tx, t); err != nil {
			return err
		}
		if ch.Entry, err = s.ledger.Enter(tx, kind, t.ID, body); err != nil {
			return err
		}
		return store.Effect(ctx, tx)
	})
	if err != nil {
		return Change{}, err
	}
	s.ledger.Entered()
	if err := s.refresh(context.WithoutCancel(ctx)); err != nil {
		// It is done, and what was made is shown only once: the node learns of it at its next look.
		s.opt.Log.Error("a change to an account is not yet known to this node", "entry", ch.Entry.String(), "error", err)
	}
	return ch, nil
}

func checkGrace(d time.Duration) error {
	if d < 0 || d > MaxGrace {
		return fault.New(fault.Invalid, "grace.out_of_range", "the grace of an old key is between 0 and 30 days")
	}
	return nil
}

func offWord(off bool) string {
	if off {
		return "disabled"
	}
	return "enabled"
}
