package bulk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/bulk"
	"domicile.dev/internal/ingest/native"
)

// read reads all of text from at on, batch by batch.
func read(t testing.TB, text string, m *bulk.Mapping, at bulk.Position) (all []bulk.Batch) {
	t.Helper()
	r, err := bulk.Open(strings.NewReader(text), m, at)
	if err != nil {
		t.Fatal(err)
	}
	for {
		var b bulk.Batch
		if err := r.Next(&b); err == io.EOF { //nolint:errorlint // Next returns it bare
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b.Body, []byte("\n")); n != len(b.Lines) || len(b.Lines) > bulk.MaxBatchRecords ||
			len(b.Lines) > 1 && len(b.Body) > bulk.MaxBatchBytes {
			t.Fatalf("a batch of %d lines, %d records, %d bytes", n, len(b.Lines), len(b.Body))
		}
		all = append(all, b)
	}
}

// flat is what batches hold, whatever their borders.
func flat(all []bulk.Batch) (records []string, at []int64, bad []bulk.Bad) {
	for _, b := range all {
		for line := range bytes.Lines(b.Body) {
			records = append(records, strings.TrimSpace(string(line)))
		}
		at, bad = append(at, b.Lines...), append(bad, b.Bad...)
	}
	return records, at, bad
}

func good(id string) string {
	return `{"id":"` + id + `","kind":"message","service":"messaging","subjects":[{"type":"email","value":"a@example.com"}],"data":{}}`
}

func TestNDJSONListsBadLinesByThemselves(t *testing.T) {
	long := `{"id":"l","data":{"x":"` + strings.Repeat("y", native.MaxRecordBytes) + `"}}`
	text := "\xef\xbb\xbf" + good("1") + "\r\n\n   \n{\n" + `[{"id":"2"}]` + "\n" + good("3") + " x\n7\n" + `{"kind":"message"}` + "\n" + `{"id":""}` + "\n" +
		`{"id":7}` + "\n" + long + "\n" + "{\"id\":\"\xff\"}\n" + `{"id":"4","id":"5"}` + "\n" + strings.Repeat(" ", native.MaxRecordBytes) + "      \n" + good("6")
	records, at, bad := flat(read(t, text, nil, bulk.Position{}))
	// A member given twice is the node's to refuse: it says where.
	if diff := cmp.Diff(records, []string{good("1"), `{"id":"4","id":"5"}`, good("6")}); diff != "" {
		t.Errorf("records (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(at, []int64{1, 13, 15}); diff != "" {
		t.Errorf("lines (-got +want):\n%s", diff)
	}
	want := []bulk.Bad{{4, "record.bad_json", "", ""}, {5, "record.not_object", "", ""}, {6, "record.bad_json", "", ""}, {7, "record.not_object", "", ""},
		{8, "record.bad_id", "id", ""}, {9, "record.bad_id", "id", ""}, {10, "record.bad_id", "id", ""}, {11, "record.too_large", "", ""}, {12, "record.bad_utf8", "", ""},
		{14, "record.too_large", "", ""}}
	if diff := cmp.Diff(bad, want); diff != "" {
		t.Errorf("bad (-got +want):\n%s", diff)
	}
	if _, err := bulk.Open(strings.NewReader("\n ["+good("1")+"]"), nil, bulk.Position{}); fault.ReasonOf(err) != "import.json_array" {
		t.Errorf("an array: %v", err)
	}
}

func TestReadingGoesOnFromTheEndOfAnyBatch(t *testing.T) {
	var ndjson, table strings.Builder
	table.WriteString("id,at,mail,text\n")
	for i := range 5000 {
		if i%700 == 0 {
			ndjson.WriteString("bad\n\n")
			table.WriteString("bad\n\n")
		}
		pad := strings.Repeat("z", i*i%3000)
		fmt.Fprintf(&ndjson, `{"id":"r-%d","data":{"x":"%s"}}`+"\n", i, pad)
		fmt.Fprintf(&table, "r-%d,2026-01-01T00:00:00Z,a@example.com,\"two\nlines %s\"\n", i, pad)
	}
	for name, tt := range map[string]struct {
		text string
		m    *bulk.Mapping
	}{"ndjson": {ndjson.String(), nil}, "csv": {table.String(), mapping(t, plainMapping)}} {
		whole := read(t, tt.text, tt.m, bulk.Position{})
		records, at, bad := flat(whole)
		if len(records) != 5000 || len(bad) != 8 || len(whole) < 5 {
			t.Fatalf("%s: %d records, %d bad lines in %d batches", name, len(records), len(bad), len(whole))
		}
		for i, b := range whole {
			restR, restAt, restBad := flat(read(t, tt.text, tt.m, b.Next))
			doneR, doneAt, doneBad := flat(whole[:i+1])
			if !cmp.Equal(append(doneR, restR...), records) || !cmp.Equal(append(doneAt, restAt...), at) || !cmp.Equal(append(doneBad, restBad...), bad) {
				t.Fatalf("%s: from %+v on it is not the rest", name, b.Next)
			}
		}
		if end := whole[len(whole)-1].Next.Offset; end != int64(len(tt.text)) {
			t.Errorf("%s: ends at byte %d of %d", name, end, len(tt.text))
		}
	}
}

// FuzzNDJSON: every line is one record or one bad line, in order, and what is sent is decoded by the
// node record for record.
func FuzzNDJSON(f *testing.F) {
	f.Add([]byte(good("1") + "\n{\n" + good("2")))
	f.Add([]byte("\xef\xbb\xbf\n[1]\n{\"id\":\"a\"}\r\n\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := bulk.Open(bytes.NewReader(text), nil, bulk.Position{})
		if err != nil {
			if r != nil {
				t.Fatal("a fault and a reader")
			}
			return
		}
		lines := bytes.Split(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), []byte("\n"))
		for {
			var b bulk.Batch
			if err := r.Next(&b); err == io.EOF { //nolint:errorlint // Next returns it bare
				return
			} else if err != nil {
				t.Fatal(err)
			}
			sent := bytes.Split(bytes.TrimSuffix(b.Body, []byte("\n")), []byte("\n"))
			for i, line := range b.Lines {
				if !bytes.Equal(sent[i], lines[line-1]) {
					t.Fatalf("record %d is not line %d", i, line)
				}
			}
			for _, bad := range b.Bad {
				if bad.Reason == "" || bad.Line < 1 || bad.Line > int64(len(lines)) {
					t.Fatalf("%+v", bad)
				}
			}
			decoded(t, &b)
		}
	})
}

// decoded wants the node to see as many records as were sent.
func decoded(t *testing.T, b *bulk.Batch) {
	t.Helper()
	if len(b.Lines) == 0 {
		return
	}
	at, err := native.Decode("", b.Body, ingest.Env{ReceivedAt: time.Now(), Kinds: none{}})
	if err != nil {
		t.Fatal(err)
	}
	defer at.Release()
	if len(at.Events) != len(b.Lines) {
		t.Fatalf("%d records of %d", len(at.Events), len(b.Lines))
	}
	for i := range at.Events {
		if reason := at.Events[i].Refused.Reason; reason == "record.bad_json" || reason == "record.bad_utf8" || reason == "record.not_object" {
			t.Fatalf("%s was sent", reason)
		}
	}
}

type none struct{}

func (none) Kind(string, string) *ingest.Kind { return nil }

func mapping(t testing.TB, text string) *bulk.Mapping {
	t.Helper()
	m, err := bulk.ReadMapping("map.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func unmarshal(t testing.TB, s string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}
