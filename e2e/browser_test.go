package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shop serves the pages in sdk/pages and the packages in web/node_modules, on localhost: to a
// region on 127.0.0.1 it is another site. The packages import files without their endings, as
// bundlers have it.
func shop(t *testing.T) (origin string) {
	t.Helper()
	modules, pages := http.Dir("../web/node_modules"), http.FileServer(http.Dir("sdk/pages"))
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.HandleFunc("/node_modules/", func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/node_modules")
		for _, ending := range []string{"", ".js", "/index.js"} {
			f, err := modules.Open(name + ending)
			if err != nil {
				continue
			}
			st, err := f.Stat()
			f.Close()
			if err != nil || st.IsDir() {
				continue
			}
			if ending != "" {
				http.Redirect(w, r, "/node_modules"+name+ending, http.StatusFound)
				return
			}
			http.ServeFile(w, r, filepath.Join("../web/node_modules", filepath.FromSlash(name)))
			return
		}
		http.NotFound(w, r)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
}

// asked is one request of a page.
type asked struct {
	Method, URL, Body, Failed, Type string
	Headers                         map[string]string
	Status                          int
	Preflight                       bool
}

func (a asked) path() string {
	u, _ := url.Parse(a.URL)
	return u.Path
}

// opened is what Chromium saw of a page.
type opened struct {
	Requests []asked
	Talk     []string
	Result   string
}

// open opens a page of the shop and returns what it asked of the region. It fails t when the
// page asked anybody else.
func (r *region) open(t *testing.T, origin, page, key, person, how string) opened {
	t.Helper()
	q := url.Values{"region": {r.URL}, "key": {key}, "person": {person}, "how": {how}}
	cmd := exec.Command("node", filepath.Join("sdk", "browser.mjs"))
	cmd.Env = append(os.Environ(), "PAGE="+origin+"/"+page+"?"+q.Encode())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var got opened
	if jsonErr := json.Unmarshal(out, &got); jsonErr != nil {
		t.Fatalf("the browser's script: %v\n%s(needs Node.js, web/node_modules and Chromium: scripts/setup)", err, out)
	}
	var here []asked
	for _, a := range got.Requests {
		switch {
		case strings.HasPrefix(a.URL, r.URL+"/"):
			here = append(here, a)
		case !strings.HasPrefix(a.URL, origin+"/") && a.URL != "about:blank":
			t.Errorf("%s asked %s", page, a.URL)
		}
	}
	got.Requests = here
	if os.Getenv("SHOW") != "" {
		for _, a := range here {
			t.Logf("%s %s %d %s pre=%v %s %v", a.Method, a.URL, a.Status, a.Failed, a.Preflight, tail(a.Body, 300), a.Headers)
		}
		t.Log(got.Talk, got.Result)
	}
	return got
}

func TestBrowserTry(t *testing.T) {
	w := newWorld(t, "sqlite")
	ie1 := w.region("ie1")
	origin := shop(t)
	key := ie1.Sources["browser"].WriteKey
	for _, p := range []string{"segment.html", "segment-batch.html", "consent.html", "rudder.html one", "rudder.html batch", "rudder.html beacon"} {
		t.Run(p, func(t *testing.T) {
			page, how, _ := strings.Cut(p, " ")
			ie1.open(t, origin, page, key, "p1", how)
		})
	}
	sent, failures, ok := sdk(t, "rudder-node.mjs", ie1.URL, ie1.Sources["segment"].WriteKey, "x1")
	t.Log(sent, failures, ok)
}
