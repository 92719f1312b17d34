package notice

import (
	"net/url"
	"strings"

	"domicile.dev/internal/phrase"
)

// Frame is what surrounds a page where it is served. The zero Frame is for a page by itself.
type Frame struct {
	Nav []Link // to other pages
	// Origin and Path are where the page is, with its query where it has one.
	Origin, Path string
	// Languages are those that the page is there in.
	Languages []string
	// Keep is the language that was chosen by the address, "" when none was: then links keep it.
	Keep string
}

// Language is a page in a language.
type Language struct{ Tag, Own, Path, Absolute string }

// Into is an address of the same page in a language, which it keeps to.
func Into(path, language string) string {
	if language == "" {
		return path
	}
	path, fragment, has := strings.Cut(path, "#")
	if has {
		fragment = "#" + fragment
	}
	sign := "?"
	if strings.Contains(path, "?") {
		sign = "&"
	}
	return path + sign + "lang=" + url.QueryEscape(language) + fragment
}

func (f *Frame) nav() []Link { return Kept(f.Nav, f.Keep) }

// Kept are links that keep a language, "" for none.
func Kept(links []Link, language string) []Link {
	out := make([]Link, len(links))
	for i, l := range links {
		l.Path = Into(l.Path, language)
		out[i] = l
	}
	return out
}

func (f *Frame) languages() (out []Language) {
	if len(f.Languages) < 2 || f.Path == "" {
		return nil
	}
	for _, l := range f.Languages {
		path := Into(f.Path, l)
		out = append(out, Language{Tag: l, Own: phrase.Own(l), Path: path, Absolute: f.Origin + path})
	}
	return out
}
