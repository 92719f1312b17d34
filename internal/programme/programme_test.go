package programme_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"domicile.dev/internal/programme"
	"github.com/google/go-cmp/cmp"
)

// minimal is the text of testkit/programme/valid/minimal.
func minimal(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(kit + "/valid/minimal/programme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func loadText(text string) (*programme.Programme, error) {
	return programme.Load(fstest.MapFS{"programme.yaml": {Data: []byte(text)}})
}

// edited is the minimal programme with from exchanged for to, which must be in it.
func edited(t *testing.T, from, to string) *programme.Programme {
	t.Helper()
	text := minimal(t)
	if !strings.Contains(text, from) {
		t.Fatalf("the minimal programme has no %q", from)
	}
	p, err := loadText(strings.Replace(text, from, to, 1))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	text := strings.NewReplacer("country: SG", "country: Singapore", "kind: scc,", "kind: sccs,", "to: helpdesk", "to: help_desk",
		"2026-04-09", "9 April 2026", "title: Privacy Notice", "titel: Privacy Notice").Replace(minimal(t))
	p, err := loadText(text)
	var faults programme.Faults
	if !errors.As(err, &faults) || p != nil {
		t.Fatalf("Load = %v, %v, want Faults and no programme", p, err)
	}
	want := []string{
		`programme.yaml:11:41: "Singapore" is not an ISO 3166-1 alpha-2 country code` + "\n  hint: write SG",
		`programme.yaml:36:103: "help_desk" is not declared in recipients` + "\n  hint: did you mean \"helpdesk\"?",
		`programme.yaml:38:57: "sccs" is not a value of kind` + "\n  hint: did you mean \"scc\"?",
		`programme.yaml:43:3: title is missing in notice` + "\n  hint: add title: the title",
		`programme.yaml:44:3: "titel" is not a key of notice` + "\n  hint: did you mean \"title\"?",
		`programme.yaml:46:17: "9 April 2026" is not a date` + "\n  hint: write YYYY-MM-DD",
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.String())
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("-got +want\n%s", diff)
	}
	if msg := err.Error(); !strings.HasPrefix(msg, "programme: 6 faults\n") || !strings.Contains(msg, want[5]) {
		t.Errorf("Error() = %q", msg)
	}
}

func TestTheHashIsOfTheContent(t *testing.T) {
	base := edited(t, "Example Limited", "Example Limited").Hash
	for _, tt := range []struct {
		name, from, to string
		same           bool
	}{
		{"a comment", "format:", "# note\nformat:", true},
		{"quotes", "name: Example\n", "name: \"Example\"\n", true},
		{"an empty list, which says nothing", "kinds: [message]}", "kinds: [message], availability: []}", true},
		{"a name", "Example Limited", "Example Ltd", false},
		{"a bool", "running: false", "running: true", false},
		{"an order", "[device_data, metadata]", "[metadata, device_data]", false},
		{"a period written another way", "keep: 30 days", "keep: 30 day", true},
		{"another period of the same length", "keep: 30 days", "keep: 1 month", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := edited(t, tt.from, tt.to).Hash; (got == base) != tt.same {
				t.Errorf("hash is the same: %v, want %v", got == base, tt.same)
			}
		})
	}
}

func TestTheCanonicalFormLoadsAsTheSameProgramme(t *testing.T) {
	p := example(t)
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadText(string(b))
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash != p.Hash {
		t.Errorf("hash %s, want %s", again.Hash, p.Hash)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil || !bytes.Equal(compact.Bytes(), b) {
		t.Errorf("not compact: %v", err)
	}
}

func TestPeriods(t *testing.T) {
	for _, tt := range []struct {
		in   string
		days uint16
		ok   bool // is a period
		kept bool // may be a retention
	}{
		{"1 day", 1, true, true}, {"30 days", 30, true, true}, {"2 weeks", 14, true, true}, {"1 month", 30, true, true},
		{"7 years", 2555, true, true}, {"unlimited", 0, true, true}, {"65535 days", 65535, true, true}, {"65536 days", 0, true, false},
		{"180 years", 0, true, false}, {"12 hours", 0, true, false}, {"10 business days", 0, true, false},
		{"0 days", 0, false, false}, {"-1 days", 0, false, false}, {"30d", 0, false, false}, {"30", 0, false, false},
		{"", 0, false, false}, {"30 days ", 0, false, false}, {"999999 days", 0, false, false}, {"for ever", 0, false, false},
	} {
		p, err := programme.ParsePeriod(tt.in)
		if (err == nil) != tt.ok {
			t.Errorf("ParsePeriod(%q): %v, want ok %v", tt.in, err, tt.ok)
			continue
		}
		if days, kept := p.RetentionDays(); days != tt.days || kept != tt.kept {
			t.Errorf("%q is %d days, %v; want %d, %v", tt.in, days, kept, tt.days, tt.kept)
		}
		if again, err := programme.ParsePeriod(p.String()); tt.ok && (err != nil || again != p) {
			t.Errorf("%q prints as %q, which is %v, %v", tt.in, p, again, err)
		}
	}
}

func TestWhenStarts(t *testing.T) {
	for in, want := range map[programme.When]string{"2021": "2021-01-01", "2021-11": "2021-11-01", "2021-11-30": "2021-11-30",
		"2021-Q4": "2021-10-01", "2021-Q1": "2021-01-01", "2022-H1": "2022-01-01", "2022-H2": "2022-07-01", "": "0001-01-01", "2021-13": "0001-01-01"} {
		if got := in.Start().Format(time.DateOnly); got != want {
			t.Errorf("%q starts %s, want %s", in, got, want)
		}
	}
}

func TestTheMostSpecificRetentionWins(t *testing.T) {
	p := edited(t, "    - {service: messaging, keep: 30 days}\n", `    - {keep: 7 years}
    - {category: usage_data, keep: 6 days}
    - {category: metadata, keep: 5 days}
    - {service: messaging, keep: 4 days}
    - {service: messaging, category: usage_data, keep: 3 days}
    - {service: messaging, category: device_data, keep: 2 days}
    - {service: messaging, kind: message, keep: 1 day}
    - {service: messaging, kind: message, category: unclassified, keep: unlimited}
`)
	for _, tt := range []struct {
		service, kind, category string
		want                    uint16
	}{
		{"voice", "call", "contact_data", 2555},
		{"voice", "call", "device_data", 6},
		{"voice", "call", "metadata", 5},
		{"messaging", "other", "contact_data", 4},
		{"messaging", "other", "metadata", 3},
		{"messaging", "other", "device_data", 2},
		{"messaging", "message", "device_data", 1},
		{"messaging", "message", "unclassified", 0},
	} {
		if got := p.RetentionDays(tt.service, tt.kind, tt.category); got != tt.want {
			t.Errorf("%s/%s/%s is kept %d days, want %d", tt.service, tt.kind, tt.category, got, tt.want)
		}
	}
	if got := edited(t, "{service: messaging, keep: 30 days}", "{service: messaging, kind: message, keep: 1 day}").RetentionDays("messaging", "other", "metadata"); got != 0 {
		t.Errorf("what no class names is kept %d days, want 0 (until it is erased)", got)
	}
}

func TestLookups(t *testing.T) {
	p := edited(t, "Example Limited", "Example Limited")
	if p.Category("metadata") == nil || p.Region("sg1") == nil || p.Service("messaging") == nil || p.Purpose("support") == nil ||
		p.Recipient("helpdesk") == nil || p.Mechanism("scc") == nil || p.Entity("ex_ie") == nil || p.Kind("messaging", "message") == nil {
		t.Error("something declared isn't found")
	}
	if p.Category("") != nil || p.Region("ie2") != nil || p.Kind("messaging", "call") != nil || p.Rules("messaging", "call") != nil {
		t.Error("something undeclared is found")
	}
	if got, want := p.Leaves("usage_data"), []string{"device_data", "metadata"}; !slices.Equal(got, want) {
		t.Errorf("Leaves of a heading = %v, want %v", got, want)
	}
	if got, want := p.Leaves("contact_data"), []string{"contact_data"}; !slices.Equal(got, want) {
		t.Errorf("Leaves of a leaf = %v, want %v", got, want)
	}
	if got, want := p.CategoriesOf("support"), []string{"contact_data", "device_data"}; !slices.Equal(got, want) {
		t.Errorf("CategoriesOf = %v, want %v", got, want)
	}
	var running []string
	for r := range p.RunningRegions() {
		running = append(running, r.ID)
	}
	if !slices.Equal(running, []string{"ie1"}) {
		t.Errorf("running: %v", running)
	}
}

func TestOwnFieldsOverrideSharedOnes(t *testing.T) {
	p := edited(t, "kinds:\n  - service: messaging\n    kind: message\n    client_id: message_id\n", `field_sets:
  - id: one
    fields: [{path: from, category: metadata}, {path: body, category: metadata}]
  - id: two
    fields: [{path: body, category: contact_data, owner: writer}]
kinds:
  - service: messaging
    kind: message
    client_id: message_id
    field_sets: [one, two]
`)
	got := p.Rules("messaging", "message")
	want := []programme.Field{{Path: "from", Category: "contact_data", Owner: "sender"}, {Path: "body", Category: "contact_data", Owner: "writer"}, {Path: "ip", Category: "device_data"}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("-got +want\n%s", diff)
	}
	if got[2].OwnerOrDefault() != "subject" || got[1].OwnerOrDefault() != "writer" {
		t.Error("the default owner is the subject")
	}
	n := 0
	for k, rules := range p.KindRules() {
		n++
		if k.ClientID != "message_id" || len(rules) != 3 {
			t.Errorf("KindRules: %+v with %d rules", k, len(rules))
		}
	}
	if n != 1 {
		t.Errorf("KindRules yields %d kinds", n)
	}
}

func TestLoadIsBounded(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"a large file":  {"a.yaml": {Data: bytes.Repeat([]byte("# "), 300<<10)}},
		"many files":    manyFiles(1100, "flows: []\n"),
		"much in all":   manyFiles(20, "# "+strings.Repeat("x", 500<<10)+"\nflows: []\n"),
		"open brackets": {"a.yaml": {Data: []byte("a: " + strings.Repeat("[", 100_000))}},
		"nested dashes": {"a.yaml": {Data: []byte(strings.Repeat("- ", 100_000))}},
		"nested keys":   {"a.yaml": {Data: []byte(strings.Repeat("? ", 100_000))}},
		"nested braces": {"a.yaml": {Data: []byte(strings.Repeat("{a: ", 100_000))}},
		"many tags":     {"a.yaml": {Data: []byte("a: " + strings.Repeat("!t ", 100_000))}},
		"deep blocks":   {"a.yaml": {Data: deepBlocks(400)}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := programme.Load(files)
			var faults programme.Faults
			if !errors.As(err, &faults) || p != nil {
				t.Fatalf("Load = %v, %v", p, err)
			}
			if !slices.ContainsFunc(faults, func(f programme.Fault) bool { return f.Code == programme.CodeTooLarge }) {
				t.Errorf("no fault says too_large: %v", faults[0])
			}
			if len(faults) > 500 {
				t.Errorf("%d faults", len(faults))
			}
		})
	}
	many := strings.Repeat("- {nonsense: 1}\n", 2000)
	_, err := loadText("flows:\n" + many)
	var faults programme.Faults
	if !errors.As(err, &faults) || len(faults) > 500 {
		t.Errorf("%d faults, want at most 500", len(faults))
	}
}

func manyFiles(n int, text string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := range n {
		m[fmt.Sprintf("%04d.yaml", i)] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func deepBlocks(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "%*sa:\n", i, "")
	}
	return b.Bytes()
}

// broken is a file system that can't be read.
type broken struct{ fstest.MapFS }

func (broken) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

func TestAFileThatCannotBeReadIsNoFault(t *testing.T) {
	_, err := programme.Load(broken{fstest.MapFS{"a.yaml": {Data: []byte("flows: []")}}})
	var faults programme.Faults
	if !errors.Is(err, fs.ErrPermission) || errors.As(err, &faults) {
		t.Errorf("Load = %v, want the error of the file system", err)
	}
}

// Run it with -fuzzminimizetime 5x: the seeds are long, and minimising them takes all the time.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(minimal(f)))
	for _, s := range []string{"", "---\n", "a: [", "a: &x 1\nb: *x", "? a\n: b", "<<: {a: 1}", "!!t a", "regions: [{id: ie1}]", "notice: {id: 1}\nnotice: 2",
		"retention: {classes: [{keep: unlimited}]}", "a: |\n  b\n", "\"\\ud800\": 1", "a: 0x1F\nb: .inf\nc: ~", "%YAML 1.2\n---\na: b", "a: b\n\tc: d"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: b}})
		if (p == nil) != (err != nil) {
			t.Fatalf("Load = %v, %v: a programme or an error, not both", p, err)
		}
		if p != nil {
			j, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			again, err := programme.Load(fstest.MapFS{"p.yaml": {Data: j}})
			if err != nil {
				t.Fatalf("the canonical form doesn't load: %v\n%s", err, j)
			}
			if again.Hash != p.Hash {
				t.Fatalf("the canonical form has another hash\n%s", j)
			}
			return
		}
		var faults programme.Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("error %v without faults", err)
		}
		for _, x := range faults {
			if x.File != "p.yaml" || x.Line < 1 || x.Column < 1 || x.Code == "" || x.Message == "" {
				t.Fatalf("fault %+v", x)
			}
		}
	})
}
