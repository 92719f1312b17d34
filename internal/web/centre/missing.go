package centre

import (
	"net/http"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/web/guard"
)

const unknownTitle = "There is no such page"

var errUnknown = fault.New(fault.NotFound, "privacy.unknown_page", "the privacy centre has no such page").WithHint("GET /privacy/ lists its pages")

// wantsHTML says whether a refusal is for a person at a browser. Programs, and who doesn't say, get a problem document.
func wantsHTML(r *http.Request) bool {
	return choose([]form{{media: guard.ProblemType}, {media: typeHTML}}, r.Header.Values("Accept")).media == typeHTML
}

// unknown answers an address that isn't there: with the page that was meant where only a slash is too much, else with
// what there is.
func (c *Centre) unknown(w http.ResponseWriter, r *http.Request) {
	if bare := strings.TrimRight(r.URL.Path, "/"); bare != r.URL.Path && (c.there(bare) || bare == searchPath) {
		http.Redirect(w, r, bare, http.StatusPermanentRedirect)
		return
	}
	if !wantsHTML(r) {
		guard.Fail(w, errUnknown)
		return
	}
	v := c.chosen(r, c.all())
	b, err := notice.NewIndex(c.opt.Running.In(v.lang), phrase.Say(v.lang, unknownTitle), said(c.index, v)).Page(notice.Frame{Nav: c.nav(v.lang), Keep: v.keep})
	c.refuse(w, http.StatusNotFound, v, b, err)
}

func (c *Centre) there(path string) bool {
	_, ok := c.pages[path]
	return ok
}

// fail answers what can't be shown, as a page to a person.
func (c *Centre) fail(w http.ResponseWriter, r *http.Request, cause error) {
	if !wantsHTML(r) {
		guard.Fail(w, cause)
		return
	}
	guard.Note(w, cause)
	v := c.chosen(r, c.all())
	text := phrase.Say(v.lang, "This can't be shown right now. Please try again in a moment.")
	if f, ok := fault.As(cause); ok && f.Kind != fault.Unavailable && f.Kind != fault.Internal {
		text = capital(f.Public) + "."
	}
	p := notice.Plain{Title: phrase.Say(v.lang, "Not at the moment"), Text: []string{text}}
	b, err := p.Page(notice.Regions(c.opt.Running.In(v.lang)), notice.Frame{Nav: c.nav(v.lang), Keep: v.keep})
	c.refuse(w, guard.Describe(cause).Status, v, b, err)
}

func (c *Centre) refuse(w http.ResponseWriter, status int, v variant, page []byte, err error) {
	if err != nil {
		guard.Fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", typeHTML)
	h.Set("Content-Security-Policy", c.csp)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", v.lang)
	h.Set("Vary", "Accept, Accept-Language")
	w.WriteHeader(status)
	_, err = w.Write(page)
	guard.Note(w, err)
}
