package scan

import (
	"encoding/binary"
	"unicode/utf8"
)

// Node is one value of a Doc: the root, or a member of an object. What lies inside an array has
// no nodes. Offsets count from the start of the source.
type Node struct {
	KeyAt, KeyEnd uint32 // the name between its quotes, still escaped; both 0 for the root
	At, End       uint32 // the value; a string with its quotes
	Parent        int32  // index of the object this is a member of; -1 for the root
	Next          int32  // index after this value's own nodes: its next sibling, when it has one
	Print         uint64 // Fingerprint of the unescaped name
	Kind          Kind
	KeyEscaped    bool // the name holds an escape
	Escaped       bool // the value is a string that holds an escape
	Dropped       bool // set by the reader: treat as absent
	Mark          Mark // set by the reader
}

// Mark is what a reader noted of a node. Parse sets it to 0.
type Mark uint8

// Limits bounds what Parse accepts. The zero value means the defaults.
type Limits struct {
	Depth   int  // containers inside each other; default 64
	Members int  // members of one object; default 10,000
	UTF8    bool // the caller knows that the source is valid UTF-8
}

// Doc is the map of one JSON value: a flat list of nodes in the order of the text, parents before
// their members. A Doc is reused; it holds views into the source until the next Parse.
type Doc struct {
	Src   []byte
	Nodes []Node

	limits Limits
	prints []uint64 // fingerprints of the members so far of every open object, while they are few
	slots  []uint64 // hash tables of open objects with many members; see unique.go
	plain  []byte   // the name last unescaped
	code   Code     // of the fault that a negative index stands for
	inside int32    // the node in which the fault is; -1 before the root
}

// Parse maps the value that begins at src[at] or after white space there, and returns the index
// after it. The error is an *Error; the Doc's nodes are then good for Path only.
func (d *Doc) Parse(src []byte, at int, limits Limits) (end int, err error) {
	if limits.Depth == 0 {
		limits.Depth = 64
	}
	if limits.Members == 0 {
		limits.Members = 10_000
	}
	d.Src, d.limits, d.code, d.inside = src, limits, 0, -1
	d.Nodes, d.prints, d.slots = d.Nodes[:0], d.prints[:0], d.slots[:0]
	at = Space(src, at)
	d.Nodes = append(d.Nodes, Node{At: uint32(at), Parent: -1})
	end = d.value(at, 0, limits.Depth)
	if end < 0 {
		if d.code != 0 {
			return 0, &Error{d.code, ^end}
		}
		return 0, fault(src, end)
	}
	if !limits.UTF8 && !utf8.Valid(src[at:end]) {
		return 0, &Error{BadUTF8, at}
	}
	return end, nil
}

// ParseAll maps src, which holds one value and nothing else.
func (d *Doc) ParseAll(src []byte, limits Limits) error {
	end, err := d.Parse(src, 0, limits)
	if err != nil {
		return err
	}
	if end = Space(src, end); end < len(src) {
		return &Error{Syntax, end}
	}
	return nil
}

// value scans the value at src[i] into node n, with room for depth more containers.
func (d *Doc) value(i int, n int32, depth int) int {
	if i >= len(d.Src) {
		return ^len(d.Src)
	}
	kind, escaped := String, false
	switch d.Src[i] {
	case '"':
		if i, escaped = text(d.Src, i+1); i >= 0 {
			i++
		}
	case '{':
		kind, i = Object, d.object(i, n, depth)
	case '[':
		kind, i = Array, d.array(i, n, depth)
	default:
		i, kind = scalar(d.Src, i)
	}
	if i < 0 {
		return d.blame(i, n)
	}
	node := &d.Nodes[n]
	node.End, node.Kind, node.Escaped, node.Next = uint32(i), kind, escaped, int32(len(d.Nodes))
	return i
}

// object scans the object whose brace is src[i]; its members become nodes under parent. Names of
// up to seven bytes without an escape, and values that are strings, are what most members are:
// they go the short way.
func (d *Doc) object(i int, parent int32, depth int) int {
	src := d.Src
	if depth == 0 {
		return d.refuse(TooDeep, i, parent)
	}
	if i = Space(src, i+1); i < len(src) && src[i] == '}' {
		return i + 1
	}
	u := unique{prints: len(d.prints), slots: len(d.slots), first: len(d.Nodes)}
	for {
		if i >= len(src) || src[i] != '"' {
			return ^i
		}
		n := d.grow()
		node := &d.Nodes[n]
		node.KeyAt, node.Parent = uint32(i+1), parent
		end, length := shortText(src, i+1)
		if length >= 0 {
			node.Print = binary.LittleEndian.Uint64(src[i+1:])&(1<<(8*length&63)-1) | uint64(length)<<56
		} else if end = d.longName(node, i+1); end < 0 {
			return end
		}
		node.KeyEnd = uint32(end)
		if !u.add(d, node) {
			return d.refuse(Duplicate, i, n)
		}
		if u.count > d.limits.Members {
			return d.refuse(TooManyMembers, i, parent)
		}
		if i = end + 1; i >= len(src) || src[i] != ':' {
			if i = Space(src, i); i >= len(src) || src[i] != ':' {
				return ^i
			}
		}
		if i++; i < len(src) && src[i] <= ' ' {
			i = Space(src, i)
		}
		node.At = uint32(i)
		if i < len(src) && src[i] == '"' {
			end, escaped := text(src, i+1)
			if end < 0 {
				return d.blame(end, n)
			}
			i = end + 1
			node.End, node.Kind, node.Escaped, node.Next = uint32(i), String, escaped, n+1
		} else if i = d.value(i, n, depth-1); i < 0 {
			return i
		}
		if i < len(src) && src[i] <= ' ' {
			i = Space(src, i)
		}
		if i >= len(src) {
			return ^i
		}
		switch src[i] {
		case ',':
			if i++; i < len(src) && src[i] <= ' ' {
				i = Space(src, i)
			}
		case '}':
			u.close(d)
			return i + 1
		default:
			return ^i
		}
	}
}

// grow appends a node that is zero but for what object and value set in every case.
func (d *Doc) grow() int32 {
	n := len(d.Nodes)
	if n == cap(d.Nodes) {
		d.Nodes = append(d.Nodes, Node{})
	}
	d.Nodes = d.Nodes[:n+1]
	node := &d.Nodes[n]
	node.KeyEscaped, node.Dropped, node.Mark = false, false, 0
	return int32(n)
}

// longName scans a name that is longer than seven bytes or holds an escape, and leaves its
// unescaped form in d.plain when it does.
func (d *Doc) longName(node *Node, i int) int {
	end, escaped := text(d.Src, i)
	if end < 0 {
		return end
	}
	name := d.Src[i:end]
	if escaped {
		d.plain, _ = Unquote(d.plain[:0], name)
		name = d.plain
	}
	node.KeyEscaped, node.Print = escaped, Fingerprint(name)
	return end
}

// array scans the array whose bracket is src[i]. Nodes made inside it, to compare the names of
// members, are given back at its end: an array is a leaf.
func (d *Doc) array(i int, parent int32, depth int) int {
	src := d.Src
	if depth == 0 {
		return d.refuse(TooDeep, i, parent)
	}
	if i = Space(src, i+1); i < len(src) && src[i] == ']' {
		return i + 1
	}
	n := int32(len(d.Nodes))
	for {
		d.Nodes = append(d.Nodes[:n], Node{Parent: parent})
		if i = d.value(i, n, depth-1); i < 0 {
			return i
		}
		if i = Space(src, i); i >= len(src) {
			return ^i
		}
		switch src[i] {
		case ',':
			i = Space(src, i+1)
		case ']':
			d.Nodes = d.Nodes[:n]
			return i + 1
		default:
			return ^i
		}
	}
}

// refuse notes that a rule stricter than the grammar was broken at src[i], in node n.
func (d *Doc) refuse(c Code, i int, n int32) int {
	d.code = c
	return d.blame(^i, n)
}

// blame keeps the innermost node in which a fault was found.
func (d *Doc) blame(i int, n int32) int {
	if d.inside < 0 {
		d.inside = n
	}
	return i
}
