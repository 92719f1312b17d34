package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"domicile.dev/examples"
	"domicile.dev/internal/app"
	"domicile.dev/internal/programme"
)

// mission judges docs/mission.md: that its rows are those that are wanted, and that what they name exists.
type mission struct {
	root     fs.FS // of the project
	ids      []string
	commands map[string]bool
	page     func(path string) (body string, ok bool) // of a running region

	bodies map[string]string // pages that were read; "" for one that isn't there
}

var (
	rowLine   = regexp.MustCompile(`^\| (S00[0-4][AB]?-\d+) \| (.*) \| (.*) \| (.*) \|$`)
	countLine = regexp.MustCompile(`^\| (?:(S00[0-4][AB]?), .*|all) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$`)
	namesIn   = regexp.MustCompile("`([^`]*)`")
	testName  = regexp.MustCompile(`^([a-z0-9/]+): ((?:Test|Fuzz)\w+)$`)
	document  = regexp.MustCompile(`^(S00[0-4][AB]?)-`)
)

// missionStates are the three words, in the order of the columns of counts.
var missionStates = []string{"yes", "partly", "no"}

// faults are all that is wrong with text.
func (m *mission) faults(text string) (found []string) {
	fault := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	seen, counted, printed := map[string]int{}, map[string][3]int{}, map[string][4]int{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if c := countLine.FindStringSubmatch(line); c != nil {
			printed[c[1]] = [4]int{number(c[2]), number(c[3]), number(c[4]), number(c[5])}
			continue
		}
		row := rowLine.FindStringSubmatch(line)
		if row == nil {
			if strings.HasPrefix(line, "| S") {
				fault("not a row: %s", line)
			}
			continue
		}
		id, what, state, by := row[1], row[2], row[3], row[4]
		seen[id]++
		names := namesIn.FindAllStringSubmatch(by, -1)
		switch {
		case what == "" || by == "":
			fault("%s: says nothing", id)
		case state == "no" && len(names) > 0:
			fault("%s: isn't there, and names what makes it true", id)
		case state != "no" && len(names) == 0:
			fault("%s: %s, and names nothing", id, state)
		case state == "partly" && strings.HasSuffix(by, "`"):
			fault("%s: partly, and doesn't say what is missing", id)
		}
		for _, n := range names {
			if why := m.missing(n[1]); why != "" {
				fault("%s: %s: %s", id, n[1], why)
			}
		}
		at := -1
		for i, s := range missionStates {
			if s == state {
				at = i
			}
		}
		if at < 0 {
			fault("%s: the state %q is none of the three", id, state)
			continue
		}
		for _, of := range []string{document.FindStringSubmatch(id)[1], ""} {
			n := counted[of]
			n[at]++
			counted[of] = n
		}
	}
	for _, id := range m.ids {
		if seen[id] != 1 {
			fault("%s is there %d times", id, seen[id])
		}
		delete(seen, id)
	}
	for id := range seen {
		fault("%s is no row of the inventory", id)
	}
	for of, n := range counted {
		if want := [4]int{n[0] + n[1] + n[2], n[0], n[1], n[2]}; printed[of] != want {
			fault("counts of %q: printed %v, want %v", of, printed[of], want)
		}
	}
	return found
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// missing says why what is named isn't there; "" when it is.
func (m *mission) missing(name string) string {
	if call, ok := strings.CutPrefix(name, "domicile "); ok {
		if !m.commands[call] {
			return "no such command"
		}
		return ""
	}
	if t := testName.FindStringSubmatch(name); t != nil {
		return m.noTest(t[1], t[2])
	}
	file, id, _ := strings.Cut(name, "#")
	if strings.HasPrefix(name, "/") {
		return m.noPage(file, id)
	}
	text, err := fs.ReadFile(m.root, file)
	switch {
	case err != nil:
		return "no such file"
	case id == "":
		return ""
	case path.Ext(file) != ".yaml":
		return "only things of a programme have ids"
	case !regexp.MustCompile(`(?m)^[^#\n]*\bid: ` + regexp.QuoteMeta(id) + `(?:[,}\s]|$)`).Match(text):
		return "the file has no such id"
	}
	return ""
}

func (m *mission) noTest(dir, name string) string {
	files, err := fs.Glob(m.root, dir+"/*_test.go")
	if err != nil || len(files) == 0 {
		return "no tests there"
	}
	for _, f := range files {
		if text, err := fs.ReadFile(m.root, f); err == nil && strings.Contains(string(text), "\nfunc "+name+"(") {
			return ""
		}
	}
	return "no such test"
}

func (m *mission) noPage(path, anchor string) string {
	body, known := m.bodies[path]
	if !known {
		if text, ok := m.page(path); ok {
			body = text
		}
		m.bodies[path] = body
	}
	switch {
	case body == "":
		return "no such page"
	case anchor != "" && !strings.Contains(body, ` id="`+anchor+`"`):
		return "the page has no such place"
	}
	return ""
}

// commandsOf are the commands that can be called, without the program's name.
func commandsOf(t *testing.T) map[string]bool {
	t.Helper()
	k, err := parser(&commands{}, &env{ctx: t.Context(), out: io.Discard, err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]bool{}
	for _, leaf := range k.Model.Leaves(true) {
		var words []string
		for n := leaf; n != nil && n.Type == kong.CommandNode; n = n.Parent {
			words = append([]string{n.Name}, words...)
		}
		calls[strings.Join(words, " ")] = true
	}
	return calls
}

// pagesOf starts the regions that `domicile up` starts, and returns a reader of the first one's pages.
func pagesOf(t *testing.T) func(string) (string, bool) {
	t.Helper()
	p, err := loadProgramme("")
	if err != nil {
		t.Fatal(err)
	}
	old, err := programme.Load(examples.Communications2025())
	if err != nil {
		t.Fatal(err)
	}
	up, err := app.StartUp(t.Context(), app.UpOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0", Programme: p, Notices: []*programme.Programme{old},
		Folder: examples.Communications(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- up.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	client := &http.Client{Timeout: 30 * time.Second}
	return func(path string) (string, bool) {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, up.File.Regions[0].URL+path, nil)
		if err != nil {
			return "", false
		}
		q.Header.Set("Accept", "text/html, */*;q=0.5")
		a, err := client.Do(q)
		if err != nil {
			return "", false
		}
		defer func() { _ = a.Body.Close() }()
		body, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != http.StatusOK {
			return "", false
		}
		return string(body), true
	}
}

// TestMission holds docs/mission.md to the rows of the inventory and to what the project has.
func TestMission(t *testing.T) {
	root := os.DirFS("../..")
	ids, err := os.ReadFile("testdata/mission-rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(root, "docs/mission.md")
	if err != nil {
		t.Fatal(err)
	}
	m := &mission{root: root, ids: strings.Fields(string(ids)), commands: commandsOf(t), page: pagesOf(t), bodies: map[string]string{}}
	if len(m.ids) != 506 {
		t.Errorf("%d rows are wanted, and the inventory has 506", len(m.ids))
	}
	for _, f := range m.faults(string(text)) {
		t.Error(f)
	}
}

// Each thing that can be wrong is found, and nothing else.
func TestAFaultyMissionIsFound(t *testing.T) {
	const counts = "| S000, a page | 1 | %s |\n| all | 1 | %[1]s |\n"
	tests := map[string]struct{ text, want string }{
		"right, a command": {fmt.Sprintf(counts, "1 | 0 | 0") + "| S000-01 | x | yes | `domicile drift` |\n", ""},
		"right, a test": {fmt.Sprintf(counts, "0 | 1 | 0") +
			"| S000-01 | x | partly | `cmd/domicile: TestMission`, `/there#a`. The rest is missing |\n", ""},
		"right, a thing":    {fmt.Sprintf(counts, "1 | 0 | 0") + "| S000-01 | x | yes | `examples/communications/flows.yaml#call_counts` |\n", ""},
		"right, no":         {fmt.Sprintf(counts, "0 | 0 | 1") + "| S000-01 | x | no | No cases |\n", ""},
		"counts":            {fmt.Sprintf(counts, "0 | 1 | 0") + "| S000-01 | x | yes | `domicile drift` |\n", "printed"},
		"no counts":         {"| S000-01 | x | yes | `domicile drift` |\n", "printed"},
		"none":              {"", "there 0 times"},
		"twice":             {strings.Repeat("| S000-01 | x | no | y |\n", 2), "there 2 times"},
		"another":           {"| S000-02 | x | no | y |\n", "no row of the inventory"},
		"not a row":         {"| S000-01 | x | no |\n", "not a row"},
		"a fourth state":    {"| S000-01 | x | nearly | `domicile drift` |\n", "none of the three"},
		"yes by nothing":    {"| S000-01 | x | yes | words |\n", "names nothing"},
		"partly, the rest?": {"| S000-01 | x | partly | `domicile drift` |\n", "what is missing"},
		"no by something":   {"| S000-01 | x | no | `domicile drift` |\n", "isn't there, and names"},
		"no command":        {"| S000-01 | x | yes | `domicile subject forget` |\n", "no such command"},
		"half a command":    {"| S000-01 | x | yes | `domicile subject` |\n", "no such command"},
		"no test":           {"| S000-01 | x | yes | `cmd/domicile: TestNothing` |\n", "no such test"},
		"no package":        {"| S000-01 | x | yes | `internal/nothing: TestMission` |\n", "no tests there"},
		"no file":           {"| S000-01 | x | yes | `docs/nothing.md` |\n", "no such file"},
		"no thing":          {"| S000-01 | x | yes | `examples/communications/flows.yaml#call` |\n", "no such id"},
		"no page":           {"| S000-01 | x | yes | `/nowhere` |\n", "no such page"},
		"no place":          {"| S000-01 | x | yes | `/there#b` |\n", "no such place"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &mission{root: os.DirFS("../.."), ids: []string{"S000-01"}, commands: commandsOf(t), bodies: map[string]string{},
				page: func(path string) (string, bool) { return `<p id="a">`, path == "/there" }}
			found := strings.Join(m.faults(tt.text), "\n")
			if tt.want == "" && found != "" || !strings.Contains(found, tt.want) {
				t.Errorf("found %q, want %q", found, tt.want)
			}
		})
	}
}
