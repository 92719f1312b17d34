package programme

import "fmt"

// Position is a place in a file. Line and Column count from 1; the zero value is no place.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
}

// String returns "file:line", "" for no place.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// At returns where what v points to (an item of one of p's lists) is declared; the zero Position for
// what p doesn't hold. Where things stand is no part of the hash.
func (p *Programme) At(v any) Position { return p.positions[v] }

func (d *decoder) position(v any) Position {
	n := d.at[v]
	if n == nil {
		return Position{}
	}
	return Position{n.file, n.line, n.col}
}

// keepPositions keeps the places of what reasons refer to, not those of every field.
func (p *Programme) keepPositions(d *decoder) {
	p.positions = map[any]Position{}
	keep := func(v any) { p.positions[v] = d.position(v) }
	for i := range p.Entities {
		keep(&p.Entities[i])
	}
	for i := range p.Regions {
		keep(&p.Regions[i])
	}
	for i := range p.Services {
		keep(&p.Services[i])
	}
	for i := range p.Categories {
		keep(&p.Categories[i])
	}
	for i := range p.Kinds {
		keep(&p.Kinds[i])
	}
	for i := range p.Purposes {
		keep(&p.Purposes[i])
	}
	for i := range p.Recipients {
		keep(&p.Recipients[i])
	}
	for i := range p.Flows {
		keep(&p.Flows[i])
	}
	for i := range p.PseudonymisedAs {
		keep(&p.PseudonymisedAs[i])
	}
	for i := range p.Mechanisms {
		keep(&p.Mechanisms[i])
	}
}
