package bulk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/bulk"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/programme"
)

const plainMapping = `
service: messaging
kind: message
id: id
occurred_at: at
subjects:
  - {type: email, column: mail}
data: {body: text}
`

const fullMapping = `
service: messaging
kind: message
delimiter: semicolon
id: "{account}/{number}"
occurred_at: {column: sent, layout: "02/01/2006 15:04:05", zone: Europe/Dublin}
subjects:
  - {type: phone, column: from, role: sender}
  - {type: phone, column: to, role: recipient}
data:
  from: from
  to: to
  price.amount: amount
  price.unit: unit
rest: true
`

const fullHeader = "account;number;sent;from;to;amount;unit;body;media\n"

func TestRowsBecomeRecords(t *testing.T) {
	m := mapping(t, fullMapping)
	text := "\xef\xbb\xbf" + fullHeader +
		"ac;1;01/07/2026 12:30:00;+353851234567;+353861234567;0.05;EUR;\"says \"\"hi\"\";\r\nback\\slash\ttab\";x\r\n" +
		"ac;2;01/01/2026 12:30:00;+353851234567;;;;;\n"
	records, at, bad := flat(read(t, text, m, bulk.Position{}))
	if len(bad) > 0 || !cmp.Equal(at, []int64{2, 4}) {
		t.Fatalf("at %v, bad %v", at, bad)
	}
	for i, want := range []string{
		`{"id":"ac/1","kind":"message","service":"messaging","occurred_at":"2026-07-01T11:30:00Z",
		  "subjects":[{"type":"phone","value":"+353851234567","role":"sender"},{"type":"phone","value":"+353861234567","role":"recipient"}],
		  "data":{"from":"+353851234567","to":"+353861234567","price":{"amount":"0.05","unit":"EUR"},"body":"says \"hi\";\nback\\slash\ttab","media":"x"}}`,
		`{"id":"ac/2","kind":"message","service":"messaging","occurred_at":"2026-01-01T12:30:00Z",
		  "subjects":[{"type":"phone","value":"+353851234567","role":"sender"}],"data":{"from":"+353851234567"}}`,
	} {
		if diff := cmp.Diff(unmarshal(t, records[i]), unmarshal(t, want)); diff != "" {
			t.Errorf("record %d (-got +want):\n%s", i, diff)
		}
	}
}

func TestBadRowsAreListed(t *testing.T) {
	const ok = "1,2026-01-01T00:00:00Z,a@example.com,text"
	for row, want := range map[string]string{
		ok:                            "",
		ok + ",more":                  "csv.wrong_field_count",
		"1,2026-01-01T00:00:00Z":      "csv.wrong_field_count",
		`1,2026-01-01T00:00:00Z,a"b,`: "csv.bad_quote",
		",2026-01-01T00:00:00Z,a,":    "record.bad_id",
		strings.Repeat("é", 257) + ",2026-01-01T00:00:00Z,a,": "record.bad_id",
		"1,,a,":                             "record.bad_time",
		"1,yesterday,a,":                    "record.bad_time",
		"1,1970-01-01T00:00:00Z,a,":         "record.bad_time",
		"1,2026-01-01T00:00:00Z,\xff,":      "record.bad_utf8",
		"1,2026-01-01T00:00:00Z,a,\"open\n": "csv.unclosed_quote",
		"1,2026-01-01T00:00:00Z,a," + strings.Repeat("x", native.MaxRecordBytes):      "record.too_large",
		"1,2026-01-01T00:00:00Z,a," + strings.Repeat("\x01", native.MaxRecordBytes/3): "record.too_large",
	} {
		records, _, bad := flat(read(t, "id,at,mail,text\n"+row+"\n", mapping(t, plainMapping), bulk.Position{}))
		got := ""
		if len(bad) == 1 {
			got = bad[0].Reason
		}
		if got != want || len(records)+len(bad) != 1 || len(bad) == 1 && bad[0].Line != 2 {
			t.Errorf("%.60q: %d records, bad %v, want %q", row, len(records), bad, want)
		}
	}
}

func TestTimesAreReadAsTheMappingSays(t *testing.T) {
	for _, tt := range []struct{ moment, field, want string }{
		{"at", "2026-01-01T01:00:00.25+01:00", "2026-01-01T00:00:00.25Z"},
		{"{column: at, layout: unix}", " 1767225600 ", "2026-01-01T00:00:00Z"},
		{"{column: at, layout: unix_ms}", "1767225600250", "2026-01-01T00:00:00.25Z"},
		{"{column: at, layout: 2006-01-02}", "2026-01-01", "2026-01-01T00:00:00Z"},
		{"{column: at, layout: \"2006-01-02 15:04\", zone: Australia/Sydney}", "2026-01-01 11:00", "2026-01-01T00:00:00Z"},
		{"{column: at, layout: unix}", "99999999999999", ""},
	} {
		m := mapping(t, strings.Replace(plainMapping, "occurred_at: at", "occurred_at: "+tt.moment, 1))
		records, _, bad := flat(read(t, "id,at,mail,text\n1,"+tt.field+",a,b\n", m, bulk.Position{}))
		if tt.want == "" {
			if len(bad) != 1 {
				t.Errorf("%s of %s: %v", tt.moment, tt.field, records)
			}
			continue
		}
		if len(records) != 1 || !strings.Contains(records[0], `"occurred_at":"`+tt.want+`"`) {
			t.Errorf("%s of %s: %v %v, want %s", tt.moment, tt.field, records, bad, tt.want)
		}
	}
}

func TestFaultsOfAMappingSayWhere(t *testing.T) {
	for _, tt := range []struct{ old, with, want string }{
		{"kind: message", "knid: message", `map.yaml:3:1: "knid" is not a key of mapping` + "\n  hint: did you mean \"kind\"?"},
		{"id: id", "id: [id]", "map.yaml:4:5: id wants text, not a list"},
		{"id: id\n", "", "map.yaml:2:1: id is missing in mapping"},
		{"id: id", `id: "{a}{b"`, "map.yaml:4:5: a brace of the id is not closed"},
		{"id: id", `id: "{a}{b}"`, "map.yaml:4:5: nothing stands between two columns of the id"},
		{"id: id", `id: "{}"`, "map.yaml:4:5: a brace of the id is not closed"},
		{"id: id", `id: "a}"`, "map.yaml:4:5: the id names no column"},
		{"occurred_at: at", "occurred_at: {column: at, layout: 15:04}", "map.yaml:5:35: the layout does not say which day"},
		{"occurred_at: at", "occurred_at: {column: at, layout: 2006-01-02, zone: Dublin}", `map.yaml:5:53: "Dublin" is not a time zone`},
		{"occurred_at: at", "occurred_at: {column: at, zone: Europe/Dublin}", "map.yaml:5:33: the zone goes with a layout"},
		{"type: email", "type: E-mail", `map.yaml:7:12: "E-mail" is not a type of identifier`},
		{"column: mail", "column: mail, role: boss", `map.yaml:7:39: "boss" is not a value of role`},
		{"data: {body: text}", "data: {a.*: text}", `map.yaml:8:7: "a.*" stands for several paths`},
		{"data: {body: text}", "data: {a: text, a.b: mail}", `map.yaml:8:7: "a" is a value, and "a.b" lies in it`},
		{"data: {body: text}", "rest: false", "no column becomes data"},
		{"kind: message", "kind: message\ndelimiter: x", `map.yaml:4:12: "x" is not a value of delimiter`},
	} {
		_, err := bulk.ReadMapping("map.yaml", []byte(strings.Replace(plainMapping, tt.old, tt.with, 1)))
		var faults programme.Faults
		if !errors.As(err, &faults) || !strings.Contains(faults.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.with, err, tt.want)
		}
	}
}

func TestAFileThatDoesNotFitItsMappingIsRefusedWhole(t *testing.T) {
	for text, want := range map[string]string{"": "import.no_header", "id,at,mail\n": "import.no_column", "id,at,mail,text,text\n": "import.column_twice",
		"id,at,mail,\"text": "import.bad_header", "id,at,mail,te\xffxt\n": "import.bad_header"} {
		if _, err := bulk.Open(strings.NewReader(text), mapping(t, plainMapping), bulk.Position{}); fault.ReasonOf(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	rest := mapping(t, plainMapping+"rest: true\n")
	for _, header := range []string{"id,at,mail,text,\n", "id,at,mail,text,x,x\n", "id,at,mail,text,body\n"} {
		if _, err := bulk.Open(strings.NewReader(header), rest, bulk.Position{}); fault.ReasonOf(err) != "import.no_name" {
			t.Errorf("%q: %v", header, err)
		}
	}
}

// FuzzTable: whatever the mapping and the file, what is sent is JSON records with an id, and
// everything else is listed.
func FuzzTable(f *testing.F) {
	f.Add([]byte(plainMapping), []byte("id,at,mail,text\n1,2026-01-01T00:00:00Z,a@example.com,\"x\ny\"\n"))
	f.Add([]byte(fullMapping), []byte(fullHeader+"ac;1;01/07/2026 12:30:00;+1;+2;;;\xff;\n;;;;;;;;\n\""))
	f.Fuzz(func(t *testing.T, yaml, text []byte) {
		m, err := bulk.ReadMapping("m", yaml)
		if err != nil {
			if m != nil {
				t.Fatal("a fault and a mapping")
			}
			return
		}
		r, err := bulk.Open(bytes.NewReader(text), m, bulk.Position{})
		if err != nil {
			return
		}
		for {
			var b bulk.Batch
			if err := r.Next(&b); err == io.EOF { //nolint:errorlint // Next returns it bare
				return
			} else if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(b.Body) {
				var v struct{ ID string }
				if err := json.Unmarshal(line, &v); err != nil || v.ID == "" {
					t.Fatalf("%q: %v", line, err)
				}
			}
			decoded(t, &b)
		}
	})
}
