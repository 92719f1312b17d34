package programme_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"domicile.dev/internal/programme"
)

// exampleWith is the example with a file changed.
func exampleWith(t *testing.T, file, old, now string) *programme.Programme {
	t.Helper()
	const dir = "../../examples/communications"
	fsys := fstest.MapFS{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.IsDir() { // translations
			continue
		}
		src, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() == file {
			if !bytes.Contains(src, []byte(old)) {
				t.Fatalf("%s has no %q", file, old)
			}
			src = bytes.Replace(src, []byte(old), []byte(now), 1)
		}
		fsys[e.Name()] = &fstest.MapFile{Data: src}
	}
	p, err := programme.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDiff(t *testing.T) {
	for _, tt := range []struct{ name, file, old, now, want string }{
		{"nothing", "flows.yaml", "", "", ""},
		{"a comment", "flows.yaml", "flows:\n", "# none\nflows:\n", ""},
		{"a word", "flows.yaml", "times: hour", "times: day", "changes flows/event_analytics/times hour day"},
		{"a list of words", "flows.yaml", "kinds: [track, page, screen]", "kinds: [page, track, identify]", "changes flows/event_analytics/kinds -[screen] +[identify]"},
		{"something new", "flows.yaml", "    min_group: 20\n", "    min_group: 20\n    times: day\n", "adds flows/call_counts/times"},
		{"something gone", "flows.yaml", "    minimum_tls: '1.3'\n", "", "removes flows/message_screening/minimum_tls"},
		{"a field of a kind", "kinds-communications.yaml", "{path: body, category: customer_content, owner: writer}", "{path: body, category: contact_data, owner: writer}",
			"changes kinds/messaging/message/fields/body/category customer_content contact_data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, err := programme.Diff(exampleWith(t, "", "", ""), exampleWith(t, tt.file, tt.old, tt.now))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range all {
				line := d.What + " " + strings.Join(d.Where, "/")
				if d.What == programme.Changed && d.With == nil && d.Without == nil {
					line += fmt.Sprintf(" %v %v", d.Was, d.Is)
				} else if d.What == programme.Changed {
					line += fmt.Sprintf(" -%v +%v", d.Without, d.With)
				}
				got = append(got, line)
			}
			if s := strings.Join(got, "\n"); s != tt.want {
				t.Errorf("got %s\nwant %s", s, tt.want)
			}
		})
	}
}
