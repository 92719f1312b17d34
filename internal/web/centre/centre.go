// Package centre serves the privacy centre: the public documents of a region, without sign-in, as HTML,
// Markdown and JSON, in the languages that they are there in. They don't depend on who asks. The Desk takes subscriptions.
package centre

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// Media types of the forms of a page.
const (
	typeHTML     = "text/html; charset=utf-8"
	typeMarkdown = "text/markdown; charset=utf-8"
	typeJSON     = "application/json"
	typeCSV      = "text/csv; charset=utf-8; header=present"
)

// form is one form of a page.
type form struct {
	media, etag string
	body        []byte
	lang        string // of one that isn't in the page's
}

func newForm(media string, body []byte) form {
	sum := sha256.Sum256(body)
	return form{media: media, etag: `"` + hex.EncodeToString(sum[:16]) + `"`, body: body}
}

// page is an address and what is there, in each language that it is there in.
type page struct {
	// languages are those, the document's own first. A page that isn't said in any has none.
	languages func() ([]string, error)
	// forms are made when they are first asked for, and kept.
	forms func(variant) ([]form, error)
}

// Centre is the privacy centre of one node, as of one moment: whoever publishes makes another. It is a
// handler of /privacy/, of security.txt and of gpc.json.
type Centre struct {
	pages map[string]page // by path; the first form is what is sent when nothing is asked for
	csp   string
	opt   Options
	spoken
	index []item // all that the index leads to

	moved    map[string]string // retired paths, each to what stands in its place
	searched []func(lang string) ([]notice.Passage, error)
}

// Version is one publication.
type Version struct {
	Name, Notice       string // "v3", the id of its notice
	Updated, Effective programme.Date
	NewNotice, NewList bool
	// Changes are what differs in the list from the version before, a line each.
	Changes []string
	// Retold are the changes in a language that the version is in. Default: Changes.
	Retold func(lang string) ([]string, error)
	// Translated says that translations of its notice are other than the version's before.
	Translated bool
	Programme  func() (*programme.Programme, error)
}

// Options say what is shown. Running and Versions are needed.
type Options struct {
	// Running is the programme that the node enforces.
	Running *programme.Programme
	// Versions are what was published, the oldest first.
	Versions []Version
	// Current is the version whose notice holds, an index.
	Current int
	// Seen is what was seen of rows of the list, by id, and SeenIn the same in another language. Default of SeenIn: Seen.
	Seen   map[string]notice.Row
	SeenIn func(lang string) map[string]notice.Row
	// Feeds by path, in the programme's own language.
	Feeds map[string]Feed
	// FeedIn makes the feed of a path in another language. Default: feeds are in the programme's own.
	FeedIn func(path, lang string) (Feed, error)
	// Live makes the pages of regions, safeguards and certifications, by path. Without one for it regions
	// shows what the programme declares.
	Live map[string]Live
	// Subscribe says that there is a form to subscribe.
	Subscribe bool
	// URL is the region's own address.
	URL string
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Feed is written already.
type Feed struct {
	Media string
	Body  []byte
}

// links are the pages that every page leads to, where they are there; their names are phrases.
var links = []notice.Link{{Path: "/privacy/", Name: "Privacy centre"}, {Path: "/privacy/notice", Name: "Notice"},
	{Path: "/privacy/sub-processors", Name: "Sub-processors"}, {Path: "/privacy/regions", Name: "Regions"},
	{Path: "/privacy/safeguards", Name: "Safeguards"}, {Path: "/privacy/certifications", Name: "Certifications"}, {Path: searchPath, Name: "Search"}}

// livePages are those that Options.Live may have, in order.
var livePages = links[3:6]

// document is what can be written in each form.
type document interface {
	Page(notice.Frame) ([]byte, error)
	Markdown() []byte
	JSON() ([]byte, error)
}

// New makes the pages of what was published.
func New(opt Options) *Centre {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c := &Centre{pages: map[string]page{}, opt: opt, csp: csp(), moved: moved(opt.Running), spoken: spokenOf(opt.Running)}
	index := namedAll(links[1:3])
	current := opt.Versions[opt.Current]
	c.put("/privacy/notice", current.languages(), func(v variant) (document, error) { return ofProgramme(current, v, notice.New) })
	c.still("/privacy/notice", current.languages(), func(v variant) (*notice.Document, error) {
		p, err := current.Programme()
		if err != nil {
			return nil, err
		}
		return notice.New(p.In(v.lang)), nil
	})
	index = append(index, c.live()...)
	index = append(index, c.more()...)
	if opt.Subscribe {
		index = append(index, named("/privacy/subscriptions", "Be told of changes by e-mail or webhook"))
	}
	index = append(index, c.notices(opt.Versions, current)...)
	index = append(index, c.lists(opt.Versions)...)
	for path := range opt.Feeds {
		c.feed(path)
	}
	c.index = index
	c.put("/privacy/", c.languages, func(v variant) (document, error) {
		return notice.NewIndex(opt.Running.In(v.lang), phrase.Say(v.lang, "Privacy centre"), said(index, v)), nil
	})
	return c
}

// feed adds a feed, in each language that the running programme is in.
func (c *Centre) feed(path string) {
	c.pages[path] = page{c.languages, cached(func(v variant) ([]form, error) {
		f, err := c.feedIn(path, v.lang)
		return []form{newForm(f.Media, f.Body)}, err
	})}
}

func (c *Centre) feedIn(path, lang string) (Feed, error) {
	if lang == c.opt.Running.Notice.Language || c.opt.FeedIn == nil {
		return c.opt.Feeds[path], nil
	}
	return c.opt.FeedIn(path, lang)
}

// live adds the pages that show what is so at the moment.
func (c *Centre) live() (index []item) {
	for i, l := range livePages {
		make := c.opt.Live[l.Path]
		switch {
		case make != nil:
			c.putLive(l.Path, c.languages, make)
		case i == 0:
			regions := func(v variant) (*notice.Document, error) { return notice.Regions(c.opt.Running.In(v.lang)), nil }
			c.put(l.Path, c.languages, func(v variant) (document, error) { return regions(v) })
			c.still(l.Path, c.languages, regions)
		default:
			continue
		}
		index = append(index, named(l.Path, l.Name))
	}
	return index
}

// nav is links to what there is.
func (c *Centre) nav(lang string) (out []notice.Link) {
	for _, l := range links {
		if _, there := c.pages[l.Path]; there || l.Path == searchPath {
			l.Name = phrase.Say(lang, l.Name)
			out = append(out, l)
		}
	}
	return out
}

func csp() string {
	style := sha256.Sum256([]byte(notice.CSS()))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(style[:]) + "'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

func ofProgramme(v Version, in variant, render func(*programme.Programme) *notice.Document) (document, error) {
	p, err := v.Programme()
	if err != nil {
		return nil, err
	}
	return render(p.In(in.lang)), nil
}

// notices adds a page for each version of the notice and for each two what differs, and returns links. A later version with
// the same notice has other translations of it: they are what the notice's address shows.
func (c *Centre) notices(all []Version, current Version) (index []item) {
	for i, v := range all {
		if !v.NewNotice {
			continue
		}
		shown := v
		for _, w := range all[i+1:] {
			if w.Notice == v.Notice && w.Translated {
				shown = w
			}
		}
		path := "/privacy/notice/" + v.Notice
		c.put(path, shown.languages(), func(in variant) (document, error) { return ofProgramme(shown, in, notice.New) })
		index = append(index, item{path, func(lang string) string {
			name := phrase.Say(lang, "Notice of %s", phrase.Date(lang, string(v.Updated)))
			if v.Effective > current.Effective {
				name = phrase.Say(lang, "%s, which holds from %s", name, phrase.Date(lang, string(v.Effective)))
			}
			return name
		}, archive})
		for j, w := range all {
			if i == j || !w.NewNotice {
				continue
			}
			path := "/privacy/notice/diff/" + v.Notice + "/" + w.Notice
			c.put(path, both(v.languages(), w.languages()), func(in variant) (document, error) { return between(v, w, in) })
			if i < j {
				index = append(index, item{path, func(lang string) string {
					return phrase.Say(lang, "What changed from %s to %s", phrase.Date(lang, string(v.Updated)), phrase.Date(lang, string(w.Updated)))
				}, archive})
			}
		}
	}
	return index
}

func between(v, w Version, in variant) (document, error) {
	before, err := v.Programme()
	if err != nil {
		return nil, err
	}
	after, err := w.Programme()
	if err != nil {
		return nil, err
	}
	return notice.Compare(before.In(in.lang), after.In(in.lang)), nil
}

// lists adds the list of sub-processors as it is, with its forms, and each list that was.
func (c *Centre) lists(all []Version) (index []item) {
	newest := all[len(all)-1]
	const path = "/privacy/sub-processors"
	list := func(v variant) (*notice.Document, error) {
		p, err := newest.Programme()
		if err != nil {
			return nil, err
		}
		p = p.In(v.lang)
		seen := c.opt.Seen
		if c.opt.SeenIn != nil && p.Translated() {
			if in := c.opt.SeenIn(v.lang); in != nil {
				seen = in
			}
		}
		d := notice.SubProcessorsSeen(p, seen)
		if c.opt.Subscribe {
			d.Form = subscribeForm(v)
		}
		return d, nil
	}
	c.still(path, newest.languages(), list)
	// The list as CSV is for programs: it is in the programme's own language, whatever the page is in.
	asCSV := func() (form, error) {
		p, err := newest.Programme()
		if err != nil {
			return form{}, err
		}
		d, err := list(variant{lang: p.Notice.Language})
		if err != nil {
			return form{}, err
		}
		b, err := notice.SubProcessorsCSV(d)
		f := newForm(typeCSV, b)
		f.lang = p.Notice.Language
		return f, err
	}
	c.pages[path] = page{newest.languages(), cached(func(v variant) ([]form, error) {
		d, err := list(v)
		if err != nil {
			return nil, err
		}
		forms, err := c.written(d, path, newest.languages(), v)
		if err != nil {
			return nil, err
		}
		f, err := asCSV()
		if err != nil {
			return nil, err
		}
		forms = append(forms, f)
		for _, suffix := range []string{".atom", ".feed.json"} {
			if _, ok := c.opt.Feeds[path+suffix]; ok {
				x, err := c.feedIn(path+suffix, v.lang)
				if err != nil {
					return nil, err
				}
				forms = append(forms, newForm(x.Media, x.Body))
			}
		}
		return forms, nil
	})}
	c.pages[path+".csv"] = page{func() ([]string, error) { return newest.languages().own() }, cached(func(variant) ([]form, error) {
		f, err := asCSV()
		return []form{f}, err
	})}
	for _, v := range all {
		if v.NewList {
			path := path + "/" + v.Name
			c.put(path, v.languages(), func(in variant) (document, error) { return listOf(v, in) })
			index = append(index, item{path, func(lang string) string { return phrase.Say(lang, "Sub-processors, %s", v.Name) }, archive})
		}
	}
	for _, x := range []notice.Link{{Path: path + ".csv", Name: "Sub-processors as CSV"}, {Path: path + ".atom", Name: "Changes of sub-processors as a feed (Atom)"},
		{Path: path + ".feed.json", Name: "Changes of sub-processors as a feed (JSON)"}, {Path: "/privacy/notice.atom", Name: "Changes of the notice as a feed (Atom)"},
		{Path: "/privacy/notice.feed.json", Name: "Changes of the notice as a feed (JSON)"}} {
		if _, ok := c.opt.Feeds[x.Path]; ok || x.Path == path+".csv" {
			it := named(x.Path, x.Name)
			it.group = files
			index = append(index, it)
		}
	}
	return index
}

// listOf is the list of a version, with what changed before it.
func listOf(v Version, in variant) (document, error) {
	p, err := v.Programme()
	if err != nil {
		return nil, err
	}
	d := notice.SubProcessors(p.In(in.lang))
	changes := v.Changes
	if v.Retold != nil && in.lang != p.Notice.Language {
		if changes, err = v.Retold(in.lang); err != nil {
			return nil, err
		}
	}
	if len(changes) > 0 {
		d.Sections = append([]notice.Section{{ID: "changes", Title: phrase.Say(in.lang, "What changed with this version"), Text: changes}}, d.Sections...)
	}
	return d, nil
}

func (c *Centre) put(path string, languages languages, make func(variant) (document, error)) {
	c.pages[path] = page{languages, cached(func(v variant) ([]form, error) {
		d, err := make(v)
		if err != nil {
			return nil, err
		}
		return c.written(d, path, languages, v)
	})}
}

// written is a document in each form. path is where it is, with its query.
func (c *Centre) written(d document, path string, languages languages, v variant) ([]form, error) {
	all, err := languages()
	if err != nil {
		return nil, err
	}
	h, err := d.Page(notice.Frame{Nav: c.nav(v.lang), Origin: c.opt.URL, Path: path, Languages: all, Keep: v.keep})
	if err != nil {
		return nil, err
	}
	j, err := d.JSON()
	if err != nil {
		return nil, err
	}
	return []form{newForm(typeHTML, h), newForm(typeMarkdown, d.Markdown()), newForm(typeJSON, j)}, nil
}

// ServeHTTP answers GET and HEAD.
func (c *Centre) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	switch r.URL.Path {
	case "/.well-known/security.txt":
		c.security(w)
		return
	case "/.well-known/gpc.json":
		c.gpc(w)
		return
	case searchPath:
		c.search(w, r)
		return
	}
	p, ok := c.pages[r.URL.Path]
	if to, gone := c.moved[r.URL.Path]; gone && !ok {
		w.Header().Set("Cache-Control", "public, max-age=300")
		http.Redirect(w, r, to, http.StatusMovedPermanently)
		return
	}
	if !ok {
		c.unknown(w, r)
		return
	}
	all, err := p.languages()
	if err != nil {
		c.fail(w, r, err)
		return
	}
	v := c.chosen(r, all)
	forms, err := p.forms(v)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	f := choose(forms, r.Header.Values("Accept"))
	h := w.Header()
	f.headers(h, v)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Content-Security-Policy", c.csp)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

// headers say what a form is, and what it was chosen by.
func (f *form) headers(h http.Header, v variant) {
	h.Set("Content-Type", f.media)
	h.Set("Content-Language", cmp.Or(f.lang, v.lang))
	h.Set("Vary", "Accept, Accept-Language")
}

// securityTxtDays is how far ahead security.txt expires; RFC 9116, 2.5.5 asks for less than a year.
const securityTxtDays = 180

// security answers RFC 9116: whom to tell of a weakness.
func (c *Centre) security(w http.ResponseWriter) {
	at := c.opt.Running.Organisation.Contacts
	mail := at.PrivacyEmail
	if mail == "" {
		mail = at.DPOEmail
	}
	expires := c.opt.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, securityTxtDays)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = fmt.Fprintf(w, "Contact: mailto:%s\r\nExpires: %s\r\nPreferred-Languages: %s\r\nCanonical: %s/.well-known/security.txt\r\n",
		mail, expires.Format(time.RFC3339), c.opt.Running.Notice.Language, c.opt.URL)
}
