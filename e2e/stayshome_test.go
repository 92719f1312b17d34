package e2e

import "testing"

// StaysHome: personal data is written only to its region's store. Every byte elsewhere is
// searched: other regions' directories, logs, metrics, spans, ledger tiles, error answers and
// temporary files. `up` on PostgreSQL keeps all regions on one server, so there the whole
// server is searched, ie1's database included.
func TestStaysHome(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		v := newVisit(t, kind)
		h, found := newHaystack(v.c.list), sightings{}
		var read int64
		for _, r := range v.w.up.Regions {
			if r.ID != "ie1" {
				read += h.inTree(t, found, v.w.data(r))
			}
			if n := accepted(t, r); (n > 0) != (r.ID == "ie1") {
				t.Errorf("%s accepted %d, and everything was ie1's", r.ID, n)
			}
		}
		if v.w.pg != nil {
			read += h.inTree(t, found, v.w.pg.data)
		}
		v.searchOutside(t, h, found)
		found.report(t)
		t.Logf("%d canaries, %d bytes of files", len(v.c.list), read)
	})
}

// accepted is how many records the tenant's region took, by its own count.
func accepted(t *testing.T, r *region) (n int) {
	t.Helper()
	var stats struct {
		Counts []struct {
			Outcome string
			Count   int
		}
	}
	r.api(t, "GET", "/stats", nil).want(t, 200).into(t, &stats)
	for _, c := range stats.Counts {
		if c.Outcome == "accepted" {
			n += c.Count
		}
	}
	return n
}
