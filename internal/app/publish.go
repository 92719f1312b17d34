package app

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"domicile.dev/internal/mail"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/web/centre"
)

// pages are the privacy centre as it stands: made anew when something was published, here or at another
// node, or when the day is another one.
type pages struct {
	n     *Node
	now   atomic.Pointer[centre.Centre]
	stale atomic.Bool // something that they show has changed, and they couldn't be made anew
	mu    sync.Mutex  // guards stamp
	stamp string
}

// openPublish starts what publishes, and the privacy centre.
func (n *Node) openPublish(ctx context.Context, opt Options) (err error) {
	n.pages = &pages{n: n}
	po := publish.Options{Changed: n.changedPublished, Archive: opt.Notices, PrivateWebhooks: n.Config.PrivateWebhooks, PrivateReaders: opt.PrivateReaders, Log: n.log, Now: opt.Now}
	if m := n.Config.Mail; m != nil {
		password, err := m.Password()
		if err != nil {
			return err
		}
		if po.Mailer, err = mail.New(mail.Options{Host: m.Host, Port: m.Port, TLS: m.TLS, User: m.User, Password: password, From: m.From}); err != nil {
			return err
		}
	}
	if n.Publish, err = publish.New(ctx, publish.Parts{Region: n.Config.Region, URL: n.Config.URL, Programme: n.rules.p, DB: n.db, Store: sqlstore.Publications{},
		Vault: n.vault, Ledger: n.Ledger}, po); err != nil {
		return fmt.Errorf("open what is published: %w", err)
	}
	if err := n.lookPublished(ctx); err != nil {
		return fmt.Errorf("read what is published: %w", err)
	}
	return n.pages.refresh(ctx)
}

// ServeHTTP answers from the newest centre.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.now.Load().ServeHTTP(w, r) }

// refreshPause is how often a node looks whether another one published.
const refreshPause = time.Second

// run keeps the centre up to date until ctx ends.
func (p *pages) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(refreshPause):
		}
		stamp, err := p.n.Publish.Stamp(ctx)
		if err == nil && (p.stale.Swap(false) || stamp != p.shown()) {
			err = p.refresh(ctx)
		}
		if err != nil && ctx.Err() == nil {
			p.stale.Store(true)
			p.n.log.Error("the privacy centre can't be made anew, it will be tried again", "error", err)
		}
	}
}

// touch makes the centre anew: something that it shows has changed. Where it can't, run tries again.
func (p *pages) touch() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := p.refresh(ctx); err != nil {
		p.stale.Store(true)
	}
}

func (p *pages) shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stamp
}

// refresh makes the centre.
func (p *pages) refresh(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.n.Publish
	stamp, err := s.Stamp(ctx)
	if err != nil {
		return err
	}
	all, err := s.Versions(ctx)
	if err != nil {
		return err
	}
	opt := centre.Options{Running: p.n.rules.p, URL: p.n.Config.URL, Subscribe: true, Now: s.Now, Live: p.n.live(), Feeds: map[string]centre.Feed{}}
	today := programme.DayOf(s.Now())
	for i := range all {
		v := &all[i]
		shown := centre.Version{Name: v.Name(), Notice: v.Notice, Updated: programme.Date(v.Updated), Effective: v.Effective.Date(), NewNotice: v.NewNotice, NewList: v.NewList,
			Programme: func() (*programme.Programme, error) { return s.ProgrammeOf(context.WithoutCancel(ctx), v) }}
		for _, x := range v.List {
			if !v.Adopted { // what was adopted is the list itself
				shown.Changes = append(shown.Changes, x.Text)
			}
		}
		opt.Versions = append(opt.Versions, shown)
		if v == publish.InEffect(all, today) {
			opt.Current = i
		}
	}
	if opt.Seen, err = p.seen(ctx, today); err != nil {
		return err
	}
	o := p.n.rules.p
	for path, list := range map[string]uint8{"/privacy/sub-processors": publish.SubProcessors, "/privacy/notice": publish.Notices} {
		f := publish.FeedOf(all, list, o.Organisation.Name, o.Notice.Language, p.n.Config.URL)
		atom, err := f.Atom()
		if err != nil {
			return err
		}
		json, err := f.JSON()
		if err != nil {
			return err
		}
		opt.Feeds[path+".atom"] = centre.Feed{Media: "application/atom+xml; charset=utf-8", Body: atom}
		opt.Feeds[path+".feed.json"] = centre.Feed{Media: "application/feed+json; charset=utf-8", Body: json}
	}
	p.now.Store(centre.New(opt))
	p.stamp = stamp
	return nil
}

// seen is what the page of sub-processors says beside what the programme declares.
func (p *pages) seen(ctx context.Context, today programme.Day) (map[string]notice.Row, error) {
	announced, err := p.n.Publish.Announcements(ctx)
	if err != nil {
		return nil, err
	}
	rows := map[string]notice.Row{}
	for r, a := range announced {
		rows[r] = notice.Row{Announced: a.Since.Date(), Until: a.Until.Date(), Running: a.Withdrawn == 0 && today <= a.Until}
	}
	if now, err := p.n.register.Current(ctx); err == nil { // else the page says nothing of assessments
		reg := now.Register
		for i := range p.n.rules.p.Recipients {
			r := &p.n.rules.p.Recipients[i]
			row := rows[r.ID]
			if row.Assessment = assessed(reg, p.n.rules.p.EntityName(r), today); row.Assessment != "" {
				rows[r.ID] = row
			}
		}
	}
	return rows, nil
}

// assessed says in a line what a register has of an entity's transfer impact assessments on a day.
func assessed(r *register.Register, entity string, today programme.Day) string {
	last := map[string]register.Assessment{} // by country
	var order []string
	for _, a := range r.Assessments {
		if a.Kind != "tia" || a.Entity != entity || programme.FirstDay(a.Assessed) > today {
			continue
		}
		if old, ok := last[a.Country]; !ok {
			order = append(order, a.Country)
		} else if a.Assessed < old.Assessed {
			continue
		}
		last[a.Country] = a
	}
	text := ""
	for _, c := range order {
		a := last[c]
		if text != "" {
			text += "; "
		}
		outcome := map[string]string{"proceed": "data may go", "proceed_with_measures": "data may go with measures", "stop": "data may not go"}[a.Outcome]
		text += fmt.Sprintf("%s: %s (assessed %s, %d of 6 steps written down", c, outcome, a.Assessed, a.Steps.Done())
		if programme.LastDay(a.Due) < today {
			text += ", overdue since " + string(a.Due) + ")"
		} else {
			text += ", due again " + string(a.Due) + ")"
		}
	}
	return text
}

// desk is where people subscribe.
func (n *Node) desk(peer func(*http.Request) string) http.Handler {
	return centre.NewDesk(n.Publish, n.rules.p, peer)
}
