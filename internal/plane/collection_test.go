package plane_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
)

func collection(w *world) (map[string]int64, []plane.Unmapped) {
	w.t.Helper()
	all, unmapped, err := w.Collection(context.Background(), w.caller)
	if err != nil {
		w.t.Fatal(err)
	}
	by := map[string]int64{}
	for _, c := range all {
		by[c.Service+"/"+c.Kind+" "+c.Category] = c.N
	}
	return by, unmapped
}

// TestWhatIsCollectedIsCounted: by category, and what no kind maps by its path, whose name is read
// from the record and gone with it.
func TestWhatIsCollectedIsCounted(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		with := func(user, message, extra string) string {
			return fmt.Sprintf(`{"userId":%q,"messageId":%q,"event":"E","properties":{"n":1},%s}`, user, message, extra)
		}
		w.send(w.src, "/v1/track", with("ann", "m1", `"bloodType":"A","ann@example.com":1`))
		w.send(w.src, "/v1/track", with("ann", "m1", `"bloodType":"A","ann@example.com":1`)) // a retry counts once
		w.now = w.now.Add(time.Minute)
		w.send(w.src, "/v1/track", with("bob", "m2", `"bloodType":"B"`))
		w.send(w.src, "/v1/track", with("ann", "m3", `"context":{"ip":"192.0.2.1"}`))

		by, unmapped := collection(w)
		for key, n := range map[string]int64{"cdp/track activity": 3, "cdp/track content": 3, "cdp/track device": 1, "cdp/track unclassified": 2} {
			if by[key] != n {
				t.Errorf("%s is %d, want %d", key, by[key], n)
			}
		}
		if len(unmapped) != 2 {
			t.Fatalf("%d unmapped, want 2: %+v", len(unmapped), unmapped)
		}
		paths := map[string]plane.Unmapped{}
		for _, u := range unmapped {
			paths[u.Path] = u
		}
		if u := paths["bloodType"]; u.N != 2 || u.Source != w.src.ID || !u.LastAt.After(u.FirstAt) {
			t.Errorf("bloodType: %+v", u)
		}
		if u := paths["*.com"]; u.N != 1 {
			t.Errorf("an address as a name is to be masked: %+v", unmapped)
		}

		// The operator sees no name that a client chose.
		if err := w.DB.View(context.Background(), func(tx store.Tx) error {
			_, masked, err := w.CollectionOf(tx, 1)
			for _, u := range masked {
				if bytes.Contains([]byte(u.Path), []byte("blood")) {
					t.Errorf("the operator is shown %q", u.Path)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.send(w.src, "/v1/track", with("cat", "m4", `"bloodType":"0"`))
		w.erase(w.find("user_id", "bob"))
		w.erase(w.find("user_id", "cat"))
		if _, unmapped = collection(w); len(unmapped) != 2 {
			t.Fatalf("after a restart: %+v", unmapped)
		}
		for _, u := range unmapped {
			if u.Path == "bloodType" {
				t.Errorf("the name is read from somebody who is erased: %+v", u)
			}
			if u.Path == "*" && u.N != 3 {
				t.Errorf("counted %d, want 3", u.N)
			}
		}
	})
}

// TestNamesOfManyPathsAreBounded: a client that makes names up fills no table.
func TestNamesOfManyPathsAreBounded(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		for i := range 30 {
			body := fmt.Sprintf(`{"userId":"ann","messageId":"b%d","event":"E"`, i)
			for j := range 20 {
				body += fmt.Sprintf(`,"x%d":1`, i*20+j)
			}
			w.send(w.src, "/v1/track", body+"}")
			if i == 12 {
				w.restart()
			}
		}
		_, unmapped := collection(w)
		if len(unmapped) != 501 {
			t.Errorf("%d paths, want 500 and one for the rest", len(unmapped))
		}
		n := int64(0)
		for _, u := range unmapped {
			n += u.N
		}
		if n != 600 {
			t.Errorf("counted %d members, want 600", n)
		}
	})
}

// TestCollectionIsCountedOnceWhateverWriteFails.
func TestCollectionIsCountedOnceWhateverWriteFails(t *testing.T) {
	journey(t, func(w *world) { w.send(w.src, "/v1/track", track("ann", "m0", "E")) },
		func(w *world) error {
			_, err := w.trySend(w.src, "/v1/track", `{"userId":"ann","messageId":"m1","event":"E","bloodType":"A"}`)
			return err
		},
		func(t *testing.T, w *world) {
			by, unmapped := collection(w)
			if by["cdp/track activity"] != 2 || len(unmapped) != 1 || unmapped[0].N != 1 || unmapped[0].Path != "bloodType" {
				t.Errorf("counted %v and %+v", by, unmapped)
			}
		})
}
