package twilio

import (
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// params are the parameters of a webhook: the members of one object of a document.
type params struct {
	b     *ingest.Batch
	doc   *scan.Doc
	at    int
	loose bool // names may be messageSid or message_sid for MessageSid, as JSON has them
}

// node returns the parameter of that name, 0 when there is none.
func (p params) node(name string) int {
	if i := p.doc.Member(p.at, name); i > 0 || !p.loose {
		return max(i, 0)
	}
	for i := range p.doc.Members(p.at) {
		if sameName(p.doc.Key(i), name) {
			return i
		}
	}
	return 0
}

// sameName compares names without regard to case and underscores.
func sameName(key []byte, name string) bool {
	j := 0
	for _, c := range key {
		if c == '_' {
			continue
		}
		if j == len(name) || lower(c) != lower(name[j]) {
			return false
		}
		j++
	}
	return j == len(name)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// text returns the first of the named parameters that says something, nil when none does: a text,
// or a number as it is written. A text with half a surrogate pair, by which two could become the
// same, says nothing.
func (p params) text(names ...string) []byte {
	for _, name := range names {
		n := p.node(name)
		if n == 0 {
			continue
		}
		switch p.doc.Nodes[n].Kind {
		case scan.Number:
			return p.doc.Raw(n)
		case scan.String:
			if value, whole := p.unquote(n); whole && len(value) > 0 {
				return value
			}
		}
	}
	return nil
}

// unquote returns the content of the string at node n, which lives as long as the batch.
func (p params) unquote(n int) (content []byte, whole bool) {
	if p.doc == &p.b.Doc {
		return p.b.Text(n)
	}
	var scratch []byte // kept by what is made of it
	return p.doc.Text(n, &scratch)
}

// in returns the parameters below the named one; ok says whether it is an object.
func (p params) in(name string) (below params, ok bool) {
	n := p.node(name)
	if n == 0 || p.doc.Nodes[n].Kind != scan.Object {
		return p, false
	}
	p.at = n
	return p, true
}

// deep returns the text at the end of a way of names.
func (p params) deep(way ...string) []byte {
	for _, name := range way[:len(way)-1] {
		var ok bool
		if p, ok = p.in(name); !ok {
			return nil
		}
	}
	return p.text(way[len(way)-1])
}
