package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
)

// kitProgrammes are the public vectors of the format.
const kitProgrammes = "../../testkit/programme"

func programmeEnv(t *testing.T, asJSON bool) (*env, *bytes.Buffer) {
	t.Helper()
	out := &bytes.Buffer{}
	return &env{ctx: t.Context(), in: strings.NewReader(""), out: out, err: &bytes.Buffer{}, json: asJSON}, out
}

func exitCodeOf(err error) int {
	var x *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &x):
		return x.code
	}
	return exits[fault.KindOf(err)]
}

func TestProgrammeCheckTellsTheFaultsAndExits3(t *testing.T) {
	e, out := programmeEnv(t, false)
	err := (&programmeCheckCmd{Dir: filepath.Join(kitProgrammes, "faults/dangling-category")}).Run(e)
	if got := exitCodeOf(err); got != exitBad {
		t.Errorf("exit %d, want %d", got, exitBad)
	}
	want := "programme.yaml:25:30: \"devise_data\" is not declared in categories\n  hint: did you mean \"device_data\"?\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}
}

func TestProgrammeCheckInJSON(t *testing.T) {
	for dir, want := range map[string]struct{ code, faults int }{"valid/minimal": {exitDone, 0}, "faults/several": {exitBad, 7}, "faults/empty-folder": {exitBad, 1}} {
		e, out := programmeEnv(t, true)
		err := (&programmeCheckCmd{Dir: filepath.Join(kitProgrammes, dir)}).Run(e)
		if got := exitCodeOf(err); got != want.code {
			t.Errorf("%s: exit %d, want %d", dir, got, want.code)
		}
		var answer struct {
			OK     bool
			Hash   string
			Faults *[]struct {
				File, Code, Message string
				Line, Column        int
			}
		}
		if err := json.Unmarshal(out.Bytes(), &answer); err != nil || answer.Faults == nil {
			t.Fatalf("%s: %v in %s", dir, err, out)
		}
		if len(*answer.Faults) != want.faults || answer.OK != (want.faults == 0) || (answer.Hash != "") != answer.OK {
			t.Errorf("%s: %+v", dir, answer)
		}
	}
}

func TestAFolderThatIsNotThereIsAWrongCall(t *testing.T) {
	e, _ := programmeEnv(t, false)
	dir := filepath.Join(t.TempDir(), "none")
	for name, err := range map[string]error{"check": (&programmeCheckCmd{Dir: dir}).Run(e), "show": (&programmeShowCmd{Dir: dir, Section: "all"}).Run(e)} {
		if got := exitCodeOf(err); got != exitWrong {
			t.Errorf("%s: exit %d, want %d", name, got, exitWrong)
		}
	}
}

func TestProgrammeShow(t *testing.T) {
	e, out := programmeEnv(t, false)
	if err := (&programmeShowCmd{Section: "all"}).Run(e); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Example Communications", "no company's statement", "sha256:", "sg1", "Device Data", "sp-26", "North America", "properties.url", "30 days", "legitimate_interest", "message_screening", "comparable_protection"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("show doesn't say %q", want)
		}
	}
	e, out = programmeEnv(t, false)
	if err := (&programmeShowCmd{Section: "regions"}).Run(e); err != nil || strings.Count(out.String(), "\n") != 5 {
		t.Errorf("show -s regions: %v\n%s", err, out)
	}
	e, _ = programmeEnv(t, false)
	if got := exitCodeOf((&programmeShowCmd{Dir: filepath.Join(kitProgrammes, "faults/enum"), Section: "all"}).Run(e)); got != exitBad {
		t.Errorf("show of a faulty programme: exit %d, want %d", got, exitBad)
	}
}

// What show prints in JSON is a programme: checked again it has the same hash.
func TestProgrammeShowInJSONIsAProgramme(t *testing.T) {
	e, out := programmeEnv(t, true)
	if err := (&programmeShowCmd{Section: "all"}).Run(e); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := openProgramme(dir)
	if err != nil {
		t.Fatal(err)
	}
	example, err := openProgramme("")
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash != example.Hash {
		t.Errorf("hash %s, want %s", again.Hash, example.Hash)
	}
}

func TestProgrammeSchemaIsJSON(t *testing.T) {
	e, out := programmeEnv(t, false)
	if err := (&programmeSchemaCmd{}).Run(e); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("schema: %v", err)
	}
}
