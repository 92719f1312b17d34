package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subprocessor"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// Parts are what a Service works with. All are needed.
type Parts struct {
	Region    string
	URL       string // the region's own address
	Programme *programme.Programme
	DB        store.DB
	Store     Store
	Vault     *vault.Vault
	Ledger    *ledger.Ledger
}

// Options tunes a Service. The zero value is right for a node without mail.
type Options struct {
	// Archive are programmes whose notices were public before the store was, in any order.
	Archive []*programme.Programme
	// Mailer sends mail. Default: none, and messages wait in the outbox.
	Mailer Mailer
	// PrivateWebhooks allows webhooks at addresses that are not public, and over http.
	PrivateWebhooks bool
	// PrivateReaders allows the same of webhooks that readers subscribe without signing in. It is for trials on
	// one machine: anybody could have the node call what only it can reach.
	PrivateReaders bool
	// Changed is called after what decisions read has changed here. Default: nobody is told.
	Changed func()
	Log     *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Service is what may be done. It is safe for concurrent use.
type Service struct {
	Parts
	opt    Options
	tokens []byte // key of tokens in links
	blinds []byte // key of addresses' blind values
	nudge  chan struct{}
	client *poster // calls tenants' webhooks
	// readers calls those that anybody may name; asking holds a place for each that is being challenged.
	readers *poster
	asking  chan struct{}

	mu    sync.Mutex // guards what follows
	known map[string]*programme.Programme
	told  map[retelling]retold // versions in other languages, which many letters need
}

// New returns a Service over a store in which what the programmes say was entered: the first start on
// a store adopts the archive and then the running programme, with the days that they name.
func New(ctx context.Context, p Parts, opt Options) (*Service, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{Parts: p, opt: opt, nudge: make(chan struct{}, 1), client: newPoster(opt.PrivateWebhooks, webhookPatience), readers: newPoster(opt.PrivateReaders, readerPatience),
		asking: make(chan struct{}, maxAsking), known: map[string]*programme.Programme{}, told: map[retelling]retold{}}
	var err error
	if s.tokens, err = p.Vault.Shared("domicile subscription token 1 " + p.Region); err != nil {
		return nil, fmt.Errorf("derive the key of subscriptions' links: %w", err)
	}
	if s.blinds, err = p.Vault.Shared("domicile subscriber 1 " + p.Region); err != nil {
		return nil, fmt.Errorf("derive the key of subscribers' addresses: %w", err)
	}
	for _, x := range append([]*programme.Programme{p.Programme}, opt.Archive...) {
		s.known[x.Hash] = x
	}
	return s, s.adopt(ctx)
}

// CanMail says whether mail can be sent.
func (s *Service) CanMail() bool { return s.opt.Mailer != nil }

// Now is the service's clock.
func (s *Service) Now() time.Time { return s.opt.Now() }

// today is the UTC day of now.
func (s *Service) today() programme.Day { return dayOf(s.opt.Now()) }

// changed tells whoever waits for it. It is called after a commit.
func (s *Service) changed() {
	s.Ledger.Committed()
	if s.opt.Changed != nil {
		s.opt.Changed()
	}
	s.wake()
}

// wake lets the outbox be looked at now.
func (s *Service) wake() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// enter enters something in the ledger.
func (s *Service) enter(tx store.Tx, kind, tenantID string, body any) (id.Entry, error) {
	refs, err := s.Ledger.Append(tx, ledger.Draft{Kind: kind, Tenant: tenantID, At: s.opt.Now(), Body: body})
	if err != nil {
		return id.Entry{}, err
	}
	return refs[0].Entry, nil
}

// Versions returns what was published, the oldest first.
func (s *Service) Versions(ctx context.Context) (all []Version, err error) {
	err = s.DB.View(ctx, func(tx store.Tx) error {
		all, err = s.Store.Versions(tx)
		return err
	})
	return all, err
}

// InEffect returns the version whose notice holds on a day: of those that have begun, the newest. With
// none begun it is the first.
func InEffect(all []Version, day programme.Day) *Version {
	var found *Version
	for i := range all {
		if v := &all[i]; found == nil || v.Effective <= day {
			found = v
		}
	}
	return found
}

// Find returns the version that people call name: "v3", or the id of its notice, whose last version it is then.
func Find(all []Version, name string) *Version {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Name() == name || all[i].Notice == name {
			return &all[i]
		}
	}
	return nil
}

// ProgrammeOf returns the programme that a version was rendered from.
func (s *Service) ProgrammeOf(ctx context.Context, v *Version) (*programme.Programme, error) {
	s.mu.Lock()
	p := s.known[v.Programme]
	s.mu.Unlock()
	if p != nil {
		return p, nil
	}
	var src []byte
	if err := s.DB.View(ctx, func(tx store.Tx) (err error) {
		src, err = s.Store.Programme(tx, v.N)
		return err
	}); err != nil {
		return nil, err
	}
	p, err := unpack(src, v.Programme)
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", v.N, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) > mostKnown {
		clear(s.known)
	}
	s.known[v.Programme] = p
	return p, nil
}

// mostKnown bounds the programmes that are kept loaded.
const mostKnown = 16

// Announcements returns the last announcement of each recipient, by recipient, with since when it is on the list.
func (s *Service) Announcements(ctx context.Context) (map[string]Announced, error) {
	last := map[string]Announced{}
	err := s.DB.View(ctx, func(tx store.Tx) error {
		all, err := s.Store.Announcements(tx)
		for _, a := range all {
			if a.Since = a.On; last[a.Recipient].Recipient != "" && last[a.Recipient].Withdrawn == 0 {
				a.Since = last[a.Recipient].Since
			}
			last[a.Recipient] = a
		}
		return err
	})
	return last, err
}

// Register returns what decisions have to know: who was announced until when, and who objected. It is a
// part of a node's register.
func (s *Service) Register(ctx context.Context) (r *register.Register, err error) {
	err = s.DB.View(ctx, func(tx store.Tx) error {
		r, err = s.Facts(tx)
		return err
	})
	return r, err
}

// Facts is Register as tx sees it.
func (s *Service) Facts(tx store.Tx) (*register.Register, error) {
	r := &register.Register{Format: register.Format}
	announced, err := s.Store.Announcements(tx)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	for _, a := range announced {
		x := register.Announcement{Recipient: a.Recipient, Announced: a.On.Date(), Until: dateOf(a.Until)}
		if a.Withdrawn != 0 {
			x.Withdrawn = a.Withdrawn.Date()
		}
		r.Announcements = append(r.Announcements, x)
		_, _ = fmt.Fprintf(sum, "announced %s %d %d %d %d\n", a.Recipient, a.N, a.On, a.Until, a.Withdrawn)
	}
	objections, err := s.Store.Objections(tx, 0)
	if err != nil {
		return nil, err
	}
	for _, o := range objections {
		x := register.Objection{Tenant: o.TenantID, Recipient: o.Recipient, From: dayOf(o.MadeAt).Date()}
		ended := o.EndedAt()
		_, _ = fmt.Fprintf(sum, "objection %s %s %d %d\n", o.TenantID, o.Recipient, o.MadeAt.UnixMilli(), ended.UnixMilli())
		if !ended.IsZero() {
			last := dayOf(ended) - 1 // from the day of its end on it holds nothing
			if x.Until = last.Date(); last < dayOf(o.MadeAt) {
				continue
			}
		}
		r.Objections = append(r.Objections, x)
	}
	r.Version = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return r, nil
}

// dateOf is d as a date; one that never comes is the last there is.
func dateOf(d programme.Day) programme.Date {
	if d >= programme.Never-1 {
		return "9999-12-31"
	}
	return d.Date()
}

// Stamp changes whenever what pages show does: with a version, and with the day.
func (s *Service) Stamp(ctx context.Context) (string, error) {
	var stamp string
	err := s.DB.View(ctx, func(tx store.Tx) error {
		n, err := s.Store.Newest(tx)
		stamp = fmt.Sprintf("%d %d", n, s.today())
		return err
	})
	return stamp, err
}

// operator refuses everybody but the region's operator.
func operator(c *tenant.Caller) error {
	if !c.Operator {
		return fault.New(fault.Forbidden, "operator.needed", "only the region's operator may do this").WithHint("use the operator's token, dok_…")
	}
	return nil
}

// differ compares a programme with the one before it; before is nil for the first.
func differ(v *Version, before, after *programme.Programme) {
	v.Notice, v.Updated, v.Programme = after.Notice.ID, string(after.Notice.LastUpdated), after.Hash
	v.List = subprocessor.Compare(before, after)
	v.NewList = len(v.List) > 0
	v.Languages = notice.Languages(after)
	if before == nil {
		v.NewNotice, v.Summary = true, phrase.Say(after.Language(), "This is the first version.")
		return
	}
	v.Retold = differing(before, after)
	if v.NewNotice = !sameNotice(before, after); !v.NewNotice {
		v.Summary = phrase.Say(after.Language(), "The notice is the same; the list of sub-processors changed.")
		if !v.NewList {
			v.Summary = phrase.Say(after.Language(), "The notice and the list of sub-processors are the same; their translations changed: %s.", phrase.Join(v.Retold))
		}
		return
	}
	d := notice.Compare(before, after)
	v.Changes, v.Summary = d.Changes, d.Summary
	for _, c := range d.Changes {
		v.Material = v.Material || c.Material
	}
	v.AskAgain = askAgain(d, after)
}
