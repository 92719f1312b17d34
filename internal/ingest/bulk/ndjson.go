package bulk

import (
	"bytes"
	"errors"
	"io"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/scan"
)

// lines reads NDJSON: one native record a line. Empty lines are passed over.
type lines struct {
	src *source
	doc scan.Doc
}

func newLines(src *source, at Position) (*lines, error) {
	if at.Offset == 0 {
		src.skipMark()
		head, _ := src.buf.Peek(512)
		if i := scan.Space(head, 0); i < len(head) && head[i] == '[' {
			return nil, fault.New(fault.Invalid, "import.json_array", "the file is one JSON array, not one record a line").
				WithHint("write it one a line, as jq -c '.[]' does")
		}
	}
	return &lines{src: src}, nil
}

func (l *lines) position() Position { return l.src.at }

func (l *lines) next(dst []byte) ([]byte, int64, string, string, error) {
	from := len(dst)
	for {
		line := l.src.at.Line + 1
		out, fits, err := l.line(dst)
		if err != nil {
			return dst, 0, "", "", err
		}
		if !fits {
			return dst, line, "record.too_large", "", nil
		}
		at := scan.Space(out, from)
		if at == len(out) {
			dst = out[:from]
			continue
		}
		reason, path := l.check(out[at:])
		if reason != "" {
			return out[:from], line, reason, path, nil
		}
		return out, line, "", "", nil
	}
}

// line appends the next line with a line end. When it is longer than a record may be, it is read
// to its end and left out.
func (l *lines) line(dst []byte) (out []byte, fits bool, err error) {
	from, fits := len(dst), true
	for {
		b, err := l.src.slice()
		if err == io.EOF && len(dst) > from { //nolint:errorlint // slice returns it bare
			return append(dst, '\n'), fits, nil
		} else if err == io.EOF && !fits { //nolint:errorlint // as above
			return dst[:from], false, nil
		} else if err != nil {
			return dst[:from], false, err
		}
		ends := b[len(b)-1] == '\n'
		if len(dst)-from+len(b) > maxRow+2 { // and a line end
			fits, dst = false, dst[:from]
		}
		if fits {
			dst = append(dst, b...)
		}
		if ends {
			return dst, fits, nil
		}
	}
}

// check says why line can't be sent. A line that begins with a bracket would make the node read
// the whole batch as one array.
func (l *lines) check(line []byte) (reason, path string) {
	line = bytes.TrimRight(line, " \t\r\n")
	if len(line) > maxRow {
		return "record.too_large", ""
	}
	var broken *scan.Error
	switch err := l.doc.ParseAll(line, scan.Limits{}); {
	case errors.As(err, &broken) && broken.Code == scan.BadUTF8:
		return "record.bad_utf8", ""
	case errors.As(err, &broken) && broken.Sound() && line[0] == '{':
		return "", "" // breaks a rule of the node's, which says where
	case err != nil:
		return "record.bad_json", ""
	case l.doc.Nodes[0].Kind != scan.Object:
		return "record.not_object", ""
	}
	id := l.doc.Member(0, "id")
	if id < 0 || l.doc.Nodes[id].Kind != scan.String || len(l.doc.Raw(id)) <= len(`""`) {
		return "record.bad_id", "id"
	}
	return "", ""
}
