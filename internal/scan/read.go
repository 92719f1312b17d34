package scan

import (
	"bytes"
	"iter"
	"unicode/utf16"
	"unicode/utf8"
)

// Key returns the unescaped name of node i. It is a view into the source unless it was escaped.
func (d *Doc) Key(i int) []byte {
	n := &d.Nodes[i]
	if n.KeyEscaped {
		return d.plainKey(n)
	}
	return d.Src[n.KeyAt:n.KeyEnd]
}

func (d *Doc) plainKey(n *Node) []byte {
	name, _ := Unquote(nil, d.Src[n.KeyAt:n.KeyEnd])
	return name
}

// Raw returns the value of node i as it was sent.
func (d *Doc) Raw(i int) []byte { return d.Src[d.Nodes[i].At:d.Nodes[i].End] }

// Text returns the unescaped content of node i, which is a string: a view into the source when
// nothing is escaped, else appended to *scratch. Whole is false when half a surrogate pair was
// replaced by U+FFFD, so that two different strings may read the same.
func (d *Doc) Text(i int, scratch *[]byte) (content []byte, whole bool) {
	n := &d.Nodes[i]
	raw := d.Src[n.At+1 : n.End-1]
	if !n.Escaped {
		return raw, true
	}
	start := len(*scratch)
	*scratch, whole = Unquote(*scratch, raw)
	return (*scratch)[start:], whole
}

// Members yields the members of node i that are not dropped, in order. A node that is no object
// has none.
func (d *Doc) Members(i int) iter.Seq[int] {
	return func(yield func(int) bool) {
		end := int(d.Nodes[i].Next)
		for m := i + 1; m < end; m = int(d.Nodes[m].Next) {
			if !d.Nodes[m].Dropped && !yield(m) {
				return
			}
		}
	}
}

// Member returns the member of node i that is called name, or -1.
func (d *Doc) Member(i int, name string) int {
	print := Fingerprint([]byte(name))
	for m := range d.Members(i) {
		if d.Nodes[m].Print == print && string(d.Key(m)) == name {
			return m
		}
	}
	return -1
}

// Path returns the dotted names that lead to where the last Parse failed, as far as they are
// known: an array's inside is the array. Names can be personal data.
func (d *Doc) Path() string {
	if d.inside < 0 {
		return ""
	}
	var names [][]byte
	for i := d.inside; i > 0; i = d.Nodes[i].Parent {
		if d.Nodes[i].KeyEnd > 0 { // else an element of an array
			names = append(names, d.Key(int(i)))
		}
	}
	for l, r := 0, len(names)-1; l < r; l, r = l+1, r-1 {
		names[l], names[r] = names[r], names[l]
	}
	return string(bytes.Join(names, []byte{'.'}))
}

// Unquote appends the meaning of raw, which Parse found between two quotes, to dst. Whole is
// false when half a surrogate pair was replaced by U+FFFD.
func Unquote(dst, raw []byte) (out []byte, whole bool) {
	whole = true
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 || i+1 >= len(raw) {
			return append(dst, raw...), whole
		}
		dst = append(dst, raw[:i]...)
		c := raw[i+1]
		raw = raw[i+2:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := unit(raw)
			raw = raw[min(4, len(raw)):]
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
					low = unit(raw[2:])
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					whole = false
				} else {
					raw = raw[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
}

// unit reads four hexadecimal digits; fewer read as U+FFFD.
func unit(raw []byte) (r rune) {
	if len(raw) < 4 {
		return utf8.RuneError
	}
	for _, c := range raw[:4] {
		v, _ := hex(c)
		r = r<<4 | v
	}
	return r
}
