package centre

import (
	"net/http"
	"slices"
	"sync"

	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// Groups of the index; they are phrases.
const (
	archive = "Earlier versions, and what changed"
	files   = "Files and feeds"
)

// variant is one of the ways in which a page is made: its language, and that which its links keep, "" where none was
// chosen by an address.
type variant struct{ lang, keep string }

// languages are those in which something is there, its own first.
type languages func() ([]string, error)

// own is the first alone.
func (l languages) own() ([]string, error) {
	all, err := l()
	if err != nil {
		return nil, err
	}
	return all[:1], nil
}

// languages of a version are found once.
func (v *Version) languages() languages {
	return sync.OnceValues(func() ([]string, error) {
		p, err := v.Programme()
		if err != nil {
			return nil, err
		}
		return notice.Languages(p), nil
	})
}

// both are the languages that two have: where they have none in common it is the second one's own.
func both(a, b languages) languages {
	return sync.OnceValues(func() ([]string, error) {
		x, err := a()
		if err != nil {
			return nil, err
		}
		y, err := b()
		if err != nil {
			return nil, err
		}
		out := slices.DeleteFunc(slices.Clone(y), func(l string) bool { return l != y[0] && !slices.Contains(x, l) })
		return out, nil
	})
}

// spoken are the languages of the running programme.
type spoken struct{ all func() []string }

func spokenOf(p *programme.Programme) spoken {
	return spoken{sync.OnceValue(func() []string { return notice.Languages(p) })}
}

// languages are they, of a page that shows what the running programme says.
func (s *spoken) languages() ([]string, error) { return s.all(), nil }

// chosen is the language that a request gets of those that a page is in: the one that its address names, else what
// the reader prefers, else the first.
func (s *spoken) chosen(r *http.Request, have []string) variant {
	return s.choose(r.URL.Query().Get("lang"), r, have)
}

func (s *spoken) choose(named string, r *http.Request, have []string) (v variant) {
	if slices.Contains(have, named) || slices.Contains(s.all(), named) {
		v.keep = named // also on a page that isn't in it
	}
	if v.lang = v.keep; !slices.Contains(have, v.lang) {
		v.lang = phrase.Match(r.Header.Values("Accept-Language"), have)
	}
	return v
}

// cached keeps what make returns, by variant; of these there are as many as there are languages, squared.
func cached[V any](make func(variant) (V, error)) func(variant) (V, error) {
	var mu sync.Mutex
	kept := map[variant]func() (V, error){}
	return func(v variant) (V, error) {
		mu.Lock()
		get := kept[v]
		if get == nil {
			get = sync.OnceValues(func() (V, error) { return make(v) })
			kept[v] = get
		}
		mu.Unlock()
		return get()
	}
}

// item is a link of the index, whose name depends on the language.
type item struct {
	path  string
	name  func(lang string) string
	group string
}

// named is an item whose name is a phrase.
func named(path, name string) item {
	return item{path: path, name: func(lang string) string { return phrase.Say(lang, name) }}
}

func namedAll(links []notice.Link) (out []item) {
	for _, l := range links {
		out = append(out, named(l.Path, l.Name))
	}
	return out
}

// said are items as links, which keep the language where one was chosen.
func said(items []item, v variant) []notice.Link {
	var out []notice.Link
	for _, x := range items {
		l := notice.Link{Path: x.path, Name: x.name(v.lang)}
		if x.group != "" {
			l.Group = phrase.Say(v.lang, x.group)
		}
		out = append(out, l)
	}
	return notice.Kept(out, v.keep)
}
