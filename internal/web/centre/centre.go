// Package centre serves the privacy centre: the public documents of a region, without sign-in. Pages are
// rendered when the centre is made, as HTML, Markdown and JSON, and don't depend on who asks.
package centre

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
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

// Centre is the privacy centre of one node. It is a handler of /privacy/ and of security.txt.
type Centre struct {
	pages map[string][]form // by path; the first form is what is sent when nothing is asked for
	csp   string
	p     *programme.Programme
	url   string
	now   func() time.Time
}

// links are the pages that every page leads to.
var links = []notice.Link{{Path: "/privacy/", Name: "Privacy centre"}, {Path: "/privacy/notice", Name: "Notice"},
	{Path: "/privacy/sub-processors", Name: "Sub-processors"}, {Path: "/privacy/regions", Name: "Regions"}}

// document is what can be written in each form.
type document interface {
	Page([]notice.Link) ([]byte, error)
	Markdown() []byte
	JSON() ([]byte, error)
}

// New renders the pages of the running programme p and of the versions in archive. A version that
// stands twice is shown as first given, p before all. url is the region's own address.
func New(p *programme.Programme, archive []*programme.Programme, url string) (*Centre, error) {
	style := sha256.Sum256([]byte(notice.CSS()))
	c := &Centre{pages: map[string][]form{}, p: p, url: url, now: time.Now,
		csp: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(style[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	var versions []*programme.Programme
	seen := map[string]bool{}
	for _, v := range append([]*programme.Programme{p}, archive...) {
		if !seen[v.Notice.ID] {
			seen[v.Notice.ID], versions = true, append(versions, v)
		}
	}
	docs := map[string]document{"/privacy/notice": notice.New(p), "/privacy/regions": notice.Regions(p)}
	here := append([]notice.Link{}, links[1:]...)
	for _, v := range versions {
		path := "/privacy/notice/" + v.Notice.ID
		docs[path] = notice.New(v)
		here = append(here, notice.Link{Path: path, Name: "Notice of " + string(v.Notice.LastUpdated)})
		for _, w := range versions {
			if v == w {
				continue
			}
			path := "/privacy/notice/diff/" + v.Notice.ID + "/" + w.Notice.ID
			docs[path] = notice.Compare(v, w)
			if v.Notice.LastUpdated < w.Notice.LastUpdated {
				here = append(here, notice.Link{Path: path, Name: fmt.Sprintf("What changed from %s to %s", v.Notice.LastUpdated, w.Notice.LastUpdated)})
			}
		}
	}
	subs := notice.SubProcessors(p)
	docs["/privacy/sub-processors"] = subs
	docs["/privacy/"] = notice.NewIndex(p, "Privacy centre", here)
	for path, d := range docs {
		if err := c.put(path, d); err != nil {
			return nil, err
		}
	}
	list, err := notice.SubProcessorsCSV(subs)
	if err != nil {
		return nil, err
	}
	asCSV := newForm(typeCSV, list)
	c.pages["/privacy/sub-processors.csv"] = []form{asCSV}
	c.pages["/privacy/sub-processors"] = append(c.pages["/privacy/sub-processors"], asCSV)
	return c, nil
}

func (c *Centre) put(path string, d document) error {
	h, err := d.Page(links)
	if err != nil {
		return err
	}
	j, err := d.JSON()
	if err != nil {
		return err
	}
	c.pages[path] = []form{newForm(typeHTML, h), newForm(typeMarkdown, d.Markdown()), newForm(typeJSON, j)}
	return nil
}

// ServeHTTP answers GET and HEAD.
func (c *Centre) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/.well-known/security.txt" {
		c.security(w)
		return
	}
	forms, ok := c.pages[r.URL.Path]
	if !ok {
		guard.Fail(w, fault.New(fault.NotFound, "privacy.unknown_page", "the privacy centre has no such page").WithHint("GET /privacy/ lists its pages"))
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
	at := c.p.Organisation.Contacts
	mail := at.PrivacyEmail
	if mail == "" {
		mail = at.DPOEmail
	}
	expires := c.now().UTC().Truncate(24*time.Hour).AddDate(0, 0, securityTxtDays)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = fmt.Fprintf(w, "Contact: mailto:%s\r\nExpires: %s\r\nPreferred-Languages: %s\r\nCanonical: %s/.well-known/security.txt\r\n",
		mail, expires.Format(time.RFC3339), c.p.Notice.Language, c.url)
}
