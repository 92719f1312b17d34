package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"domicile.dev/internal/mail"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
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
	if err := notice.Check(n.rules.p); err != nil {
		n.log.Warn("a translation is not whole: what it lacks is in the programme's own language alone; domicile programme check lists it", "languages", notice.Languages(n.rules.p))
	}
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
	calm := context.WithoutCancel(ctx)
	for i := range all {
		v := &all[i]
		shown := centre.Version{Translated: len(v.Retold) > 0, Name: v.Name(), Notice: v.Notice, Updated: programme.Date(v.Updated), Effective: v.Effective.Date(), NewNotice: v.NewNotice, NewList: v.NewList,
			Programme: func() (*programme.Programme, error) { return s.ProgrammeOf(calm, v) }}
		if !v.Adopted { // what was adopted is the list itself
			shown.Changes = listTexts(v)
			shown.Retold = func(lang string) ([]string, error) {
				said, err := s.Retold(calm, all[i:i+1], lang)
				if err != nil {
					return nil, err
				}
				return listTexts(&said[0]), nil
			}
		}
		opt.Versions = append(opt.Versions, shown)
		if v == publish.InEffect(all, today) {
			opt.Current = i
		}
	}
	own := p.n.rules.p.Notice.Language
	if opt.Seen, err = p.seen(ctx, today, own); err != nil {
		return err
	}
	if opt.SeenIn, err = p.seenIn(ctx, today); err != nil {
		return err
	}
	for path := range feedLists {
		for _, suffix := range []string{".atom", ".feed.json"} {
			if opt.Feeds[path+suffix], err = p.feed(all, path+suffix, own); err != nil {
				return err
			}
		}
	}
	opt.FeedIn = func(path, lang string) (centre.Feed, error) {
		said, err := s.Retold(calm, all, lang)
		if err != nil {
			return centre.Feed{}, err
		}
		return p.feed(said, path, lang)
	}
	p.now.Store(centre.New(opt))
	p.stamp = stamp
	return nil
}

func listTexts(v *publish.Version) (out []string) {
	for _, x := range v.List {
		out = append(out, x.Text)
	}
	return out
}

// feedLists are what feeds are about, by the page that they belong to.
var feedLists = map[string]uint8{"/privacy/sub-processors": publish.SubProcessors, "/privacy/notice": publish.Notices}

// feed writes the feed of a path in the language that the versions are said in.
func (p *pages) feed(all []publish.Version, path, lang string) (centre.Feed, error) {
	o := p.n.rules.p
	page, isJSON := strings.CutSuffix(path, ".feed.json")
	f := publish.FeedOf(all, feedLists[strings.TrimSuffix(page, ".atom")], o.Organisation.Name, lang, p.n.Config.URL)
	if lang != o.Notice.Language {
		f.Keep(lang)
	}
	if isJSON {
		b, err := f.JSON()
		return centre.Feed{Media: "application/feed+json; charset=utf-8", Body: b}, err
	}
	b, err := f.Atom()
	return centre.Feed{Media: "application/atom+xml; charset=utf-8", Body: b}, err
}

// seenIn is seen in each further language of the running programme; nil when there is none.
func (p *pages) seenIn(ctx context.Context, today programme.Day) (func(lang string) map[string]notice.Row, error) {
	all := map[string]map[string]notice.Row{}
	for _, l := range p.n.rules.p.Languages()[1:] {
		var err error
		if all[l], err = p.seen(ctx, today, l); err != nil {
			return nil, err
		}
	}
	return func(lang string) map[string]notice.Row { return all[lang] }, nil
}

// seen is what the page of sub-processors says beside what the programme declares, in a language.
func (p *pages) seen(ctx context.Context, today programme.Day, lang string) (map[string]notice.Row, error) {
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
			if row.Assessment = assessed(reg, p.n.rules.p.EntityName(r), today, lang); row.Assessment != "" {
				rows[r.ID] = row
			}
		}
	}
	return rows, nil
}

// assessed says in a line what a register has of an entity's transfer impact assessments on a day.
func assessed(r *register.Register, entity string, today programme.Day, lang string) string {
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
		text += phrase.Say(lang, "%s: %s (assessed %s, %d of 6 steps written down", c, outcome(lang, a.Outcome), phrase.Date(lang, string(a.Assessed)), a.Steps.Done())
		due := phrase.Date(lang, string(a.Due))
		if programme.LastDay(a.Due) < today {
			text += phrase.Say(lang, ", overdue since %s)", due)
		} else {
			text += phrase.Say(lang, ", due again %s)", due)
		}
	}
	return text
}

func outcome(lang, of string) string {
	switch of {
	case "proceed":
		return phrase.Say(lang, "data may go")
	case "proceed_with_measures":
		return phrase.Say(lang, "data may go with measures")
	case "stop":
		return phrase.Say(lang, "data may not go")
	}
	return of
}

// desk is where people subscribe.
func (n *Node) desk(peer func(*http.Request) string) http.Handler {
	return centre.NewDesk(n.Publish, n.rules.p, peer)
}
