package programme

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of what Load reads. The parser below recurses, so depth is counted before it runs.
const (
	maxFiles     = 1000
	maxFileBytes = 512 << 10
	maxBytes     = 8 << 20
	maxDepth     = 24
)

type nodeKind uint8

const (
	scalarNode nodeKind = iota
	mappingNode
	sequenceNode
)

type scalarType uint8

const (
	textScalar scalarType = iota
	boolScalar
	intScalar
	floatScalar
	nullScalar
)

func (t scalarType) String() string {
	return [...]string{"text", "true or false", "a whole number", "a number", "nothing"}[t]
}

// node is YAML as the format takes it: no anchors, no tags, one document, each key once.
type node struct {
	kind      nodeKind
	file      string
	line, col int
	path      string // set when it is decoded

	text  string     // of a scalar
	typ   scalarType // of a scalar
	keys  []*node    // of a mapping, scalars
	items []*node    // values of a mapping in the order of keys, or items of a sequence
}

// get returns the value at key and the key itself, or nils.
func (n *node) get(key string) (value, k *node) {
	if n == nil || n.kind != mappingNode {
		return nil, nil
	}
	for i, k := range n.keys {
		if k.text == key {
			return n.items[i], k
		}
	}
	return nil, nil
}

// or returns the value at key, n itself when there is none: where a fault about key belongs.
func (n *node) or(key string) *node {
	if v, _ := n.get(key); v != nil {
		return v
	}
	return n
}

func (n *node) what() string {
	switch n.kind {
	case mappingNode:
		return "a mapping"
	case sequenceNode:
		return "a list"
	}
	return n.typ.String()
}

// fileParser turns one file into a node tree and collects what the format doesn't take.
type fileParser struct {
	file   string
	faults Faults
}

func (p *fileParser) fault(line, col int, code, message, suggestion string) {
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, Fault{File: p.file, Line: max(line, 1), Column: max(col, 1), Code: code, Message: message, Suggestion: suggestion})
	}
}

// parseFile returns the mapping at the top of a file, nil when there is a fault.
func parseFile(file string, src []byte) (root *node, faults Faults) {
	p := &fileParser{file: file}
	defer func() {
		// The YAML library is fuzzed, and so is this; a programme is still no reason to crash a node.
		if r := recover(); r != nil {
			p.fault(1, 1, CodeSyntax, "the YAML library can't read this file", "write it in plain block style")
			root, faults = nil, p.faults
		}
	}()
	if len(src) > maxFileBytes {
		p.fault(1, 1, CodeTooLarge, fmt.Sprintf("the file has %d bytes, at most %d are read", len(src), maxFileBytes), "split it into several files")
		return nil, p.faults
	}
	if line := badBytes(src); line > 0 {
		p.fault(line, 1, CodeSyntax, "the file has bytes that are no UTF-8 text", "save it as UTF-8")
		return nil, p.faults
	}
	tokens := lexer.Tokenize(string(src))
	if p.depth(tokens); len(p.faults) > 0 {
		return nil, p.faults
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // duplicates: all of them, by us
	if err != nil {
		p.syntax(err)
		return nil, p.faults
	}
	var bodies []ast.Node
	for _, d := range f.Docs {
		if d != nil && d.Body != nil {
			bodies = append(bodies, d.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		p.fault(1, 1, CodeEmpty, "the file is empty", "declare something in it or remove it")
		return nil, p.faults
	case len(bodies) > 1:
		line, col := position(bodies[1])
		p.fault(line, col, CodeSyntax, "the file has several documents", "one file is one document: split it at ---")
		return nil, p.faults
	}
	root = p.convert(bodies[0], 0)
	if root != nil && root.kind != mappingNode {
		p.fault(root.line, root.col, CodeWrongType, "a file is a mapping of sections, not "+root.what(), "begin with a section such as categories:")
	}
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	return root, nil
}

// depth refuses nesting before the recursive parser sees it: brackets open at once, and nested
// entries or tags on one line. Blocks nest by indentation, which the line bounds.
func (p *fileParser) depth(tokens token.Tokens) {
	open, onLine, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, onLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			open++
		case token.MappingEndType, token.SequenceEndType:
			open--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType, token.AliasType:
			onLine++
		case token.MappingValueType:
			if open == 0 {
				onLine++
			}
		default:
			continue
		}
		indent := 0
		if t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType {
			indent = t.Position.Column / 2
		}
		if open > maxDepth || onLine > maxDepth || indent > 2*maxDepth {
			p.fault(t.Position.Line, t.Position.Column, CodeTooLarge, fmt.Sprintf("nested more than %d deep", maxDepth), "")
			return
		}
	}
}

func (p *fileParser) syntax(err error) {
	var se *yaml.SyntaxError
	if !errors.As(err, &se) || se.Token == nil || se.Token.Position == nil {
		p.fault(1, 1, CodeSyntax, "not YAML", "")
		return
	}
	p.fault(se.Token.Position.Line, se.Token.Position.Column, CodeSyntax, "not YAML: "+firstLine(se.Message), "")
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
