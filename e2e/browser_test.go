package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	Method, URL, Body, Failed string
	Headers                   map[string]string
	Status                    int
}

func (a asked) path() string {
	u, _ := url.Parse(a.URL)
	return u.Path
}

// header returns a header of the request, which Chromium spells as it likes.
func (a asked) header(name string) string {
	for k, v := range a.Headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// opened is what Chromium saw of a page: what the page asked of the region, and what it said.
type opened struct {
	Requests []asked
	Talk     []string
	Result   string
}

// count returns how many of the page's requests were of this method and path.
func (o opened) count(method, path string) (n int) {
	for _, a := range o.Requests {
		if a.Method == method && a.path() == path {
			n++
		}
	}
	return n
}

// open opens a page of the shop, which is given region, key, person and how, and waits until it
// has finished. The browser is there until t ends. It fails t when the page asked anybody else
// than the shop and the region: the SDKs must not lead a page's visitors to their vendors.
func (r *region) open(t *testing.T, origin, page, key, person, how string) (got opened) {
	t.Helper()
	q := url.Values{"region": {r.URL}, "key": {key}, "person": {person}, "how": {how}}
	cmd := exec.Command("node", filepath.Join("sdk", "browser.mjs"))
	cmd.Env = append(os.Environ(), "PAGE="+origin+"/"+page+"?"+q.Encode())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	if err := json.NewDecoder(out).Decode(&got); err != nil {
		t.Fatalf("the browser's script: %v (needs Node.js, web/node_modules and Chromium: scripts/setup)", err)
	}
	if got.Result == "" || strings.HasPrefix(got.Result, "failed") {
		t.Fatalf("%s: %q, said %q", page, got.Result, got.Talk)
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
	return got
}

// delivered wants every POST of the page to have been answered 200, after a preflight for what it
// asks where there has to be one, and each event in it to be read back as it was sent. It returns
// the events in the order of sending.
func (r *region) delivered(t *testing.T, got opened, preflight string) (events []m) {
	t.Helper()
	allowed := map[string]bool{}
	for _, a := range got.Requests {
		if a.Method == "OPTIONS" && a.Status == 204 && a.header("Access-Control-Request-Headers") == preflight {
			allowed[a.path()] = true
		}
	}
	for _, a := range got.Requests {
		if a.Method != "POST" {
			continue
		}
		if a.Status != 200 || a.header("Authorization") == "" || !allowed[a.path()] {
			t.Errorf("POST %s: %d %s; preflights for %q at %v", a.path(), a.Status, a.Failed, preflight, allowed)
		}
		var body m
		if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
			t.Fatalf("POST %s: %v", a.path(), err)
		}
		if batch, ok := body["batch"].([]any); ok {
			for _, e := range batch {
				events = append(events, e.(m))
			}
		} else {
			events = append(events, body)
		}
	}
	for _, e := range events {
		r.wantRead(t, e)
	}
	return events
}

// wantRead wants the one record with the event's messageId to hold all of the event but the key.
func (r *region) wantRead(t *testing.T, event m) {
	t.Helper()
	delete(event, "writeKey")
	rs := r.byClientID(t, event["messageId"].(string))
	if len(rs) != 1 || rs[0].Kind != event["type"] {
		t.Errorf("%v %v is read back as %d records", event["type"], event["messageId"], len(rs))
		return
	}
	var data m
	if err := json.Unmarshal(rs[0].Data, &data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(event, data); diff != "" {
		t.Errorf("%v is read back otherwise (-sent +read):\n%s", event["type"], diff)
	}
}

// kindsOf returns the kinds of a person's records, sorted.
func (r *region) kindsOf(t *testing.T, typ, value string) string {
	t.Helper()
	var kinds []string
	for _, rec := range r.records(t, r.find(t, typ, value)) {
		kinds = append(kinds, rec.Kind)
	}
	slices.Sort(kinds)
	return strings.Join(kinds, " ")
}

// at returns the value at the path in an event.
func at(v any, path ...string) any {
	for _, name := range path {
		object, _ := v.(m)
		v = object[name]
	}
	return v
}

// has returns an error until the records of the person with this user id are of these kinds.
func (r *region) has(t *testing.T, user, want string) error {
	if a := r.lookup(t, "user_id", user); a.status != 200 {
		return fmt.Errorf("nobody is called %s: %v", user, a)
	}
	if got := r.kindsOf(t, "user_id", user); got != want {
		return fmt.Errorf("the person's records are %s, want %s", got, want)
	}
	return nil
}
