// Package centre serves the privacy centre: the public documents of a region, without sign-in, as HTML,
// Markdown and JSON. They don't depend on who asks. The Desk takes subscriptions.
package centre

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/web/guard"
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
}

func newForm(media string, body []byte) form {
	sum := sha256.Sum256(body)
	return form{media, `"` + hex.EncodeToString(sum[:16]) + `"`, body}
}

// page is made when it is first asked for, and kept.
type page func() ([]form, error)

// Centre is the privacy centre of one node, as of one moment: whoever publishes makes another. It is a
// handler of /privacy/, of security.txt and of gpc.json.
type Centre struct {
	pages map[string]page // by path; the first form is what is sent when nothing is asked for
	csp   string
	opt   Options

	searched []func() ([]notice.Passage, error)
}

// Version is one publication.
type Version struct {
	Name, Notice       string // "v3", the id of its notice
	Updated, Effective programme.Date
	NewNotice, NewList bool
	// Changes are what differs in the list from the version before, a line each.
	Changes   []string
	Programme func() (*programme.Programme, error)
}

// Options say what is shown. Running and Versions are needed.
type Options struct {
	// Running is the programme that the node enforces.
	Running *programme.Programme
	// Versions are what was published, the oldest first.
	Versions []Version
	// Current is the version whose notice holds, an index.
	Current int
	// Seen is what was seen of rows of the list, by id.
	Seen map[string]notice.Row
	// Feeds by path.
	Feeds map[string]Feed
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

// links are the pages that every page leads to, where they are there.
var links = []notice.Link{{Path: "/privacy/", Name: "Privacy centre"}, {Path: "/privacy/notice", Name: "Notice"},
	{Path: "/privacy/sub-processors", Name: "Sub-processors"}, {Path: "/privacy/regions", Name: "Regions"},
	{Path: "/privacy/safeguards", Name: "Safeguards"}, {Path: "/privacy/certifications", Name: "Certifications"}, {Path: searchPath, Name: "Search"}}

// livePages are those that Options.Live may have, in order.
var livePages = links[3:6]

// Groups of the index.
const (
	archive = "Earlier versions, and what changed"
	files   = "Files and feeds"
)

// document is what can be written in each form.
type document interface {
	Page([]notice.Link) ([]byte, error)
	Markdown() []byte
	JSON() ([]byte, error)
}

// New makes the pages of what was published.
func New(opt Options) *Centre {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c := &Centre{pages: map[string]page{}, opt: opt, csp: csp()}
	var index []notice.Link
	index = append(index, links[1:3]...)
	current := opt.Versions[opt.Current]
	c.put("/privacy/notice", func() (document, error) { return ofProgramme(current, notice.New) })
	c.still("/privacy/notice", func() (*notice.Document, error) {
		p, err := current.Programme()
		if err != nil {
			return nil, err
		}
		return notice.New(p), nil
	})
	index = append(index, c.live()...)
	if opt.Subscribe {
		index = append(index, notice.Link{Path: "/privacy/subscriptions", Name: "Be told of changes by e-mail or webhook"})
	}
	index = append(index, c.notices(opt.Versions, current)...)
	index = append(index, c.lists(opt.Versions)...)
	for path, f := range opt.Feeds {
		forms := []form{newForm(f.Media, f.Body)}
		c.pages[path] = func() ([]form, error) { return forms, nil }
	}
	c.put("/privacy/", func() (document, error) { return notice.NewIndex(opt.Running, "Privacy centre", index), nil })
	return c
}

// live adds the pages that show what is so at the moment.
func (c *Centre) live() (index []notice.Link) {
	for i, l := range livePages {
		make := c.opt.Live[l.Path]
		switch {
		case make != nil:
			c.putLive(l.Path, make)
		case i == 0:
			c.put(l.Path, func() (document, error) { return notice.Regions(c.opt.Running), nil })
			c.still(l.Path, func() (*notice.Document, error) { return notice.Regions(c.opt.Running), nil })
		default:
			continue
		}
		index = append(index, l)
	}
	return index
}

// nav is links to what there is.
func (c *Centre) nav() (out []notice.Link) {
	for _, l := range links {
		if c.pages[l.Path] != nil || l.Path == searchPath {
			out = append(out, l)
		}
	}
	return out
}

func csp() string {
	style := sha256.Sum256([]byte(notice.CSS()))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(style[:]) + "'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

func ofProgramme(v Version, render func(*programme.Programme) *notice.Document) (document, error) {
	p, err := v.Programme()
	if err != nil {
		return nil, err
	}
	return render(p), nil
}

// notices adds a page for each version of the notice and for each two what differs, and returns links.
func (c *Centre) notices(all []Version, current Version) (index []notice.Link) {
	for i, v := range all {
		if !v.NewNotice {
			continue
		}
		path := "/privacy/notice/" + v.Notice
		c.put(path, func() (document, error) { return ofProgramme(v, notice.New) })
		name := "Notice of " + string(v.Updated)
		if v.Effective > current.Effective {
			name += ", which holds from " + string(v.Effective)
		}
		index = append(index, notice.Link{Path: path, Name: name, Group: archive})
		for j, w := range all {
			if i == j || !w.NewNotice {
				continue
			}
			path := "/privacy/notice/diff/" + v.Notice + "/" + w.Notice
			c.put(path, func() (document, error) { return between(v, w) })
			if i < j {
				index = append(index, notice.Link{Path: path, Name: fmt.Sprintf("What changed from %s to %s", v.Updated, w.Updated), Group: archive})
			}
		}
	}
	return index
}

func between(v, w Version) (document, error) {
	before, err := v.Programme()
	if err != nil {
		return nil, err
	}
	after, err := w.Programme()
	if err != nil {
		return nil, err
	}
	return notice.Compare(before, after), nil
}

// lists adds the list of sub-processors as it is, with its forms, and each list that was.
func (c *Centre) lists(all []Version) (index []notice.Link) {
	newest := all[len(all)-1]
	const path = "/privacy/sub-processors"
	list := func() (*notice.Document, error) {
		p, err := newest.Programme()
		if err != nil {
			return nil, err
		}
		d := notice.SubProcessorsSeen(p, c.opt.Seen)
		if c.opt.Subscribe {
			d.Form = subscribeForm()
		}
		return d, nil
	}
	c.still(path, list)
	asCSV := func() (form, error) {
		d, err := list()
		if err != nil {
			return form{}, err
		}
		b, err := notice.SubProcessorsCSV(d)
		return newForm(typeCSV, b), err
	}
	c.pages[path] = sync.OnceValues(func() ([]form, error) {
		d, err := list()
		if err != nil {
			return nil, err
		}
		forms, err := c.written(d)
		if err != nil {
			return nil, err
		}
		f, err := asCSV()
		if err != nil {
			return nil, err
		}
		forms = append(forms, f)
		for _, suffix := range []string{".atom", ".feed.json"} {
			if x, ok := c.opt.Feeds[path+suffix]; ok {
				forms = append(forms, newForm(x.Media, x.Body))
			}
		}
		return forms, nil
	})
	c.pages[path+".csv"] = sync.OnceValues(func() ([]form, error) {
		f, err := asCSV()
		return []form{f}, err
	})
	for _, v := range all {
		if v.NewList {
			path := path + "/" + v.Name
			c.put(path, func() (document, error) { return listOf(v) })
			index = append(index, notice.Link{Path: path, Name: "Sub-processors, " + v.Name, Group: archive})
		}
	}
	for _, x := range []notice.Link{{Path: path + ".csv", Name: "Sub-processors as CSV"}, {Path: path + ".atom", Name: "Changes of sub-processors as a feed (Atom)"},
		{Path: path + ".feed.json", Name: "Changes of sub-processors as a feed (JSON)"}, {Path: "/privacy/notice.atom", Name: "Changes of the notice as a feed (Atom)"},
		{Path: "/privacy/notice.feed.json", Name: "Changes of the notice as a feed (JSON)"}} {
		if _, ok := c.opt.Feeds[x.Path]; ok || x.Path == path+".csv" {
			x.Group = files
			index = append(index, x)
		}
	}
	return index
}

// listOf is the list of a version, with what changed before it.
func listOf(v Version) (document, error) {
	p, err := v.Programme()
	if err != nil {
		return nil, err
	}
	d := notice.SubProcessors(p)
	if len(v.Changes) > 0 {
		d.Sections = append([]notice.Section{{ID: "changes", Title: "What changed with this version", Text: v.Changes}}, d.Sections...)
	}
	return d, nil
}

func (c *Centre) put(path string, make func() (document, error)) {
	c.pages[path] = sync.OnceValues(func() ([]form, error) {
		d, err := make()
		if err != nil {
			return nil, err
		}
		return c.written(d)
	})
}

// written is a document in each form.
func (c *Centre) written(d document) ([]form, error) {
	h, err := d.Page(c.nav())
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
	make, ok := c.pages[r.URL.Path]
	if !ok {
		guard.Fail(w, fault.New(fault.NotFound, "privacy.unknown_page", "the privacy centre has no such page").WithHint("GET /privacy/ lists its pages"))
		return
	}
	forms, err := make()
	if err != nil {
		guard.Fail(w, err)
		return
	}
	f := choose(forms, r.Header.Values("Accept"))
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Vary", "Accept")
	h.Set("Content-Security-Policy", c.csp)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
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
