package ingest

import (
	"bytes"
	"strings"

	"domicile.dev/internal/scan"
)

// placeWalk looks through what has no nodes: the inside of a list.
type placeWalk struct {
	b    *Batch
	e    *Event
	src  []byte
	at   string // path of where it is
	cuts []Cut
}

// drop cuts the member and notes it.
func (w *placeWalk) drop(c Cut, name string) {
	path := w.at
	if name != "" {
		path = strings.TrimPrefix(path+"."+name, ".")
	}
	w.cuts = append(w.cuts, c)
	w.e.Findings = Note(w.e.Findings, Finding{Path: w.b.mask(w.e, path), What: FoundCoordinates, Done: DoneDropped, Looks: FoundCoordinates})
}

// list looks through the list at src[at]. It says whether, called as it is, it is an exact place.
func (w *placeWalk) list(at int, named bool) (found bool) {
	pair := newPair()
	_, _ = scan.EachElement(w.src, at, func(_, at int) (int, error) {
		end, err := scan.Skip(w.src, at)
		switch w.src[at] {
		case '{':
			w.object(at)
		case '[':
			found = w.list(at, named) || found
		case '"':
			pair.add(w.src[at+1 : end-1])
		default:
			pair.add(w.src[at:end])
		}
		return end, err
	})
	return named && (found || pair.exact())
}

// object looks through the object at src[at].
func (w *placeWalk) object(at int) {
	var axes []struct {
		c    Cut
		name string
	}
	exactAxis, sure := false, false
	_, _ = scan.EachMember(w.src, at, func(raw []byte, at int) (int, error) {
		end, err := scan.Skip(w.src, at)
		if err != nil {
			return end, err
		}
		name := raw
		if bytes.IndexByte(raw, '\\') >= 0 {
			name, _ = scan.Unquote(nil, raw)
		}
		kind, c := placeOf(name), Cut{NameAt(w.src, raw, at), end}
		switch first := w.src[at]; {
		case first == '{' || first == '[':
			inner := placeWalk{b: w.b, e: w.e, src: w.src, at: w.at + "." + string(name), cuts: w.cuts}
			if first == '{' {
				inner.object(at)
			} else if inner.list(at, kind == bothAxes) {
				inner.drop(c, "")
			}
			w.cuts = inner.cuts
		case kind == oneAxis || kind == maybe:
			axes = append(axes, struct {
				c    Cut
				name string
			}{c, string(name)})
			sure = sure || kind == oneAxis
			exactAxis = exact(kind, content(w.src[at:end]), first == '"') || exactAxis
		case kind != noPlace && exact(kind, content(w.src[at:end]), first == '"'):
			w.drop(c, string(name))
		}
		return end, nil
	})
	for _, a := range axes {
		if exactAxis && sure {
			w.drop(a.c, a.name)
		}
	}
}

// content returns what a value says: the content of a string, else its text.
func content(raw []byte) []byte {
	if raw[0] != '"' {
		return raw
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') >= 0 {
		raw, _ = scan.Unquote(nil, raw)
	}
	return raw
}
