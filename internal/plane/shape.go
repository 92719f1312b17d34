package plane

import (
	"encoding/binary"
	"sync"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/record"
)

// shapes interns what records have in common: service, kind, source, and the categories of their
// parts in order. There are few of them: kinds times what optional fields come along.
type shapes struct {
	mu         sync.RWMutex
	bySig      map[string]*record.Shape // guarded by mu
	categories map[string]uint16        // guarded by mu
	names      []string                 // guarded by mu
}

// mostShapes bounds the table. A tenant can't grow it by choosing names: kinds and categories are
// the programme's, sources are made by hand. Only records to many recipients have odd shapes, and
// those beyond the bound are not interned.
const mostShapes = 16 << 10

func (t *shapes) category(name string) uint16 {
	t.mu.RLock()
	n, ok := t.categories[name]
	t.mu.RUnlock()
	if ok {
		return n
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.categories[name]; ok {
		return n
	}
	if t.categories == nil {
		t.categories = map[string]uint16{}
	}
	n = uint16(len(t.names))
	t.names = append(t.names, name)
	t.categories[name] = n
	return n
}

func (t *shapes) of(rules Rules, k *ingest.Kind, source string, categories []uint16) *record.Shape {
	var buf [160]byte
	sig := append(buf[:0], k.Service...)
	sig = append(append(sig, 0), k.Name...)
	sig = append(append(sig, 0), source...)
	sig = append(sig, 0)
	for _, c := range categories {
		sig = binary.BigEndian.AppendUint16(sig, c)
	}
	t.mu.RLock()
	s := t.bySig[string(sig)]
	t.mu.RUnlock()
	if s != nil {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s = &record.Shape{Service: k.Service, Kind: k.Name, Source: source}
	for _, c := range categories {
		name := t.names[c]
		s.Categories = append(s.Categories, name)
		s.Class = append(s.Class, rules.RetentionDays(s.Service, s.Kind, name))
	}
	if t.bySig == nil {
		t.bySig = map[string]*record.Shape{}
	}
	if len(t.bySig) < mostShapes {
		t.bySig[string(sig)] = s
	}
	return s
}
