package record

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
)

// longerLived orders retention classes: without limit first, then by days, longest first.
func longerLived(a, b uint16) int { return int(b-1) - int(a-1) } // 0 − 1 wraps to the greatest

// classesOf returns the distinct classes of a shape, longest-lived first. A shape without parts has
// class 0.
func classesOf(s *Shape) []uint16 {
	all := slices.Clone(s.Class)
	if len(all) == 0 {
		return []uint16{0}
	}
	slices.SortFunc(all, longerLived)
	return slices.Compact(all)
}

// appendShape appends a shape as rows hold it.
func appendShape(b []byte, s *Shape) []byte {
	str := func(t string) {
		b = binary.AppendUvarint(b, uint64(len(t)))
		b = append(b, t...)
	}
	str(s.Kind)
	str(s.Service)
	str(s.Source)
	b = binary.AppendUvarint(b, uint64(len(s.Categories)))
	for i, c := range s.Categories {
		str(c)
		b = binary.AppendUvarint(b, uint64(s.Class[i]))
	}
	return b
}

func checkShape(s *Shape) error {
	bad := len(s.Categories) != len(s.Class) || len(s.Categories) > MaxParts
	for _, t := range append([]string{s.Kind, s.Service, s.Source}, s.Categories...) {
		bad = bad || len(t) > 65535
	}
	if bad {
		return fmt.Errorf("record: shape of kind %q is beyond the format", s.Kind)
	}
	return nil
}

// shapeCache keeps one Shape for each encoded one, so that reading a row allocates no strings.
// Shapes come from the programme: there are few.
type shapeCache struct {
	mu  sync.RWMutex
	all map[string]*Shape // guarded by mu
}

const maxCachedShapes = 4096

// read reads one shape.
func (s *shapeCache) read(c *cursor) *Shape {
	from := c.b
	for range 3 {
		c.take(c.count(65535))
	}
	for range c.count(MaxParts) {
		c.take(c.count(65535))
		c.count(65535)
	}
	if c.bad {
		return nil
	}
	raw := from[:len(from)-len(c.b)]
	s.mu.RLock()
	shape := s.all[string(raw)]
	s.mu.RUnlock()
	if shape != nil {
		return shape
	}
	shape = decodeShape(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.all[string(raw)]; have != nil {
		return have
	}
	if s.all == nil || len(s.all) >= maxCachedShapes {
		s.all = make(map[string]*Shape)
	}
	s.all[string(raw)] = shape
	return shape
}

// decodeShape decodes what read has checked.
func decodeShape(raw []byte) *Shape {
	c := cursor{b: raw}
	s := &Shape{Kind: string(c.sized()), Service: string(c.sized()), Source: string(c.sized())}
	for range c.uvarint() {
		s.Categories = append(s.Categories, string(c.sized()))
		s.Class = append(s.Class, uint16(c.uvarint()))
	}
	return s
}
