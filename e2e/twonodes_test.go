package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// serve prepares a world of one node of ie1, which `domicile serve` runs on the given store ("" is
// the embedded one) and keyring. more are further lines of its configuration.
func serve(t *testing.T, store, keyring string, more ...string) *world {
	t.Helper()
	w := prepareWorld(t, "sqlite") // no server of its own
	listen := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1))
	file := filepath.Join(w.root, "node.yaml")
	text := fmt.Sprintf("region: ie1\nlisten: %s\ndata: %s\nstore: %s\nkeyring: file:%s\n%s\n", listen, w.dir, store, keyring, strings.Join(more, "\n"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.args = []string{"serve", "--config", file}
	w.up = upFile{Regions: []*region{{ID: "ie1", URL: "http://" + listen, w: w}}}
	return w
}

// twoNodes starts two nodes of one region on one PostgreSQL server, and makes a tenant that both
// know. The regions it returns differ in their URL only. more is added to their configuration.
func twoNodes(t *testing.T, more ...string) (a, b *region) {
	t.Helper()
	pg := newPostgres(t)
	c, err := pgx.Connect(t.Context(), pg.url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), "CREATE DATABASE domicile TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"); err != nil {
		t.Fatal(err)
	}
	store := strings.Replace(pg.url, "/postgres?", "/domicile?", 1)
	keyring := filepath.Join(t.TempDir(), "keyring")
	nodes := make([]*region, 2)
	for i := range nodes {
		w := serve(t, store, keyring, more...)
		w.launch()
		if !w.readyOrGone() {
			t.Fatalf("domicile serve ended (%v):\n%s", w.state, tail(w.readLog(), 4000))
		}
		nodes[i] = w.up.Regions[0]
	}
	nodes[0].operator(t)
	made := addTenant(t, nodes[0].w, nodes[0], "globex")
	a, b = made, new(region)
	*b = *made
	b.URL, b.w = nodes[1].URL, nodes[1].w
	return a, b
}

// operator makes the command line reach the node as its operator.
func (r *region) operator(t *testing.T) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(r.w.dir, "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	r.w.cli = []string{"DOMICILE_URL=" + r.URL, "DOMICILE_TOKEN=" + strings.TrimSpace(string(token))}
}

// Two nodes of a cell: what one accepts the other reads, a client's retry at the other node is a
// duplicate, and an erasure at one is in force at the other as soon as it returned.
func TestTwoNodes(t *testing.T) {
	a, b := twoNodes(t)
	c := newCanaries()
	t.Run("what one accepts the other reads", func(t *testing.T) {
		for _, pair := range [][2]*region{{a, b}, {b, a}} {
			p := newPerson(c)
			p.live(t, pair[0], c)
			if n := len(pair[1].records(t, pair[1].find(t, "email", p.email))); n != len(p.messages) {
				t.Errorf("%d records at the other node, want %d", n, len(p.messages))
			}
		}
	})
	t.Run("a retry at the other node is a duplicate", func(t *testing.T) {
		id := c.text("id")
		event := m{"userId": "retry", "event": "Once", "messageId": id}
		for range 3 {
			a.segment(t, "/v1/track", event)
			b.segment(t, "/v1/track", event)
		}
		if n := len(b.byClientID(t, id)); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
	})
	t.Run("one person known to both", func(t *testing.T) {
		for i := range 20 {
			user := fmt.Sprintf("both-%d", i)
			done := make(chan answer, 2)
			for _, r := range []*region{a, b} {
				go func() {
					body, _ := json.Marshal(m{"userId": user, "event": "Seen", "messageId": ownID(r, i)})
					ans, _ := r.try("POST", "/v1/track", basic(r.Sources["segment"].WriteKey), body)
					done <- ans
				}()
			}
			(<-done).want(t, 200)
			(<-done).want(t, 200)
			if n := len(a.records(t, b.find(t, "user_id", user))); n != 2 {
				t.Errorf("%d records of somebody first seen by both nodes at once, want 2", n)
			}
		}
	})
	t.Run("an erasure at one while the other reads and takes more", func(t *testing.T) {
		eraseUnderLoad(t, a, b, c)
		eraseUnderLoad(t, b, a, c)
	})
	t.Run("one is killed, the other goes on", func(t *testing.T) {
		p := newPerson(c)
		p.live(t, a, c)
		a.w.kill()
		if n := len(b.records(t, b.find(t, "email", p.email))); n != len(p.messages) {
			t.Errorf("%d records at the node that is left, want %d", n, len(p.messages))
		}
		b.segment(t, "/v1/track", m{"userId": p.user, "event": "More", "messageId": c.text("id")})
	})
}

// ownID is a client id of its own for each node and round.
func ownID(r *region, i int) string {
	return fmt.Sprintf("both-%d-%s", i, strings.ReplaceAll(r.URL, "/", ""))
}
