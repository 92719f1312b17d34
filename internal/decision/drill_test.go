package decision_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"domicile.dev/examples"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

var (
	mechanismLists = regexp.MustCompile(`(mechanisms|for): \[[a-z_, ]*\]`)
	// emptied are lists of what the pages say of mechanisms, which may go.
	emptied = regexp.MustCompile(`, (mechanisms|for): \[\]|(?m)^    (mechanisms|for): \[\]\n`)
)

// cut takes the entry with that id out of a list of a YAML text.
func cut(t *testing.T, src, id string) string {
	t.Helper()
	start := regexp.MustCompile(`(?m)^  - \{?id: ` + id + `\b.*$`).FindStringIndex(src)
	if start == nil {
		return src
	}
	rest := src[start[1]:]
	end := regexp.MustCompile(`(?m)^(  - |  #|[a-z]|$)`).FindStringIndex(rest[1:])
	if end == nil {
		return src[:start[0]]
	}
	return src[:start[0]] + rest[1+end[0]:]
}

// removed is the example as it reads when somebody took mechanisms and rules out of its files and the laws';
// false when a list of mechanisms would be left empty, which asks for all of them and is another programme.
func removed(t *testing.T, ids []string) (*decision.Engine, bool) {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range exampleFiles(t) {
		src, err := fs.ReadFile(examples.Communications(), name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(src)
		for _, id := range ids {
			if strings.HasPrefix(name, "mechanisms") {
				text = cut(t, text, id)
			}
			text = mechanismLists.ReplaceAllStringFunc(text, func(list string) string {
				key, rest, _ := strings.Cut(list, ": [")
				all := strings.Split(strings.TrimSuffix(rest, "]"), ", ")
				return key + ": [" + strings.Join(slices.DeleteFunc(all, func(x string) bool { return x == id }), ", ") + "]"
			})
		}
		if slices.Contains([]string{"authorities.yaml", "documents.yaml", "events.yaml"}, name) {
			text = emptied.ReplaceAllString(text, "")
		}
		if strings.Contains(text, "mechanisms: []") {
			return nil, false
		}
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	laws, err := os.ReadDir("../law/profiles")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range laws {
		src, err := os.ReadFile("../law/profiles/" + l.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := string(src)
		for _, id := range ids {
			text = cut(t, text, id)
		}
		if text != string(src) {
			files[strings.TrimSuffix(l.Name(), ".yaml")+law.Suffix] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return example(t, files).without(t), true
}

func exampleFiles(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(examples.Communications(), "*.yaml")
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	return names
}

// read is a folder as it is loaded.
type read struct {
	p    *programme.Programme
	book *law.Book
	reg  *register.Register
}

func example(t *testing.T, fsys fs.FS) (r read) {
	t.Helper()
	var err error
	if r.p, err = programme.Load(fsys); err != nil {
		t.Fatal(err)
	}
	if r.book, err = law.Load(fsys); err != nil {
		t.Fatal(err)
	}
	src, err := fs.ReadFile(fsys, "assumed.register.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if r.reg, err = register.Parse("r", src); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r read) without(t *testing.T, ids ...string) *decision.Engine {
	t.Helper()
	e, err := decision.NewWithout(r.p, r.book, r.reg, nil, ids)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// What a plan says of a strike is what the engine answers when the mechanism is really gone: for every
// mechanism of the example, every rule of a law that its flows rest on, and every two of them.
func TestEveryDrillIsTrue(t *testing.T) {
	whole := example(t, examples.Communications())
	old := whole.without(t)
	var ids []string
	for i := range old.Programme().Mechanisms {
		ids = append(ids, old.Programme().Mechanisms[i].ID)
	}
	ids = append(ids, "eu-us-dpf", "eu-scc", "eu-adequacy", "eu-adequacy-gb", "eu-anonymous", "us-free", "au-contract")
	var strikes [][]string
	for i, a := range ids {
		strikes = append(strikes, []string{a})
		for _, b := range ids[i+1:] {
			strikes = append(strikes, []string{a, b})
		}
	}
	compared, stopping, narrowing := 0, 0, 0
	for _, strike := range strikes {
		real, ok := removed(t, strike)
		if !ok {
			continue
		}
		compared++
		for _, c := range decision.Plan(old, whole.without(t, strike...), now) {
			was, _ := answered(old, c.Flow)
			is, forms := answered(real, c.Flow)
			if c.Is != is || c.Was != was {
				t.Errorf("%v: the plan says that %s goes from %s to %s; it goes from %s to %s", strike, c.Flow, c.Was, c.Is, was, is)
			}
			if stops := was != "denied" && is == "denied"; stops != (c.What == decision.Stops) {
				t.Errorf("%v: the plan says that %s %s, and it is %s", strike, c.Flow, c.What, is)
			} else if stops {
				stopping++
			}
			_, before := answered(old, c.Flow)
			for kind, form := range forms {
				if less := form > before[kind]; less != slices.Contains(c.Lost, kind) {
					t.Errorf("%v: %s of %s goes from %s to %s, and the plan says that it loses %v", strike, kind, c.Flow, before[kind], form, c.Lost)
				} else if less {
					narrowing++
				}
			}
		}
	}
	if compared < 60 || stopping < 10 || narrowing < 10 {
		t.Errorf("only %d strikes compared, %d flows stopped, %d kinds narrowed", compared, stopping, narrowing)
	}
}

// answered is the most that a flow may do, and the form of each of its kinds, asked as the data path asks: for a
// customer who enabled everything, about a person who consents.
func answered(e *decision.Engine, flow string) (best string, forms map[string]decision.Form) {
	all := e.Programme().Flows
	f := &all[slices.IndexFunc(all, func(f programme.Flow) bool { return f.ID == flow })]
	best, most := "denied", decision.None
	forms = map[string]decision.Form{}
	for _, a := range e.Answers(flow, now) {
		d := e.Decide(&decision.Question{Flow: flow, Tenant: "acme", Service: a.Service, Kind: a.Kind, Categories: decision.NewSet(a.Categories...),
			Subject: decision.Subject{Known: true, Consents: decision.Consented(f.Purpose)}}, now)
		forms[a.Service+"/"+a.Kind] = d.Form
		if d.Allowed && d.Form < most {
			best, most = d.Form.String(), d.Form
		}
	}
	return best, forms
}
