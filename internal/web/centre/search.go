package centre

import (
	"encoding/json"
	"net/http"
	"net/url"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/web/guard"
)

// searchPath is where documents are searched: GET with q.
const searchPath = "/privacy/search"

// mostRaw is the longest query string that is read at all.
const mostRaw = 4 << 10

// search answers what was found. The query is nowhere kept, logged or counted.
func (c *Centre) search(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > mostRaw {
		c.fail(w, r, fault.New(fault.Invalid, "search.too_long", "the query is too long").WithHint("a few words are enough"))
		return
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		c.fail(w, r, fault.New(fault.Invalid, "search.bad", "the query can't be read").WithHint("send q=WORDS, percent-encoded"))
		return
	}
	v := c.choose(values.Get("lang"), r, c.all())
	var all []notice.Passage
	for _, make := range c.searched {
		some, err := make(v.lang)
		if err != nil {
			guard.Note(w, err) // the others are found all the same
			continue
		}
		all = append(all, some...)
	}
	found := notice.Search(c.opt.Running.In(v.lang), all, values.Get("q"))
	for i := range found.Results {
		found.Results[i].Path = notice.Into(found.Results[i].Path, v.keep)
	}
	path := searchPath
	if found.Query != "" {
		path += "?q=" + url.QueryEscape(found.Query)
	}
	forms, err := c.written(found, path, c.languages, v)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	f := choose(forms, r.Header.Values("Accept"))
	h := w.Header()
	f.headers(h, v)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", c.csp)
	_, err = w.Write(f.body)
	guard.Note(w, err)
}

// gpc answers the support resource of Global Privacy Control: the data path takes the signal from browsers
// and holds to it (docs/consent.md).
func (c *Centre) gpc(w http.ResponseWriter) {
	b, err := json.Marshal(struct {
		GPC        bool   `json:"gpc"`
		LastUpdate string `json:"lastUpdate"`
	}{true, string(c.opt.Versions[c.opt.Current].Effective)})
	if err != nil {
		guard.Fail(w, err)
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, err = w.Write(b)
	guard.Note(w, err)
}
