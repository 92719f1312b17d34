package scan

// Skip checks the grammar of the value that begins at src[at] or after white space there, at any
// depth and without the stricter rules, and returns the index after it. The error is an *Error.
func Skip(src []byte, at int) (end int, err error) {
	i := skip(src, Space(src, at))
	if i < 0 {
		return 0, fault(src, i)
	}
	return i, nil
}

// nest is a stack of bits, one for each open container: set for an object.
type nest struct {
	words []uint64
	depth int
}

func (s *nest) push(object bool) {
	if s.depth&63 == 0 {
		s.words = append(s.words[:s.depth>>6], 0)
	}
	if object {
		s.words[s.depth>>6] |= 1 << (s.depth & 63)
	}
	s.depth++
}

func (s *nest) pop() {
	s.depth--
	s.words[s.depth>>6] &^= 1 << (s.depth & 63)
}

func (s *nest) object() bool { return s.words[(s.depth-1)>>6]>>((s.depth-1)&63)&1 == 1 }

// skip keeps its own stack, so that a text of nothing but brackets costs a bit a bracket.
func skip(src []byte, i int) int {
	var room [16]uint64
	open := nest{words: room[:0]}
	for {
		if i >= len(src) {
			return ^len(src)
		}
		switch c := src[i]; c {
		case '{', '[':
			open.push(c == '{')
			if i = Space(src, i+1); i < len(src) && src[i] == c+2 { // '{'+2 is '}', '['+2 is ']'
				break // closed at once, below
			}
			if c == '{' {
				i = name(src, i)
			}
			if i < 0 {
				return i
			}
			continue
		case '"':
			end, _ := text(src, i+1)
			if end < 0 {
				return end
			}
			i = end + 1
		default:
			if i, _ = scalar(src, i); i < 0 {
				return i
			}
		}
		if i = after(src, i, &open); i < 0 || open.depth == 0 {
			return i
		}
	}
}

// after reads what may follow a value: closing brackets, then a comma and, in an object, a name.
func after(src []byte, i int, open *nest) int {
	for open.depth > 0 {
		if i = Space(src, i); i >= len(src) {
			return ^len(src)
		}
		object := open.object()
		switch c := src[i]; {
		case c == '}' && object, c == ']' && !object:
			open.pop()
			i++
		case c != ',':
			return ^i
		case object:
			return name(src, Space(src, i+1))
		default:
			return Space(src, i+1)
		}
	}
	return i
}

// name reads a member's name and colon, and returns the index of its value.
func name(src []byte, i int) int {
	if i >= len(src) || src[i] != '"' {
		return ^i
	}
	end, _ := text(src, i+1)
	if end < 0 {
		return end
	}
	if i = Space(src, end+1); i >= len(src) || src[i] != ':' {
		return ^i
	}
	return Space(src, i+1)
}

// EachMember calls each for every member of the object at src[at], with the name still escaped
// and the index where the value begins; each returns the index after it. EachMember returns the
// index after the object. It does not compare names.
func EachMember(src []byte, at int, each func(name []byte, at int) (end int, err error)) (end int, err error) {
	return run(src, at, '{', func(i int) (int, error) {
		value := name(src, i)
		if value < 0 {
			return 0, fault(src, value)
		}
		close, _ := text(src, i+1)
		return each(src[i+1:close], value)
	})
}

// EachElement calls each for every element of the array at src[at], with its number and the index
// where it begins; each returns the index after it. EachElement returns the index after the array.
func EachElement(src []byte, at int, each func(n, at int) (end int, err error)) (end int, err error) {
	n := 0
	return run(src, at, '[', func(i int) (int, error) {
		end, err := each(n, i)
		n++
		return end, err
	})
}

// run reads a bracket, items between commas, and the other bracket.
func run(src []byte, at int, bracket byte, item func(i int) (int, error)) (int, error) {
	i := Space(src, at)
	if i >= len(src) || src[i] != bracket {
		return 0, fault(src, ^i)
	}
	if i = Space(src, i+1); i < len(src) && src[i] == bracket+2 {
		return i + 1, nil
	}
	for {
		end, err := item(i)
		if err != nil {
			return 0, err
		}
		if i = Space(src, end); i >= len(src) {
			return 0, fault(src, ^i)
		}
		switch src[i] {
		case ',':
			i = Space(src, i+1)
		case bracket + 2:
			return i + 1, nil
		default:
			return 0, fault(src, ^i)
		}
	}
}
