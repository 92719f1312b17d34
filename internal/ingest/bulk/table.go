package bulk

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/native"
)

// table makes records of CSV rows.
type table struct {
	m       *Mapping
	cells   cells
	header  int // fields of the header, and so of each row
	id      []column
	at      int
	who     []int
	data    *branch
	scratch []byte
}

// column is a text, or the field at index where text is "".
type column struct {
	text  string
	index int
}

// branch is an object of a record's data. Members are in order of name.
type branch struct {
	name    string
	index   int // of the field; of a branch with members, -1
	members []*branch
}

func newTable(src *source, m *Mapping) (*table, error) {
	t := &table{m: m, cells: cells{src: src, comma: delimiters[m.Delimiter]}}
	src.skipMark()
	_, reason, err := t.cells.row()
	switch {
	case err == io.EOF: //nolint:errorlint // row returns it bare
		return nil, fault.New(fault.Invalid, "import.no_header", "the file is empty: its first row names the columns")
	case err != nil:
		return nil, fault.New(fault.Invalid, "import.unreadable", "the file can't be read").Because(err)
	case reason != "" || !utf8.Valid(t.cells.text):
		return nil, fault.New(fault.Invalid, "import.bad_header", "the first row can't be read as the names of columns").
			WithHint("the file is CSV in UTF-8; delimiter in the mapping file says what stands between fields")
	}
	return t, t.bind()
}

// bind finds the columns of the mapping in the header.
func (t *table) bind() error {
	t.header = len(t.cells.ends)
	index, twice := map[string]int{}, map[string]bool{}
	for i := range t.header {
		name := string(t.cells.field(i))
		_, had := index[name]
		index[name], twice[name] = i, twice[name] || had
	}
	named := t.m.columns()
	for _, name := range named {
		if _, ok := index[name]; !ok {
			return fault.New(fault.Invalid, "import.no_column", "the file has no column %q, which the mapping names", name).
				WithHint("the first row names the columns; upper and lower case differ")
		}
		if twice[name] {
			return fault.New(fault.Invalid, "import.column_twice", "the file has two columns %q, which the mapping names", name)
		}
	}
	for _, p := range t.m.id {
		t.id = append(t.id, column{p.text, index[p.column]})
	}
	t.at = index[t.m.OccurredAt.Column]
	for _, s := range t.m.Subjects {
		t.who = append(t.who, index[s.Column])
	}
	t.data = &branch{index: -1}
	for _, path := range slices.Sorted(maps.Keys(t.m.Data)) {
		t.data.put(strings.Split(path, "."), index[t.m.Data[path]])
	}
	if !t.m.Rest {
		return nil
	}
	for i := range t.header {
		name := string(t.cells.field(i))
		if slices.Contains(named, name) {
			continue
		}
		if name == "" || twice[name] || t.data.has(name) {
			return fault.New(fault.Invalid, "import.no_name", "column %d can't be kept as the rest: its name is empty, or is there twice", i+1).
				WithHint("name it under data in the mapping file")
		}
		t.data.put([]string{name}, i)
	}
	return nil
}

func (b *branch) has(name string) bool {
	return slices.ContainsFunc(b.members, func(m *branch) bool { return m.name == name })
}

func (b *branch) put(path []string, index int) {
	i := slices.IndexFunc(b.members, func(m *branch) bool { return m.name == path[0] })
	if i < 0 {
		i = len(b.members)
		b.members = append(b.members, &branch{name: path[0], index: -1})
	}
	if len(path) == 1 {
		b.members[i].index = index
		return
	}
	b.members[i].put(path[1:], index)
}

func (t *table) position() Position { return t.cells.src.at }

func (t *table) next(dst []byte) ([]byte, int64, string, string, error) {
	line, reason, err := t.cells.row()
	if err != nil || reason != "" {
		return dst, line, reason, "", err
	}
	out, reason, path := t.record(dst)
	if reason != "" {
		out = dst
	}
	return out, line, reason, path, nil
}

// record appends the row at hand as a native record.
func (t *table) record(dst []byte) (out []byte, reason, path string) {
	switch {
	case len(t.cells.ends) != t.header:
		return dst, "csv.wrong_field_count", ""
	case !utf8.Valid(t.cells.text):
		return dst, "record.bad_utf8", ""
	}
	id, ok := t.recordID()
	if !ok {
		return dst, "record.bad_id", "id"
	}
	out = append(dst, `{"id":`...)
	out = quoted(out, id)
	out = quoted(append(out, `,"kind":`...), []byte(t.m.Kind))
	out = quoted(append(out, `,"service":`...), []byte(t.m.Service))
	at, ok := t.m.OccurredAt.read(t.cells.field(t.at))
	if !ok {
		return dst, "record.bad_time", "occurred_at"
	}
	out = append(out, `,"occurred_at":"`...)
	out = append(at.UTC().AppendFormat(out, time.RFC3339Nano), `","subjects":[`...)
	first := true
	for i, s := range t.m.Subjects {
		value := t.cells.field(t.who[i])
		if len(value) == 0 {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(append(out, `{"type":"`...), s.Type...)
		out = quoted(append(out, `","value":`...), value)
		out = append(append(append(out, `,"role":"`...), s.role()...), `"}`...)
	}
	out = append(out, `],"data":`...)
	out = append(t.object(out, t.data, true), '}')
	if len(out)-len(dst) > maxRow {
		return dst, tooLarge, ""
	}
	return append(out, '\n'), "", ""
}

// recordID makes the row's id. An empty column would make ids alike that aren't.
func (t *table) recordID() (id []byte, ok bool) {
	id = t.scratch[:0]
	for _, c := range t.id {
		value := []byte(c.text)
		if c.text == "" {
			if value = t.cells.field(c.index); len(value) == 0 {
				return nil, false
			}
		}
		id = append(id, value...)
	}
	t.scratch = id
	return id, utf8.RuneCount(id) <= native.MaxIDChars
}

// object appends b's members that have a value. When there is none, nothing is appended, unless
// the object must be there.
func (t *table) object(out []byte, b *branch, must bool) []byte {
	from := len(out)
	out = append(out, '{')
	for _, m := range b.members {
		before := len(out)
		if before > from+1 {
			out = append(out, ',')
		}
		out = append(quoted(out, []byte(m.name)), ':')
		value := len(out)
		if m.index < 0 {
			out = t.object(out, m, false)
		} else if field := t.cells.field(m.index); len(field) > 0 {
			out = quoted(out, field)
		}
		if len(out) == value {
			out = out[:before]
		}
	}
	if len(out) == from+1 && !must {
		return out[:from]
	}
	return append(out, '}')
}

// read reads a time as the mapping says it is written. A row without one isn't taken: it would be
// kept as of today.
func (m *moment) read(field []byte) (time.Time, bool) {
	field = bytes.TrimSpace(field)
	var at time.Time
	var err error
	switch m.Layout {
	case "", "rfc3339":
		at, err = time.Parse(time.RFC3339, string(field))
	case "unix", "unix_ms":
		var n int64
		if n, err = strconv.ParseInt(string(field), 10, 64); m.Layout == "unix" {
			at = time.Unix(n, 0)
		} else {
			at = time.UnixMilli(n)
		}
	default:
		at, err = time.ParseInLocation(m.Layout, string(field), m.zone)
	}
	// What the API takes for a time; outside of it the node would put today's in its place.
	return at, err == nil && at.Year() >= 1990 && at.Year() <= 9999
}

// quoted appends s, which is UTF-8, as a JSON string.
func quoted(out, s []byte) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, '\\', 'n')
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
