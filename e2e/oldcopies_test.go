package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ErasedIsGone, of copies: once the epoch key is destroyed, a copy of the store made before the
// erasure brings nobody back, even with the newest keyring. Takes as long as the shortest epoch.
func TestErasedIsGoneFromOldCopies(t *testing.T) {
	if !soak {
		t.Skip("waits for an epoch to end: make soak")
	}
	keyring := filepath.Join(t.TempDir(), "keyring")
	w := serve(t, "", keyring, "epoch_length: 1m")
	c, started := newCanaries(), time.Now()
	begin := func() (*region, bool) {
		w.launch()
		return w.up.Regions[0], w.readyOrGone()
	}
	r, ok := begin()
	if !ok {
		t.Fatalf("domicile serve ended:\n%s", w.readLog())
	}
	r.operator(t)
	tenant := addTenant(t, w, r, "globex")
	erased, stays := newPerson(c), newPerson(c)
	erased.live(t, tenant, c)
	stays.live(t, tenant, c)
	subject := tenant.find(t, "email", erased.email)
	w.kill() // what a disk image of a running node holds
	store := filepath.Join(w.dir, "store.db")
	old := readFiles(t, store, store+"-wal")

	if _, ok := begin(); !ok {
		t.Fatalf("domicile serve ended:\n%s", w.readLog())
	}
	got := tenant.erase(t, subject, false)
	pause(time.Until(started.Add(61 * time.Second))) // the epoch is over; a start looks at once
	w.stop()
	if _, ok := begin(); !ok {
		t.Fatalf("domicile serve ended:\n%s", w.readLog())
	}
	w.eventually("the end of the old epoch key", func() error {
		if _, err := os.Stat(filepath.Join(keyring, "epoch-000001.key")); !os.IsNotExist(err) {
			return fmt.Errorf("it is there (%v)", err)
		}
		return nil
	})
	if late := time.Since(got.UnrecoverableBy); late > 0 {
		t.Errorf("the receipt promised %v, and it took %v more", got.UnrecoverableBy, late)
	}
	if n := len(tenant.records(t, tenant.find(t, "email", stays.email))); n != len(stays.messages) {
		t.Errorf("after the epoch %d records of somebody else, want %d", n, len(stays.messages))
	}
	w.stop()
	for name, b := range old {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Remove(store + "-shm")
	if _, ok := begin(); !ok {
		t.Logf("the node refuses the old copy: %s", tail(w.readLog(), 500))
		return
	}
	for _, id := range erased.messages {
		if a, err := tenant.try("GET", "/api/v1/records/by-client-id/"+id, bearer(tenant.APIToken), nil); err == nil && a.status == 200 {
			t.Fatal(fmt.Sprint("an old copy brings the erased person back: ", a))
		}
	}
}
