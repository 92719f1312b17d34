package segment

import (
	"encoding/json"
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// shareAll makes d.common the object to merge into every event, when there is anything to merge.
func (d *decoder) shareAll(context, integrations []byte) error {
	d.share = context != nil || integrations != nil
	if !d.share {
		return nil
	}
	if len(context)+len(integrations) > MaxEventBytes {
		return fault.New(fault.Invalid, "body.context_too_large", "what a batch says for all its events holds at most %d bytes", MaxEventBytes)
	}
	var parts [][]byte
	for _, p := range []struct {
		name  string
		value []byte
	}{{`"context":`, context}, {`"integrations":`, integrations}} {
		if p.value == nil {
			continue
		}
		if parts != nil {
			parts = append(parts, []byte(","))
		}
		parts = append(parts, []byte(p.name), p.value)
	}
	all := d.b.Hold(slices.Concat([][]byte{[]byte("{")}, parts, [][]byte{[]byte("}")})...)
	return d.common.ParseAll(all, scan.Limits{Members: maxContext, UTF8: true})
}

// merge rewrites the event with the members of common that it lacks, and maps it anew.
func (d *decoder) merge(common *scan.Doc) (reason string) {
	src := d.b.Hold(d.overlay(nil, 0, common, 0))
	return ingest.EventReason(d.b.Doc.ParseAll(src, scan.Limits{UTF8: true}))
}

// lacksPeer says whether the event is to have the address that it came from: it names none, and
// either its source is the person's device or it says so itself. An ip that is null or "" is a
// wish to have none.
func (d *decoder) lacksPeer(f fields) bool {
	if d.env.Peer == "" {
		return false
	}
	doc := &d.b.Doc
	if f.context > 0 && doc.Nodes[f.context].Kind != scan.Object {
		return false
	}
	direct := false
	if f.context > 0 {
		for i := range doc.Members(f.context) {
			switch string(doc.Key(i)) {
			case "ip":
				return false
			case "direct":
				direct = string(doc.Raw(i)) == "true"
			}
		}
	}
	return d.env.PeerIsSubject || direct
}

// peerDoc returns what is merged into an event that lacks the peer.
func (d *decoder) peerDoc() *scan.Doc {
	if d.peer.Src == nil {
		ip, _ := json.Marshal(d.env.Peer)
		_ = d.peer.ParseAll(d.b.Hold([]byte(`{"context":{"ip":`), ip, []byte(`}}`)), scan.Limits{UTF8: true}) // our own text
	}
	return &d.peer
}

// overlay appends the object at node n of Doc with the members of node m of common that it lacks.
// Where both have an object of the same name, the two are merged alike.
func (d *decoder) overlay(dst []byte, n int, common *scan.Doc, m int) []byte {
	doc := &d.b.Doc
	dst = append(dst, '{')
	for i := range doc.Members(n) {
		dst = comma(dst)
		node := &doc.Nodes[i]
		dst = append(dst, doc.Src[node.KeyAt-1:node.At]...)
		c := -1
		if node.Kind == scan.Object {
			c = common.Member(m, string(doc.Key(i)))
		}
		if c > 0 && common.Nodes[c].Kind == scan.Object {
			dst = d.overlay(dst, i, common, c)
		} else {
			dst = append(dst, doc.Raw(i)...)
		}
	}
	for c := range common.Members(m) {
		if doc.Member(n, string(common.Key(c))) < 0 {
			node := &common.Nodes[c]
			dst = append(comma(dst), common.Src[node.KeyAt-1:node.End]...)
		}
	}
	return append(dst, '}')
}

func comma(dst []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return dst
}
