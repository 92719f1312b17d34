package e2e

import "testing"

// SealedAtRest: the region's own files hold no personal data in the clear: not while it runs,
// not after kill -9 (what a crash leaves is the WAL), not after a restart and an orderly stop.
func TestSealedAtRest(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		v := newVisit(t, kind)
		h, found := newHaystack(v.c.list), sightings{}
		var read int64
		search := func() {
			read += h.inTree(t, found, v.w.dir)
			if v.w.pg != nil {
				read += h.inTree(t, found, v.w.pg.data)
			}
		}
		search()
		v.w.kill()
		search()
		v.w.start()
		v.readBackAfterRestart(t)
		v.w.stop()
		if v.w.pg != nil {
			v.w.pg.stop(t) // writes everything out
		}
		search()
		found.report(t)
		t.Logf("%d canaries, %d bytes of files", len(v.c.list), read)
	})
}

// readBackAfterRestart reads every accepted call again, but those of the person whom ask erased.
func (v *visit) readBackAfterRestart(t *testing.T) {
	t.Helper()
	var kept []call
	for _, c := range v.good {
		if c.body["userId"] != v.good[6].body["userId"] || c.body["userId"] == nil {
			kept = append(kept, c)
		}
	}
	all := v.good
	v.good = kept
	v.readBack(t)
	v.good = all
}
