package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"domicile": main})
}

// TestScripts runs testdata/script/*.txtar: calls, exit codes and output. The node they speak to is
// a pretended one; e2e has the same calls against real ones.
//
// A script's files under answers/ say what the node answers: the name is method, path and query
// with slashes as they are ("GET/api/v1/stats.http"), the first line the status and a media type, the
// rest the body. What the node was asked is in the file asked.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			n := &pretendedNode{dir: e.WorkDir}
			s := httptest.NewServer(n)
			e.Defer(s.Close)
			e.Setenv("DOMICILE_URL", s.URL)
			e.Setenv("DOMICILE_TOKEN", "dtk_ie1_secret")
			up, err := json.Marshal(map[string]any{"version": 1, "regions": []map[string]any{
				{"id": "ie1", "url": s.URL, "tenant": "acme", "api_token": "dtk_ie1_up"}, {"id": "us1", "url": s.URL, "tenant": "acme", "api_token": "dtk_us1_up",
					"sources": map[string]any{"native": map[string]string{"token": "dwk_us1_native"}}}}})
			if err != nil {
				return err
			}
			for name, text := range map[string]string{"up/up.json": string(up), "up/ie1/operator.token": "dok_ie1_up\n"} {
				path := filepath.Join(e.WorkDir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					return err
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits N COMMAND… runs domicile and compares its exit code.
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: exits N command…")
				}
				err := ts.Exec(args[1], args[2:]...)
				code := "0"
				if err != nil {
					code = strings.TrimPrefix(err.Error(), "exit status ")
				}
				if code != args[0] {
					ts.Fatalf("exit code %s, want %s", code, args[0])
				}
			},
		},
	})
}

// pretendedNode answers from files.
type pretendedNode struct{ dir string }

func (n *pretendedNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f, err := os.OpenFile(filepath.Join(n.dir, "asked"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = fmt.Fprintln(f, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")+" "+string(body)))
		_ = f.Close()
	}
	answer, err := os.ReadFile(filepath.Join(n.dir, "answers", r.Method+r.URL.RequestURI()+".http"))
	if err != nil {
		answer = []byte("404 application/problem+json\n{\"reason\":\"path.unknown\",\"detail\":\"There is no such answer.\"}")
	}
	head, text, _ := strings.Cut(string(answer), "\n")
	status, mediaType := 0, ""
	if _, err := fmt.Sscan(head, &status, &mediaType); err != nil {
		status = http.StatusInternalServerError
	}
	if status == 299 { // cut off halfway
		w.Header().Set("Content-Length", fmt.Sprint(2*len(text)))
		status = http.StatusOK
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func TestIdentifiersAreReadInEveryForm(t *testing.T) {
	for in, want := range map[string]int{
		"email ann@example.com":                                            1,
		"email ann@example.com\r\n\r\nphone +353 85 123 4567\n":            2,
		`{"type":"email","value":"a@b.c"}`:                                 1,
		`[{"type":"email","value":"a@b.c"},{"type":"phone","value":"+1"}]`: 2,
		`{"identifiers":[{"type":"email","value":"a@b.c"}]}`:               1,
		"\xef\xbb\xbfemail ann@example.com":                                1,
		"email":                                                            -1,
		"":                                                                 0,
		`{"type":"email"}`:                                                 -1,
		`[{"type":"email","value":"kanarienvogel"`:                         -1,
		`[1]`: -1,
	} {
		ids, err := parseIdentifiers([]byte(in))
		if (err != nil) != (want < 0) || err == nil && len(ids) != want {
			t.Errorf("%q: %d identifiers, %v, want %d", in, len(ids), err, want)
		}
		if err != nil && strings.Contains(err.Error(), "kanarienvogel") {
			t.Errorf("%v repeats what came", err)
		}
	}
	ids, err := parseIdentifiers([]byte("phone +353 85 123 4567"))
	if err != nil || ids[0].Type != "phone" || ids[0].Value != "+353 85 123 4567" {
		t.Errorf("%v, %v, want the number with its spaces", ids, err)
	}
}

func FuzzParseIdentifiers(f *testing.F) {
	for _, s := range []string{"email a@b.c", `[{"type":"a","value":"b"}]`, `{"identifiers":[]}`, "\xff \xff", "a\tb"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ids, err := parseIdentifiers(b)
		for _, ident := range ids {
			if err == nil && (ident.Type == "" || ident.Value == "") {
				t.Fatalf("%d identifiers, one without type or value", len(ids))
			}
		}
	})
}

func TestEveryKindOfFaultHasAnExitCode(t *testing.T) {
	for kind := range exits {
		if c := exits[kind]; c != exitFailed && c != exitWrong {
			t.Errorf("%s exits %d", kind, c)
		}
	}
	if len(exits) != 12 {
		t.Errorf("%d kinds have an exit code, want all 12", len(exits))
	}
}

func TestProgressIsDrawnAsFarAsItIs(t *testing.T) {
	var out strings.Builder
	p := &progress{out: &out, total: 4}
	if err := copyAll(io.Discard, strings.NewReader("a\nb\n"), p, true); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "[===============               ] 2 of 4 records") {
		t.Errorf("%q", got)
	}
}
