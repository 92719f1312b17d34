package publish

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plain"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// Bounds of subscriptions.
const (
	// confirmDays is how long a link to confirm works; who hasn't by then is forgotten.
	confirmDays = 7
	// askPause is the least time between two messages that somebody else can cause at an address.
	askPause = time.Hour
	// maxWaiting is the most subscribers that wait for their confirmation.
	maxWaiting = 20_000
	// maxAddressBytes is that of a path, RFC 5321, 4.5.3.1.3.
	maxAddressBytes = 254
)

// Subscribe asks the owner of an e-mail address whether the lists shall be sent there. What it returns and
// does doesn't tell whether the address was known. What is sent there is in the language, where a version has it.
//
// Faults: Invalid for what is no address; RateLimited when too many wait.
func (s *Service) Subscribe(ctx context.Context, address plain.Bytes, lists uint8, language string) error {
	canonical, ok := subject.Canonical("email", address.Reveal())
	if !ok || len(canonical) > maxAddressBytes || !mailable(canonical) {
		return fault.New(fault.Invalid, "subscription.bad_address", "that is no e-mail address")
	}
	if lists == 0 {
		_, err := ParseLists(nil)
		return err
	}
	blind := s.blind(Mail, 0, canonical)
	now := s.opt.Now().UTC().Truncate(time.Millisecond)
	err := s.DB.Do(ctx, func(tx store.Tx) error {
		there, err := s.Store.SubscriberByBlind(tx, Mail, 0, blind)
		if err != nil {
			return err
		}
		if there != nil {
			return s.again(tx, there, lists, language, now)
		}
		if waiting, _, err := s.Store.CountSubscribers(tx); err != nil {
			return err
		} else if waiting >= maxWaiting {
			return fault.New(fault.RateLimited, "subscription.busy", "too many addresses wait for their confirmation").WithHint("try again tomorrow")
		}
		n := &Subscriber{ID: id.NewSubject(), Channel: Mail, Lists: lists, Language: language, Blind: blind, MadeAt: now, AskedAt: now}
		if err := s.sealContact(tx, n, contact{Address: string(canonical)}); err != nil {
			return err
		}
		if err := s.Store.PutSubscriber(tx, n); err != nil {
			return err
		}
		return s.Store.Queue(tx, Message{Kind: confirming, Subscriber: n.ID, Channel: Mail, MadeAt: now})
	})
	s.wake()
	return err
}

// again is for an address that is there: it is asked, or told that it is known, once in a while.
func (s *Service) again(tx store.Tx, x *Subscriber, lists uint8, language string, now time.Time) error {
	kind := known
	if !x.Confirmed {
		kind, x.Lists, x.Language = confirming, lists, language
	}
	if due := now.Sub(x.AskedAt) >= askPause; due {
		x.AskedAt = now
		if err := s.Store.Queue(tx, Message{Kind: kind, Subscriber: x.ID, Channel: Mail, MadeAt: now}); err != nil {
			return err
		}
	}
	return s.Store.PutSubscriber(tx, x)
}

// mailable says whether an address can stand in a header as it is: one @, visible ASCII, nothing quoted.
func mailable(a []byte) bool {
	at := 0
	for _, b := range a {
		switch {
		case b == '@':
			at++
		case b <= ' ' || b > '~', b == '"', b == '<', b == '>', b == '(', b == ')', b == ',', b == ';', b == ':', b == '\\', b == '[', b == ']':
			return false
		}
	}
	return at == 1
}

// Confirm is the answer of an address's owner. Faults: NotFound for a link that isn't ours, is too old, or
// whose subscription is gone.
func (s *Service) Confirm(ctx context.Context, token string) error {
	who, err := s.parseToken(token, tokenConfirm)
	if err != nil {
		return err
	}
	err = s.DB.Do(ctx, func(tx store.Tx) error {
		x, err := s.Store.Subscriber(tx, who)
		if err != nil {
			return err
		}
		if x == nil {
			return badLink()
		}
		if x.Confirmed {
			return nil
		}
		x.ConfirmedAt = s.opt.Now().UTC().Truncate(time.Millisecond)
		if err := s.Store.PutSubscriber(tx, x); err != nil {
			return err
		}
		_, err = s.enter(tx, "subscription.confirmed", "", map[string]any{"subscription": subscriptionID(x.ID), "channel": x.Channel, "lists": ListNames(x.Lists)})
		return err
	})
	s.Ledger.Committed()
	return err
}

// End ends the subscription that a link names, for good: its key is destroyed. One that is gone already
// is ended, too. Fault: NotFound for a link that isn't ours.
func (s *Service) End(ctx context.Context, token string) error {
	who, err := s.parseToken(token, tokenEnd)
	if err != nil {
		return err
	}
	return s.end(ctx, who, func(*Subscriber) error { return nil })
}

// end removes a subscriber that allowed lets go.
func (s *Service) end(ctx context.Context, who id.Subject, allowed func(*Subscriber) error) error {
	var gone *Subscriber
	err := s.DB.Do(ctx, func(tx store.Tx) (err error) {
		if gone, err = s.Store.Subscriber(tx, who); err != nil {
			return err
		}
		if err := allowed(gone); err != nil || gone == nil {
			return err
		}
		if err := s.Store.DropSubscriber(tx, who, s.opt.Now()); err != nil {
			return err
		}
		if _, err := s.enter(tx, "subscription.ended", gone.TenantID, map[string]any{"subscription": subscriptionID(who), "channel": gone.Channel}); err != nil {
			return err
		}
		return store.Effect(ctx, tx)
	})
	if err == nil && gone != nil {
		s.Vault.Forget(vault.Wrapped{Epoch: gone.Epoch, Bytes: gone.Wrapped})
		s.Ledger.Committed()
		s.wake()
	}
	return err
}

// Known says whether a link is ours and still works, without doing anything.
func (s *Service) Known(token string) bool {
	for _, use := range []byte{tokenConfirm, tokenEnd} {
		if _, err := s.parseToken(token, use); err == nil {
			return true
		}
	}
	return false
}

// subscriptionID is how a subscription is called outside.
func subscriptionID(s id.Subject) string { return "sbr_" + s.String()[len("sub_"):] }

// parseSubscription is the other way round.
func parseSubscription(t string) (s id.Subject, err error) {
	if len(t) > 4 && t[:4] == "sbr_" {
		if s, err := id.ParseSubject("sub_" + t[4:]); err == nil {
			return s, nil
		}
	}
	return s, fault.New(fault.NotFound, "subscription.unknown", "there is no such subscription of yours")
}

// sealContact gives x a key, wrapped under the epoch of tx, and seals c under it.
func (s *Service) sealContact(tx store.Tx, x *Subscriber, c contact) error {
	if _, err := s.Vault.Fence(tx); err != nil {
		return err
	}
	w, key, err := s.Vault.Mint("", x.ID)
	if err != nil {
		return fmt.Errorf("make a subscriber's key: %w", err)
	}
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode a subscriber: %w", err)
	}
	x.Epoch, x.Wrapped, x.Sealed = w.Epoch, w.Bytes, seal.SealBytes(key, s.contactAD(x.ID), b)
	return nil
}

func (s *Service) openContact(x *Subscriber) (c contact, err error) {
	key, err := s.Vault.Peek("", x.ID, vault.Wrapped{Epoch: x.Epoch, Bytes: x.Wrapped})
	if err != nil {
		return c, fmt.Errorf("subscription %s: %w", subscriptionID(x.ID), err)
	}
	b, err := seal.OpenBytes(key, s.contactAD(x.ID), x.Sealed)
	if err != nil {
		return c, fmt.Errorf("subscription %s: %w", subscriptionID(x.ID), err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("subscription %s: what was sealed is no JSON", subscriptionID(x.ID)) // the cause would quote it
	}
	return c, nil
}

// contactAD binds what is sealed to the subscriber; docs/formats/keys.md.
func (s *Service) contactAD(who id.Subject) []byte {
	return append(seal.AppendName([]byte("subscriber 1\x00"), s.Region), who[:]...)
}

// blind is an address as it is looked up: the first 16 bytes of an HMAC.
func (s *Service) blind(channel string, tenant uint32, address []byte) []byte {
	m := hmac.New(sha256.New, s.blinds)
	b := seal.AppendName(nil, channel)
	b = binary.BigEndian.AppendUint32(b, tenant)
	_, _ = m.Write(append(b, address...))
	return m.Sum(nil)[:16]
}

// What a link is for.
const (
	tokenConfirm = 'c'
	tokenEnd     = 'u'
)

// macBytes is how much of an HMAC-SHA256 a link has.
const macBytes = 16

// token is a link's: what for, whose, its last day (0 for none), and an HMAC.
func (s *Service) token(use byte, who id.Subject, last uint32) string {
	b := append([]byte{use}, who[:]...)
	b = binary.BigEndian.AppendUint32(b, last)
	m := hmac.New(sha256.New, s.tokens)
	_, _ = m.Write(b)
	return base64.RawURLEncoding.EncodeToString(append(b, m.Sum(nil)[:macBytes]...))
}

func (s *Service) parseToken(t string, use byte) (who id.Subject, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(t)
	if err != nil || len(b) != 1+len(who)+4+macBytes || b[0] != use {
		return who, badLink()
	}
	body, mac := b[:len(b)-macBytes], b[len(b)-macBytes:]
	m := hmac.New(sha256.New, s.tokens)
	_, _ = m.Write(body)
	if !hmac.Equal(mac, m.Sum(nil)[:macBytes]) {
		return who, badLink()
	}
	if last := binary.BigEndian.Uint32(body[1+len(who):]); last != 0 && int64(s.today()) > int64(last) {
		return who, badLink()
	}
	return id.Subject(body[1 : 1+len(who)]), nil
}

func badLink() error {
	return fault.New(fault.NotFound, "subscription.bad_link", "this link doesn't work any more").WithHint("subscribe again")
}

// confirmURL and endURL are the links of a message. GET shows a page, POST acts.
func (s *Service) confirmURL(who id.Subject) string {
	return s.URL + "/privacy/subscriptions/confirm/" + s.token(tokenConfirm, who, uint32(int32(s.today())+confirmDays))
}

func (s *Service) endURL(who id.Subject) string {
	return s.URL + "/privacy/subscriptions/end/" + s.token(tokenEnd, who, 0)
}

// forgetUnconfirmed removes who was asked and never answered.
func (s *Service) forgetUnconfirmed(ctx context.Context) error {
	before := s.opt.Now().Add(-(confirmDays + 1) * 24 * time.Hour)
	var old []id.Subject
	if err := s.DB.View(ctx, func(tx store.Tx) (err error) {
		old, err = s.Store.Unconfirmed(tx, before, 500)
		return err
	}); err != nil || len(old) == 0 {
		return err
	}
	return s.DB.Do(ctx, func(tx store.Tx) error {
		for _, who := range old {
			x, err := s.Store.Subscriber(tx, who)
			if err != nil {
				return err
			}
			if x == nil || x.Confirmed || x.AskedAt.After(before) {
				continue
			}
			if err := s.Store.DropSubscriber(tx, who, s.opt.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}
