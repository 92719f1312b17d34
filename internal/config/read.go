package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// read decodes a file key by key, so that one that is wrong hides no other. It returns what could
// not be read, each with its place, one for each key at the top, and those keys. There are no keys
// when the file could not be read as a whole.
func read(b []byte) (n *Node, wrong, keys []string) {
	n = &Node{}
	f, err := parser.ParseBytes(b, 0)
	if err == nil && len(f.Docs) == 1 {
		if m, ok := f.Docs[0].Body.(*ast.MappingNode); ok && plain(m) {
			for _, v := range m.Values {
				if err := yaml.NodeToValue(v, n, yaml.Strict()); err != nil {
					key := v.Key.GetToken().Value
					wrong, keys = append(wrong, placed(v, key, yamlSays(err))), append(keys, key)
				}
			}
			return n, wrong, keys
		}
	}
	if err := yaml.UnmarshalWithOptions(b, n, yaml.Strict()); err != nil {
		return n, []string{yamlSays(err)}, nil
	}
	return n, nil, nil
}

// plain says whether each value of m can be read without the others: none refers to another.
func plain(m *ast.MappingNode) bool {
	return !slices.ContainsFunc(m.Values, func(v *ast.MappingValueNode) bool {
		return v.Key.IsMergeKey() || len(ast.Filter(ast.AliasType, v)) > 0
	})
}

func yamlSays(err error) string { return strings.TrimSpace(yaml.FormatError(err, false, true)) }

// placed is what is said of v, with its place where the decoder left it out, as it does of durations.
func placed(v *ast.MappingValueNode, key, said string) string {
	if strings.HasPrefix(said, "[") {
		return said
	}
	at := v.Key.GetToken().Position
	return fmt.Sprintf("[%d:%d] %s: %s", at.Line, at.Column, key, said)
}
