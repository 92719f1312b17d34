package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// alterStore is an operator who edits the region's database while the node is stopped. Whoever
// holds the old checkpoint finds it, and so does `domicile ledger verify`.
func alterStore(t *testing.T, w *world, old *log) {
	w.stop()
	path := filepath.Join(w.data(w.region("ie1")), "store.db")
	kept := readFiles(t, path, path+"-wal")
	for name, statements := range map[string]string{
		"an entry's text changed": `UPDATE ledger_entry SET entry = CAST(replace(CAST(entry AS TEXT), '"kind":"', '"kind":"x') AS BLOB) WHERE leaf = 5`,
		"an entry removed":        `DELETE FROM ledger_entry WHERE leaf = 5`,
		"a commitment changed":    `UPDATE ledger_hash SET commitment = zeroblob(32) WHERE leaf = 5`,
		"a hash changed":          `UPDATE ledger_hash SET hashes = zeroblob(length(hashes)) WHERE leaf = 5`,
		"some leaves removed":     `DELETE FROM ledger_hash WHERE leaf BETWEEN 40 AND 45`,
		"leaves left off":         `DELETE FROM ledger_hash WHERE leaf > 400`,
		"two leaves swapped": `UPDATE ledger_hash SET leaf = -1 WHERE leaf = 5; UPDATE ledger_hash SET leaf = 5 WHERE leaf = 7; UPDATE ledger_hash SET leaf = 7 WHERE leaf = -1;
			UPDATE ledger_entry SET leaf = -1 WHERE leaf = 5; UPDATE ledger_entry SET leaf = 5 WHERE leaf = 7; UPDATE ledger_entry SET leaf = 7 WHERE leaf = -1`,
		"the newest leaves removed": `DELETE FROM ledger_hash WHERE leaf >= 500; DELETE FROM ledger_entry WHERE leaf >= 500;
			UPDATE gate SET ledger_size = 500; DELETE FROM ledger_checkpoint; DELETE FROM ledger_cosignature`,
	} {
		t.Run(name, func(t *testing.T) {
			edit(t, path, statements)
			found := ""
			w.launch()
			if !w.readyOrGone() {
				found = "it does not start"
			} else if out, errs, code := w.run("", "ledger", "verify", "--up", w.dir); code == 3 {
				found = "ledger verify: " + out + errs
			} else if a, err := w.region("ie1").try("GET", "/ledger/checkpoint", nil, nil); err != nil || a.status != 200 {
				found = fmt.Sprintf("no checkpoint is served: %v %v", a, err)
			} else if tree, err := old.open(a.body); err != nil || tree.N < old.tree.N {
				found = fmt.Sprintf("the checkpoint is of %d leaves, an older one of %d", tree.N, old.tree.N)
			}
			w.kill()
			if t.Logf("found: %s", found); found == "" {
				t.Error("nobody notices")
			}
			for name, b := range kept {
				if err := os.WriteFile(name, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_ = os.Remove(path + "-shm")
		})
	}
	w.start()
	if out, errs, code := w.run("", "ledger", "verify", "--up", w.dir); code != 0 {
		t.Errorf("after putting everything back, ledger verify: exit %d\n%s%s", code, out, errs)
	}
}

// edit runs statements in a database that nobody has open.
func edit(t *testing.T, path, statements string) {
	t.Helper()
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteScript(c, statements, nil); err != nil {
		t.Fatal(err)
	}
	if c.Changes() == 0 {
		t.Fatal("nothing was altered")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// readFiles returns what the files hold; those that don't exist are empty.
func readFiles(t *testing.T, names ...string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all[name] = b
	}
	return all
}
