package tenant

import (
	"context"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// CreateToken makes another API token of a tenant. Only the operator may, as for all about tokens:
// who holds one token must not be able to keep a spare for the day it is taken away.
func (s *Service) CreateToken(ctx context.Context, c *Caller, tid, name string) (Token, string, Change, error) {
	if err := needOperator(c); err != nil {
		return Token{}, "", Change{}, err
	} else if err := checkName(name); err != nil {
		return Token{}, "", Change{}, err
	}
	var tok Token
	key, h := newKey(kindToken, s.opt.Region)
	ch, err := s.change(ctx, c, tid, func(tx store.Tx, a *Account, now time.Time) (string, any, error) {
		tok = Token{Tenant: a.No, TenantID: tid, ID: id.New("tok_"+s.opt.Region, 10), Name: name, CreatedAt: now}
		return "token.created", map[string]any{"token": tok.ID}, s.store.PutToken(tx, StoredToken{Token: tok, Secret: Secret{Hash: h}})
	})
	return tok, key, ch, err
}

// Tokens returns a tenant's tokens, oldest first. Only the operator may ask.
func (s *Service) Tokens(c *Caller, tid string) ([]Token, error) {
	if err := needOperator(c); err != nil {
		return nil, err
	}
	a, ok := s.index.account(tid)
	if !ok {
		return nil, noTenant()
	}
	all := make([]Token, len(a.Tokens))
	for i := range a.Tokens {
		all[i] = a.Tokens[i].Token
	}
	return all, nil
}

// RotateToken makes a token anew under its id. The old one works until grace is over, at once with
// 0. With an empty id it is the tenant's only enabled token; Conflict when there are several.
func (s *Service) RotateToken(ctx context.Context, c *Caller, tid, kid string, grace time.Duration) (Token, string, Change, error) {
	if err := checkGrace(grace); err != nil {
		return Token{}, "", Change{}, err
	}
	key, h := newKey(kindToken, s.opt.Region)
	tok, ch, err := s.changeToken(ctx, c, tid, kid, func(f *StoredToken, now time.Time) (string, map[string]any) {
		f.OldTokenValidTo = f.rotate(h, now, grace)
		return "token.rotated", map[string]any{"grace_seconds": int64(grace / time.Second)}
	})
	return tok, key, ch, err
}

// SetToken disables or enables a token.
func (s *Service) SetToken(ctx context.Context, c *Caller, tid, kid string, off bool) (Token, Change, error) {
	return s.changeToken(ctx, c, tid, kid, func(f *StoredToken, _ time.Time) (string, map[string]any) {
		f.Disabled = off
		return "token." + offWord(off), map[string]any{}
	})
}

func (s *Service) changeToken(ctx context.Context, c *Caller, tid, kid string, fn func(*StoredToken, time.Time) (string, map[string]any)) (Token, Change, error) {
	if err := needOperator(c); err != nil {
		return Token{}, Change{}, err
	}
	var tok Token
	ch, err := s.change(ctx, c, tid, func(tx store.Tx, a *Account, now time.Time) (string, any, error) {
		f, err := a.token(kid)
		if err != nil {
			return "", nil, err
		}
		kind, body := fn(&f, now)
		body["token"], tok = f.ID, f.Token
		return kind, body, s.store.PutToken(tx, f)
	})
	return tok, ch, err
}

// token returns the token kid, or the only enabled one when kid is empty.
func (a *Account) token(kid string) (StoredToken, error) {
	var found []StoredToken
	for _, t := range a.Tokens {
		if t.ID == kid || kid == "" && !t.Disabled {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return StoredToken{}, noToken()
	case 1:
		return found[0], nil
	}
	return StoredToken{}, fault.New(fault.Conflict, "token.several", "the tenant has several tokens").WithHint("name one of them")
}
