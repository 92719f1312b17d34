package bulk

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"bufio"

	"github.com/google/go-cmp/cmp"
)

// row is what a reader made of a row: its fields, or a reason.
type row struct {
	Line   int64
	Fields []string
	Reason string
}

func ours(t testing.TB, text []byte, buffer int) (all []row) {
	t.Helper()
	c := cells{src: &source{buf: bufio.NewReaderSize(bytes.NewReader(text), buffer)}, comma: ','}
	for {
		line, reason, err := c.row()
		if err == io.EOF { //nolint:errorlint // row returns it bare
			if c.src.at.Offset != int64(len(text)) {
				t.Fatalf("ended at byte %d of %d", c.src.at.Offset, len(text))
			}
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		r := row{Line: line, Reason: reason}
		if reason == "" {
			for i := range c.ends {
				r.Fields = append(r.Fields, string(c.field(i)))
			}
		}
		all = append(all, r)
	}
}

func theirs(t testing.TB, text []byte) (all []row) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	for {
		fields, err := r.Read()
		var broken *csv.ParseError
		switch {
		case err == io.EOF: //nolint:errorlint // encoding/csv returns it bare
			return all
		case errors.As(err, &broken):
			reason := badQuote
			if errors.Is(err, csv.ErrQuote) && r.InputOffset() == int64(len(text)) && broken.Line > 0 && open(text) {
				reason = unclosed
			}
			all = append(all, row{int64(broken.StartLine), nil, reason})
		case err != nil:
			t.Fatal(err)
		default:
			line, _ := r.FieldPos(0)
			all = append(all, row{int64(line), fields, ""})
		}
	}
}

// open says whether one more quote would make the last row a whole one.
func open(text []byte) bool {
	r := csv.NewReader(bytes.NewReader(append(bytes.Clone(text), '"')))
	r.FieldsPerRecord = -1
	var last error
	for {
		_, err := r.Read()
		if err == io.EOF { //nolint:errorlint // as above
			return last == nil
		}
		last = err
	}
}

var csvSeeds = []string{
	"a,b\n1,2\n", "a\r\nb\r\n\r\n\r\nc", `a,"b, ""c""",d` + "\n", "a,\"b\r\nc\",d\n\"\"\n", `a"b,c` + "\nd,e\n", `"a"b,c` + "\nd,e\n",
	"\"a\"\rb\nc\n", "\"a\"\r\nb", "\"a\r\nb\r", "a\r", "\r", "\r\r\n", ",\n,,\n", "\n\n\"\n\n\"\n", "a,b,", "\"a\"\r", "é,\xff\n", "\"a\"\"\nb\"\n",
}

func TestCSVIsReadAsEncodingCSVReadsIt(t *testing.T) {
	for _, text := range csvSeeds {
		for _, buffer := range []int{16, bufferBytes} {
			if diff := cmp.Diff(ours(t, []byte(text), buffer), theirs(t, []byte(text))); diff != "" {
				t.Errorf("%q, buffer of %d (-got +want):\n%s", text, buffer, diff)
			}
		}
	}
}

// FuzzCSV: whatever the text, rows, reasons and line numbers are those of encoding/csv.
func FuzzCSV(f *testing.F) {
	for _, s := range csvSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if diff := cmp.Diff(ours(t, text, 16), theirs(t, text)); diff != "" {
			t.Errorf("%q (-got +want):\n%s", text, diff)
		}
	})
}

func TestARowThatIsTooLargeIsReadToItsEnd(t *testing.T) {
	inside := strings.Repeat("x,forged@example.com\n", 100_000) // 2.1 MB in quotes
	text := "a,b\n1,\"" + inside + "\"\n2,ok\n3,\"never closed\n4,lost\n"
	want := []row{{1, []string{"a", "b"}, ""}, {2, nil, tooLarge}, {100_003, []string{"2", "ok"}, ""}, {100_004, nil, unclosed}}
	if diff := cmp.Diff(ours(t, []byte(text), bufferBytes), want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if got := ours(t, []byte("a\n"+strings.Repeat(",", maxFields+1)+"\nb\n"), bufferBytes); len(got) != 3 || got[1].Reason != tooLarge {
		t.Errorf("%d rows, %v", len(got), got[1].Reason)
	}
}
