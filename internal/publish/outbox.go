package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/plain"
	"domicile.dev/internal/store"
	"domicile.dev/internal/vault"
)

// Mailer sends mail. It is safe for concurrent use.
type Mailer interface {
	// Send returns nil once the server has taken the letter. Errors: Unprocessable when it refuses it for
	// good, with the code under "code"; any other kind is tried again. No error holds the address.
	Send(ctx context.Context, l Letter) error
}

// Letter is one mail, plain text.
type Letter struct {
	ID      string // of the message, without angle brackets; the same for every attempt
	To      plain.Bytes
	Subject string
	Text    string
	At      time.Time
	Headers [][2]string
}

// Sending, bounded.
const (
	batch       = 20
	maxAttempts = 14 // over two days, see pause
	sendTimeout = time.Minute
	idlePause   = time.Second
)

// pause is how long a message waits after an attempt: two minutes at first, which is more than an
// attempt may take, so that no two nodes are at the same one; twelve hours at most.
func pause(attempts int) time.Duration {
	return min(2*time.Minute<<max(min(attempts-2, 16), 0), 12*time.Hour)
}

// Run sends what is queued, and forgets who never confirmed, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var swept time.Time
	var waited int
	for {
		n, err := s.Deliver(ctx)
		if err != nil && ctx.Err() == nil {
			s.opt.Log.Error("the outbox can't be worked on, it will be tried again", "error", err)
		}
		if now := time.Now(); now.Sub(swept) > time.Minute {
			swept = now
			if err := s.forgetUnconfirmed(ctx); err != nil && ctx.Err() == nil {
				s.opt.Log.Error("unconfirmed subscriptions can't be removed, it will be tried again", "error", err)
			}
			waited = s.sayWaiting(ctx, waited)
		}
		if n >= batch/2 && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.nudge:
		case <-time.After(idlePause):
		}
	}
}

// sayWaiting says that mail waits since there is no relay, when more does than before.
func (s *Service) sayWaiting(ctx context.Context, before int) (mail int) {
	if s.CanMail() {
		return 0
	}
	err := s.DB.View(ctx, func(tx store.Tx) (err error) {
		mail, _, err = s.Store.Waiting(tx)
		return err
	})
	if err == nil && mail > before {
		s.opt.Log.Warn("letters wait: this node has no relay; give it one under mail in its configuration", "letters", mail)
	}
	return mail
}

// Deliver makes one attempt at each of some messages whose time has come and returns how many those were.
func (s *Service) Deliver(ctx context.Context) (int, error) {
	due, err := s.claim(ctx)
	if err := errors.Join(err, s.attemptAll(ctx, due)); err != nil {
		return len(due), err
	}
	return len(due), s.finishAll(ctx)
}

// attemptAll makes one attempt at each: letters one after the other, beside them webhooks at once, so that a slow one keeps
// nobody waiting.
func (s *Service) attemptAll(ctx context.Context, due []Message) error {
	var wait sync.WaitGroup
	errs := make([]error, len(due)+1)
	letters := make([]Message, 0, len(due))
	for i, m := range due {
		if m.Channel == Webhook {
			wait.Go(func() { errs[i] = s.attempt(ctx, m) })
		} else {
			letters = append(letters, m)
		}
	}
	for _, m := range letters {
		if errs[len(due)] = s.attempt(ctx, m); errs[len(due)] != nil {
			break
		}
	}
	wait.Wait()
	return errors.Join(errs...)
}

// claim takes messages for this node: their next attempt moves ahead of this one, whatever becomes of it.
func (s *Service) claim(ctx context.Context) (due []Message, err error) {
	look := func(tx store.Tx) error {
		due, err = s.Store.Due(tx, s.opt.Now(), s.CanMail(), batch/2) // of each channel, so that none keeps the other waiting
		return err
	}
	if err := s.DB.View(ctx, look); err != nil || len(due) == 0 {
		return nil, err
	}
	err = s.DB.Do(ctx, func(tx store.Tx) error {
		if err := look(tx); err != nil {
			return err
		}
		for i := range due {
			m := &due[i]
			m.Attempts++
			m.Next = s.opt.Now().Add(pause(m.Attempts + 1))
			if err := s.Store.SetMessage(tx, *m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return due, nil
}

// attempt sends one message and enters what became of it. Its own error is the store's.
func (s *Service) attempt(ctx context.Context, m Message) error {
	var x *Subscriber
	var v *Version
	if err := s.DB.View(ctx, func(tx store.Tx) (err error) {
		if x, err = s.Store.Subscriber(tx, m.Subscriber); err != nil || m.N == 0 {
			return err
		}
		v, err = s.Store.Version(tx, m.N)
		return err
	}); err != nil {
		return err
	}
	now := s.opt.Now().UTC().Truncate(time.Millisecond)
	switch {
	case x == nil || m.N > 0 && v == nil:
		m.State, m.DoneAt = dropped, now
	default:
		trying, cancel := context.WithTimeout(ctx, sendTimeout)
		err := s.send(trying, m, x, v)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err() // the claim stands; it is tried again when that is over
		}
		m.Digest = digest(x)
		m.Code = ""
		switch f, refused := fault.As(err); {
		case err == nil:
			m.State, m.DoneAt = sent, now
		default:
			m.Code = code(err)
			if refused && f.Kind == fault.Unprocessable || m.Attempts >= maxAttempts {
				m.State, m.DoneAt = failed, now
			}
			s.opt.Log.Warn("a message was not taken", "kind", m.Kind, "version", m.N, "subscription", subscriptionID(m.Subscriber), "attempt", m.Attempts, "code", m.Code, "state", m.State)
		}
	}
	ended := false
	err := s.DB.Do(context.WithoutCancel(ctx), func(tx store.Tx) (err error) {
		if err := s.Store.SetMessage(tx, m); err != nil {
			return err
		}
		ended, err = s.bounced(tx, &m, x)
		return err
	})
	if err == nil && ended {
		s.Vault.Forget(vault.Wrapped{Epoch: x.Epoch, Bytes: x.Wrapped})
		s.Ledger.Committed()
		s.opt.Log.Warn("a subscription ended, since its address takes nothing", "subscription", subscriptionID(m.Subscriber), "code", m.Code)
	}
	return err
}

// mostRefusals is how many versions in a row an address may refuse for good before its subscription ends.
const mostRefusals = 2

// bounced ends the subscription of an address, a reader's, that has refused the news of versions in a row for good, or of a
// webhook that has taken none of some more. Tenants' webhooks stay: a contract may be why they are told.
func (s *Service) bounced(tx store.Tx, m *Message, x *Subscriber) (ended bool, err error) {
	if m.Kind != news || m.State != failed || x == nil || x.Tenant != 0 {
		return false, nil
	}
	var refusals, failures row
	if err := s.Store.NewsTo(tx, m.Subscriber, func(done Message) {
		refusals.count(done.refused())
		failures.count(done.State == failed && done.Channel == Webhook)
	}); err != nil {
		return false, err
	}
	why, inRow := "refused", refusals.n
	if inRow < mostRefusals {
		if why, inRow = "unreachable", failures.n; inRow < mostFailures {
			return false, nil
		}
	}
	if now, err := s.Store.Subscriber(tx, m.Subscriber); err != nil || now == nil { // it has ended itself
		return false, err
	}
	if err := s.Store.DropSubscriber(tx, m.Subscriber, s.opt.Now()); err != nil {
		return false, err
	}
	_, err = s.enter(tx, "subscription.ended", x.TenantID, map[string]any{"subscription": subscriptionID(m.Subscriber), "channel": m.Channel, "why": why, "code": m.Code, "versions": inRow})
	return err == nil, err
}

// row counts how often something is so from the beginning on without a break.
type row struct {
	n    int
	over bool
}

func (r *row) count(so bool) {
	if r.over = r.over || !so; !r.over {
		r.n++
	}
}

// refused says whether a letter or a call was refused for good.
func (m *Message) refused() bool {
	return m.State == failed && strings.HasPrefix(m.Code, "smtp.5") || m.refusedHook()
}

// code is what may be kept of an error.
func code(err error) string {
	if f, ok := fault.As(err); ok {
		return f.Reason
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "internal"
}

// digest stands for whom a message went to: it is over sealed bytes, so nobody can guess at it.
func digest(x *Subscriber) []byte {
	sum := sha256.Sum256(append(append([]byte{}, x.ID[:]...), x.Sealed...))
	return sum[:16]
}

func (s *Service) send(ctx context.Context, m Message, x *Subscriber, v *Version) error {
	c, err := s.openContact(x)
	if err != nil {
		return err
	}
	if m.Channel == Webhook {
		e := s.event(v)
		if x.Tenant == 0 {
			e.Data["unsubscribe"] = s.endURL(x.ID)
		}
		return s.caller(x).post(ctx, c, "msg_"+m.Kind+"_"+(&Version{N: m.N}).Name()+"_"+subscriptionID(x.ID), s.opt.Now(), e)
	}
	l, err := s.letter(ctx, m, x, c, v)
	if err != nil {
		return err
	}
	return s.opt.Mailer.Send(ctx, l)
}

// finishAll enters, of versions whose messages are all done, who was told.
func (s *Service) finishAll(ctx context.Context) error {
	var open []int
	if err := s.DB.View(ctx, func(tx store.Tx) error {
		all, err := s.Store.Untold(tx)
		for _, n := range all {
			left, err := s.Store.Left(tx, n)
			if err != nil {
				return err
			}
			if !left {
				open = append(open, n)
			}
		}
		return err
	}); err != nil || len(open) == 0 {
		return err
	}
	err := s.DB.Do(ctx, func(tx store.Tx) error {
		for _, n := range open {
			if err := s.finish(tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	s.Ledger.Committed()
	return err
}

// finish enters who was told of version n, once nothing about it is queued.
func (s *Service) finish(tx store.Tx, n int) error {
	if v, err := s.Store.Version(tx, n); err != nil || v == nil || v.Told {
		return err
	}
	if left, err := s.Store.Left(tx, n); err != nil || left {
		return err
	}
	count := map[string]int{}
	sum := newToldSums()
	if err := s.Store.Messages(tx, n, func(m Message) error {
		count[m.Channel+" "+m.State]++
		sum.add(m)
		return nil
	}); err != nil {
		return err
	}
	of := func(channel string) map[string]int {
		return map[string]int{"sent": count[channel+" "+sent], "failed": count[channel+" "+failed], "dropped": count[channel+" "+dropped]}
	}
	entry, err := s.enter(tx, "notice.told", "", map[string]any{"version": n, "mail": of(Mail), "webhooks": of(Webhook), "digest": sum.whom(), "times": sum.when()})
	if err != nil {
		return err
	}
	return s.Store.SetTold(tx, n, entry.String())
}
