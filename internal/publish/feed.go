package publish

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/feeds"

	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
)

// Feed is what is published about one list, the newest first.
type Feed struct {
	Title, Publisher, Language string
	Home, Self                 string // addresses of the page and of the feed
	JSONSelf                   string // of the feed as JSON
	Items                      []FeedItem
}

// FeedItem is one version.
type FeedItem struct {
	ID, URL, Title string
	At             time.Time
	Lines          []string // what changed
}

// mostItems bounds a feed; the archive has all.
const mostItems = 50

// FeedOf makes the feed of one list from what was published.
func FeedOf(all []Version, list uint8, publisher, language, url string) Feed {
	f := Feed{Publisher: publisher, Language: language, Title: phrase.Say(language, "%s: sub-processors", publisher), Home: url + "/privacy/sub-processors", Self: url + "/privacy/sub-processors.atom"}
	if list == Notices {
		f.Title, f.Home, f.Self = phrase.Say(language, "%s: privacy notice", publisher), url+"/privacy/notice", url+"/privacy/notice.atom"
	}
	f.JSONSelf = strings.TrimSuffix(f.Self, ".atom") + ".feed.json"
	for i := range slices.Backward(all) {
		v := &all[i]
		if v.news()&list == 0 || len(f.Items) == mostItems {
			continue
		}
		item := FeedItem{ID: f.Home + "#" + v.Name(), At: v.PublishedAt}
		if list == Notices {
			item.URL, item.Title = url+"/privacy/notice/"+v.Notice, phrase.Say(language, "Privacy notice of %s", phrase.Date(language, v.Updated))
			item.Lines = append(item.Lines, phrase.Say(language, "It holds from %s. %s", phrase.Date(language, string(v.Effective.Date())), v.Summary))
			for _, c := range v.Changes {
				if c.Material {
					item.Lines = append(item.Lines, c.Text)
				}
			}
		} else {
			item.URL, item.Title = url+"/privacy/sub-processors/"+v.Name(), phrase.Say(language, "Sub-processors: %d changes", len(v.List))
			for _, c := range v.List {
				item.Lines = append(item.Lines, c.Text)
			}
		}
		f.Items = append(f.Items, item)
	}
	return f
}

// Keep lets the feed's addresses keep a language. Entries have the same ids in every language.
func (f *Feed) Keep(language string) {
	for _, at := range []*string{&f.Home, &f.Self, &f.JSONSelf} {
		*at = notice.Into(*at, language)
	}
	for i := range f.Items {
		f.Items[i].URL = notice.Into(f.Items[i].URL, language)
	}
}

// updated is when the feed last changed.
func (f *Feed) updated() time.Time {
	if len(f.Items) == 0 {
		return time.Unix(0, 0).UTC()
	}
	return f.Items[0].At
}

// Atom writes the feed as Atom, RFC 4287.
func (f *Feed) Atom() ([]byte, error) {
	a := &feeds.AtomFeed{Xmlns: "http://www.w3.org/2005/Atom", Title: f.Title, Id: f.Self, Updated: f.updated().Format(time.RFC3339),
		Link: &feeds.AtomLink{Href: f.Self, Rel: "self", Type: "application/atom+xml"}, Author: &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: f.Publisher}}}
	for _, x := range f.Items {
		a.Entries = append(a.Entries, &feeds.AtomEntry{Title: x.Title, Id: x.ID, Updated: x.At.Format(time.RFC3339), Published: x.At.Format(time.RFC3339),
			Links: []feeds.AtomLink{{Href: x.URL, Rel: "alternate", Type: "text/html"}}, Content: &feeds.AtomContent{Type: "html", Content: x.html()}})
	}
	s, err := feeds.ToXML(a)
	if err != nil {
		return nil, fmt.Errorf("write an Atom feed: %w", err)
	}
	return []byte(s + "\n"), nil
}

// JSON writes the feed as JSON Feed 1.1.
func (f *Feed) JSON() ([]byte, error) {
	j := &feeds.JSONFeed{Version: "https://jsonfeed.org/version/1.1", Title: f.Title, Language: f.Language, HomePageUrl: f.Home,
		FeedUrl: f.JSONSelf, Authors: []*feeds.JSONAuthor{{Name: f.Publisher}}}
	for _, x := range f.Items {
		j.Items = append(j.Items, &feeds.JSONItem{Id: x.ID, Url: x.URL, Title: x.Title, ContentHTML: x.html(), PublishedDate: &x.At})
	}
	s, err := j.ToJSON()
	if err != nil {
		return nil, fmt.Errorf("write a JSON feed: %w", err)
	}
	if len(f.Items) == 0 { // the library leaves an empty list out, and a feed has one
		s = strings.TrimSuffix(s, "\n}") + ",\n  \"items\": []\n}"
	}
	return []byte(s + "\n"), nil
}

func (x *FeedItem) html() string {
	var b strings.Builder
	b.WriteString("<ul>")
	for _, l := range x.Lines {
		b.WriteString("<li>" + html.EscapeString(l) + "</li>")
	}
	b.WriteString("</ul>")
	return b.String()
}
