package programme

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// position is where a reader would point: a block mapping begins at its first key.
func position(n ast.Node) (line, col int) {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return 1, 1
	}
	return t.Position.Line, t.Position.Column
}

// convert returns nil for what the format doesn't take, having reported it.
func (p *fileParser) convert(n ast.Node, depth int) *node {
	out := &node{file: p.file}
	if n == nil {
		out.line, out.col, out.typ = 1, 1, nullScalar
		return out
	}
	out.line, out.col = position(n)
	if depth > maxDepth {
		p.fault(out.line, out.col, CodeTooLarge, fmt.Sprintf("nested more than %d deep", maxDepth), "")
		return nil
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return p.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		out.line, out.col = position(n.Key)
		return p.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.kind = sequenceNode
		for _, item := range n.Values {
			if c := p.convert(item, depth+1); c != nil {
				out.items = append(out.items, c)
			}
		}
	case *ast.NullNode:
		out.typ = nullScalar
	case *ast.BoolNode:
		out.typ, out.text = boolScalar, fmt.Sprint(n.Value)
	case *ast.IntegerNode:
		out.typ, out.text = intScalar, fmt.Sprint(n.Value)
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.typ, out.text = floatScalar, n.GetToken().Value
	case *ast.StringNode:
		out.text = n.Value
	case *ast.LiteralNode:
		if n.Value != nil {
			out.text = n.Value.Value
		}
		out.text = strings.TrimSuffix(out.text, "\n") // | and > end in one; it is layout
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		p.fault(out.line, out.col, CodeSyntax, "anchors, aliases and merge keys are not taken", "write the value out, or use field_sets for mappings that kinds share")
		return nil
	case *ast.TagNode:
		p.fault(out.line, out.col, CodeSyntax, "tags are not taken", "quote the value when it must be text")
		return nil
	default:
		p.fault(out.line, out.col, CodeSyntax, "not taken here: "+n.Type().YAMLName(), "")
		return nil
	}
	return out
}

func (p *fileParser) mapping(out *node, values []*ast.MappingValueNode, depth int) *node {
	out.kind = mappingNode
	first := map[string]*node{}
	for _, v := range values {
		line, col := position(v.Key)
		if v.Key.IsMergeKey() {
			p.fault(line, col, CodeSyntax, "anchors, aliases and merge keys are not taken", "write the values out")
			continue
		}
		var key string
		switch k := v.Key.(type) {
		case *ast.StringNode:
			key = k.Value
		case *ast.IntegerNode, *ast.BoolNode, *ast.NullNode, *ast.FloatNode:
			key = k.GetToken().Value
		default:
			p.fault(line, col, CodeSyntax, "a key is plain text", "")
			continue
		}
		if f := first[key]; f != nil {
			p.fault(line, col, CodeDuplicate, fmt.Sprintf("the key %s is given twice, first on line %d", quote(key), f.line), "remove one of them")
			continue
		}
		k := &node{file: p.file, line: line, col: col, text: key}
		first[key] = k
		value := p.convert(v.Value, depth+1)
		if value == nil {
			continue
		}
		out.keys, out.items = append(out.keys, k), append(out.items, value)
	}
	return out
}
