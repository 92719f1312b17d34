package plan

import (
	"encoding/json"
	"strings"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/scan"
)

// object judges the members of the object at src[at], and returns what is planned of them. Node n is
// the object's, or the list's in which it lies; nodes of members there are in the first case only.
func (t *trial) object(at, n int, s *shape, path string) map[string]any {
	src, out := t.d.Src, map[string]any{}
	mapped := t.d.Nodes[n].Kind == scan.Object
	m := n // the node of the member before
	_, _ = scan.EachMember(src, at, func(raw []byte, at int) (int, error) {
		end, err := scan.Skip(src, at)
		if err != nil {
			return end, err
		}
		member := n
		if mapped {
			if m == n {
				m++
			} else {
				m = int(t.d.Nodes[m].Next)
			}
			if member = m; t.d.Nodes[m].Dropped {
				return end, nil
			}
		}
		name, _ := scan.Unquote(nil, raw)
		below, here := s.in(string(name)), join(path, string(name))
		if below == nil {
			t.unplanned(string(name), here, at, end, member, ingest.Cut{From: ingest.NameAt(src, raw, at), To: end})
			return end, nil
		}
		out[string(name)] = t.value(at, end, member, below, here)
		return end, nil
	})
	return out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// unplanned notes a member that no schema names. What is inside a list can't be set aside alone, so
// the whole list is; it can be dropped alone.
func (t *trial) unplanned(name, path string, at, end, n int, c ingest.Cut) {
	f := ingest.Finding{What: ingest.FoundUnplannedProperty, Path: path}
	if len(t.out.Findings) < ingest.MaxFindings {
		looks := Looks(name, FormOf(t.d.Src[at:end]))
		f.Looks, f.Suggest = string(looks), t.places.of(looks)
	}
	if t.plan.UnplannedProperty == programme.PlanDrop {
		t.out.Cuts = append(t.out.Cuts, c)
	}
	t.found(f, n)
}

// value returns what src[at:end] is in Go, without what isn't planned in it.
func (t *trial) value(at, end, n int, s *shape, path string) any {
	src := t.d.Src
	switch src[at] {
	case '{':
		return t.object(at, n, s, path)
	case '[':
		list := []any{}
		_, _ = scan.EachElement(src, at, func(_, at int) (int, error) {
			end, err := scan.Skip(src, at)
			if err == nil {
				list = append(list, t.value(at, end, n, s.itemsOrAny(), path))
			}
			return end, err
		})
		return list
	case '"':
		text, _ := scan.Unquote(nil, src[at+1:end-1])
		return string(text)
	case 't', 'f':
		return src[at] == 't'
	case 'n':
		return nil
	}
	return number(src[at:end])
}

func (s *shape) itemsOrAny() *shape {
	if s.items == nil {
		return anything
	}
	return s.items
}

// huge stands for a number that no schema could be asked about without unbounded work: it is of no
// JSON type, so that none allows it.
type huge struct{}

// maxNumberBytes bounds the digits of a number.
const maxNumberBytes = 64

// number returns raw as validation takes it.
func number(raw []byte) any {
	text := string(raw)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if exponent := strings.TrimLeft(text[i+1:], "+-0"); len(exponent) > 3 || len(exponent) == 3 && exponent > "308" {
			return huge{}
		}
	}
	if len(text) > maxNumberBytes {
		return huge{}
	}
	return json.Number(text)
}
