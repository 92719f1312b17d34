package publish

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/plain"
)

// letter writes a message to one subscriber, in its language.
func (s *Service) letter(ctx context.Context, m Message, x *Subscriber, c contact, v *Version) (Letter, error) {
	end := s.endURL(x.ID)
	l := Letter{To: plain.New([]byte(c.Address)), At: m.MadeAt,
		ID: fmt.Sprintf("%s.%d.%s.%d@%s", m.Kind, m.N, subscriptionID(x.ID), m.MadeAt.UnixMilli(), s.host())}
	who := s.Programme.Organisation.Name
	lang := s.speaks(x.Language)
	if v != nil {
		var err error
		if v, lang, err = s.retell(ctx, v, x.Language); err != nil {
			return l, err
		}
	}
	say := func(text string, args ...any) string { return phrase.Say(lang, text, args...) }
	l.Headers = [][2]string{{"Auto-Submitted", "auto-generated"}, {"Content-Language", lang}, {"List-Id", "Privacy of " + s.Region + " <privacy." + s.host() + ">"}}
	lists := phrase.And(lang, words(lang, x.Lists))
	switch m.Kind {
	case confirming:
		l.Subject = say("Please confirm: %s, %s", who, lists)
		l.Text = say("Somebody, probably you, asked that %s tell this address of changes to %s (region %s).", who, lists, s.Region) + "\n\n" +
			say("To confirm, open this page and press its button:") + "\n" + notice.Into(s.confirmURL(x.ID), s.kept(lang)) + "\n\n" +
			say("If it wasn't you, do nothing: in %d days this address is forgotten, and nothing more is sent unless somebody asks again.", confirmDays) + "\n"
		return l, nil
	case known:
		l.Subject = say("You are subscribed: %s", who)
		l.Text = say("Somebody, probably you, asked that %s tell this address of changes. It is subscribed to %s already (region %s).", who, lists, s.Region) + "\n"
	default:
		l.Subject = say("%s: changes to %s", who, phrase.And(lang, words(lang, v.news())))
		l.Text = s.newsText(v, x.Lists, lang)
	}
	l.Text += "\n" + say("To unsubscribe, open this page and press its button:") + "\n" + end + "\n"
	l.Headers = append(l.Headers, [2]string{"List-Unsubscribe", "<" + end + ">"}, [2]string{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"})
	return l, nil
}

// words are the names of lists.
func words(lang string, lists uint8) (out []string) {
	if lists&SubProcessors != 0 {
		out = append(out, phrase.Say(lang, "the list of sub-processors"))
	}
	if lists&Notices != 0 {
		out = append(out, phrase.Say(lang, "the privacy notice"))
	}
	return out
}

func (s *Service) host() string {
	u, err := url.Parse(s.URL)
	if err != nil || u.Hostname() == "" {
		return "localhost"
	}
	return u.Hostname()
}

// newsText says what changed, as far as the lists say it. Addresses keep the language.
func (s *Service) newsText(v *Version, lists uint8, lang string) string {
	var b strings.Builder
	say := func(text string, args ...any) string { return phrase.Say(lang, text, args...) }
	at := func(path string) string { return s.URL + notice.Into(path, s.kept(lang)) }
	if lists&SubProcessors != 0 && v.NewList {
		b.WriteString(say("The list of sub-processors changed (published %s):", phrase.Date(lang, v.PublishedAt.Format(time.DateOnly))) + "\n\n")
		for _, c := range v.List {
			fmt.Fprintf(&b, "- %s\n", c.Text)
		}
		if until := s.until(v); until != "" {
			b.WriteString("\n" + say("Customers may object until %s; nothing flows to a newcomer before that is over.", phrase.Date(lang, until)) + "\n")
		}
		b.WriteString(at("/privacy/sub-processors") + "\n\n")
	}
	if lists&Notices != 0 && v.NewNotice {
		b.WriteString(say("A version of the privacy notice was published. It holds from %s.", phrase.Date(lang, string(v.Effective.Date()))) + "\n\n" + v.Summary + "\n")
		for _, c := range v.Changes {
			if c.Material {
				fmt.Fprintf(&b, "- %s\n", c.Text)
			}
		}
		b.WriteString(at("/privacy/notice/"+v.Notice) + "\n")
	}
	return b.String()
}

// until is the last day to object to what a version announced, "" when it announced nothing.
func (s *Service) until(v *Version) string {
	for _, c := range v.List {
		if c.Notice && s.Programme.Notice.SubProcessorPage != nil {
			day := dayOf(v.PublishedAt)
			return string(dateOf(max(s.Programme.Notice.SubProcessorPage.NoticePeriod.Over(day)-1, day)))
		}
	}
	return ""
}

// event is what a webhook gets.
func (s *Service) event(v *Version) event {
	data := map[string]any{"region": s.Region, "version": v.Name(), "notice": v.Notice, "programme": v.Programme, "effective": v.Effective.Date(), "material": v.Material,
		"new_notice": v.NewNotice, "new_list": v.NewList, "summary": v.Summary, "list": v.List, "ask_again": v.AskAgain, "ledger": v.Entry,
		"notice_url": s.URL + "/privacy/notice/" + v.Notice, "sub_processors_url": s.URL + "/privacy/sub-processors/" + v.Name()}
	if until := s.until(v); until != "" {
		data["object_until"] = until
	}
	return event{Type: "notice.published", Timestamp: v.PublishedAt, Data: data}
}
