package publish

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"domicile.dev/internal/plain"
)

// letter writes a message to one subscriber.
func (s *Service) letter(m Message, x *Subscriber, c contact, v *Version) Letter {
	end := s.endURL(x.ID)
	l := Letter{To: plain.New([]byte(c.Address)), At: m.MadeAt,
		ID: fmt.Sprintf("%s.%d.%s.%d@%s", m.Kind, m.N, subscriptionID(x.ID), m.MadeAt.UnixMilli(), s.host())}
	l.Headers = [][2]string{{"Auto-Submitted", "auto-generated"}, {"List-Id", "Privacy of " + s.Region + " <privacy." + s.host() + ">"}}
	who := s.Programme.Organisation.Name
	lists := strings.Join(words(x.Lists), " and ")
	switch m.Kind {
	case confirming:
		l.Subject = "Please confirm: " + who + ", " + lists
		l.Text = fmt.Sprintf("Somebody, probably you, asked that %s tell this address of changes to %s (region %s).\n\nTo confirm, open this page and press its button:\n%s\n\n"+
			"If it wasn't you, do nothing: in %d days this address is forgotten, and nothing more is sent unless somebody asks again.\n", who, lists, s.Region, s.confirmURL(x.ID), confirmDays)
		return l
	case known:
		l.Subject = "You are subscribed: " + who
		l.Text = fmt.Sprintf("Somebody, probably you, asked that %s tell this address of changes. It is subscribed to %s already (region %s).\n", who, lists, s.Region)
	default:
		l.Subject = s.subject(v)
		l.Text = s.newsText(v, x.Lists)
	}
	l.Text += "\nTo unsubscribe, open this page and press its button:\n" + end + "\n"
	l.Headers = append(l.Headers, [2]string{"List-Unsubscribe", "<" + end + ">"}, [2]string{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"})
	return l
}

func words(lists uint8) (out []string) {
	if lists&SubProcessors != 0 {
		out = append(out, "the list of sub-processors")
	}
	if lists&Notices != 0 {
		out = append(out, "the privacy notice")
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

func (s *Service) subject(v *Version) string {
	what := strings.Join(words(v.news()), " and ")
	return s.Programme.Organisation.Name + ": changes to " + what
}

// newsText says what changed, as far as the lists say it.
func (s *Service) newsText(v *Version, lists uint8) string {
	var b strings.Builder
	if lists&SubProcessors != 0 && v.NewList {
		fmt.Fprintf(&b, "The list of sub-processors changed (published %s):\n\n", v.PublishedAt.Format(time.DateOnly))
		for _, c := range v.List {
			fmt.Fprintf(&b, "- %s\n", c.Text)
		}
		if until := s.until(v); until != "" {
			fmt.Fprintf(&b, "\nCustomers may object until %s; nothing flows to a newcomer before that is over.\n", until)
		}
		fmt.Fprintf(&b, "%s/privacy/sub-processors\n\n", s.URL)
	}
	if lists&Notices != 0 && v.NewNotice {
		fmt.Fprintf(&b, "A version of the privacy notice was published. It holds from %s.\n\n%s\n", v.Effective.Date(), v.Summary)
		for _, c := range v.Changes {
			if c.Material {
				fmt.Fprintf(&b, "- %s\n", c.Text)
			}
		}
		fmt.Fprintf(&b, "%s/privacy/notice/%s\n", s.URL, v.Notice)
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
