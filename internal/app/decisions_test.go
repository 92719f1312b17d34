package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"domicile.dev/internal/app"
	"domicile.dev/internal/config"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store/storetest/pgtest"
)

func ago(days int) string { return time.Now().UTC().AddDate(0, 0, -days).Format(time.DateOnly) }

// asked asks a node of what the flow message_screening may do.
func asked(t *testing.T, n *served, token, extra string) (allowed bool, codes string) {
	t.Helper()
	w := call(t, n, "POST", "/api/v1/decide", `{"flow":"message_screening","kind":"message"`+extra+`}`, token)
	var d struct {
		Allowed   bool
		Mechanism string
		Reasons   []struct{ Effect, Code, Says string }
	}
	if err := json.Unmarshal(w.Body, &d); err != nil || w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	all := []string{d.Mechanism}
	for _, r := range d.Reasons {
		all = append(all, r.Code)
	}
	return d.Allowed, strings.Join(all, " ")
}

// answerOf is what a node said.
type answerOf struct {
	Code int
	Body []byte
}

func call(t *testing.T, n *served, method, path, body, token string) answerOf {
	t.Helper()
	r, err := http.NewRequest(method, n.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answerOf{w.StatusCode, b}
}

// served is a node that answers.
type served struct {
	*app.Node
	url  string
	stop func()
}

func serveNode(t *testing.T, c *config.Node) *served {
	t.Helper()
	n, err := open(t, c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = n.Serve(ctx, l) }()
	stop := sync.OnceFunc(func() {
		cancel()
		<-done
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &served{n, "http://" + l.Addr().String(), stop}
}

func added(t *testing.T, n *served, kind, fact string) (id string) {
	t.Helper()
	w := call(t, n, "POST", "/api/v1/register", fmt.Sprintf(`{"facts":[{"kind":%q,"fact":%s}]}`, kind, fact), n.Operator)
	var b struct{ Facts []struct{ ID string } }
	if err := json.Unmarshal(w.Body, &b); err != nil || w.Code != 200 || len(b.Facts) != 1 {
		t.Fatalf("%s: %d %s", kind, w.Code, w.Body)
	}
	return b.Facts[0].ID
}

// TestANodeDecidesByItsRegister: what was observed counts as soon as it is noted, here and on another
// node, and no more once it is struck, lapses or couldn't be looked up.
func TestANodeDecidesByItsRegister(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			c := node(t.TempDir())
			if kind == "postgres" {
				c.Store, c.SharedServer = pgtest.URL(t), true
			}
			n := serveNode(t, c)
			if ok, why := asked(t, n, n.Operator, ""); ok || !strings.Contains(why, "contract.missing") {
				t.Fatalf("an empty register: %v %s", ok, why)
			}
			entity := exampleProgramme(t).EntityName(exampleProgramme(t).Recipient("sp-01"))
			q := func(s string) string { b, _ := json.Marshal(s); return string(b) }
			contract := added(t, n, "contracts", `{"id":"dpa","kind":"data_protection","with":`+q(entity)+`,"signed":"`+ago(100)+`"}`)
			check := func(status, day string) string {
				return added(t, n, "checks", `{"directory":"dpf","entity":`+q(entity)+`,"row":"eu-us","status":"`+status+`","data":["non_hr"],"checked":"`+day+`"}`)
			}
			check("active", ago(60))
			if ok, why := asked(t, n, n.Operator, ""); ok || !strings.Contains(why, "dpf.listing.expired") {
				t.Errorf("an expired look-up: %v %s", ok, why)
			}
			check("active", ago(1))
			if ok, why := asked(t, n, n.Operator, ""); !ok || !strings.HasPrefix(why, "dpf ") {
				t.Errorf("a look-up of yesterday: %v %s", ok, why)
			}
			failed := check("failed", ago(0))
			if ok, why := asked(t, n, n.Operator, ""); ok || !strings.Contains(why, "dpf.listing.negative") {
				t.Errorf("a look-up that failed: %v %s", ok, why)
			}
			if w := call(t, n, "POST", "/api/v1/register/"+failed+":strike", "", n.Operator); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if ok, why := asked(t, n, n.Operator, ""); !ok {
				t.Errorf("with that struck: %s", why)
			}
			if ok, _ := asked(t, n, n.Operator, `,"without":["eu-us-dpf"]`); ok {
				t.Error("the drill: with the framework struck it is allowed")
			}
			pause := added(t, n, "pauses", `{"flow":"message_screening","reason":"an incident","from":"`+ago(0)+`"}`)
			if ok, why := asked(t, n, n.Operator, ""); ok || !strings.Contains(why, "flow.paused") {
				t.Errorf("paused: %v %s", ok, why)
			}
			if kind == "postgres" {
				other := serveNode(t, c)
				if ok, _ := asked(t, other, n.Operator, ""); ok {
					t.Error("the other node doesn't know of the pause")
				}
				call(t, n, "POST", "/api/v1/register/"+pause+":strike", "", n.Operator)
				seen := time.Now()
				for ok := false; !ok; ok, _ = asked(t, other, n.Operator, "") {
					if time.Since(seen) > 20*time.Second {
						t.Fatal("the other node never sees that the pause was struck")
					}
				}
				return
			}
			call(t, n, "POST", "/api/v1/register/"+pause+":strike", "", n.Operator)
			call(t, n, "POST", "/api/v1/register/"+contract+":strike", "", n.Operator)
			if ok, why := asked(t, n, n.Operator, ""); ok || !strings.Contains(why, "contract.missing") {
				t.Errorf("without the contract: %v %s", ok, why)
			}
			n.stop()
			n = serveNode(t, c)
			now, err := n.Register().Current(context.Background())
			if err != nil || len(now.Facts) != 2 {
				t.Errorf("after a restart %d facts stand, want the two look-ups: %v", len(now.Facts), err)
			}
			file := register.YAML(now.Facts)
			again, err := register.Parse("export", file)
			if err != nil || again.Version != now.Register.Version {
				t.Errorf("an export has another version: %v\n%s", err, file)
			}
		})
	}
}
