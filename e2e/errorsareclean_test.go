package e2e

import (
	"bytes"
	"testing"
)

// ErrorsAreClean: no error, log line, metric label or trace holds personal data, whatever was
// wrong and wherever it stood; nor does a log hold a key or a token.
func TestErrorsAreClean(t *testing.T) {
	t.Run("spans", spansAreClean)
	onBothStores(t, func(t *testing.T, kind string) {
		v := newVisit(t, kind)
		if v.w.pg != nil { // errors of a store that is away are errors too
			v.w.pg.Stop()
			ie1 := v.w.region("ie1")
			for _, c := range segmentCalls(v.c) {
				if a := ie1.send(t, "POST", "/v1/track", basic(ie1.Sources["segment"].WriteKey), encode(t, c.body)); a.status < 500 && a.status != 429 {
					t.Errorf("without a store: %v, want 5xx or 429", a)
				}
			}
			ie1.lookup(t, "email", v.c.email("question without a store"))
			v.w.pg.Restart(t)
		}
		h, found := newHaystack(v.c.list), sightings{}
		v.searchOutside(t, h, found)
		if v.w.pg != nil {
			h.inBytes(found, "the PostgreSQL server's log", v.w.pg.readLog(t))
		}
		found.report(t)
		v.w.kill()
		log := []byte(v.w.readLog())
		for _, r := range v.w.up.Regions {
			for name, s := range r.Sources {
				for _, secret := range []string{s.WriteKey, s.Token} {
					if secret != "" && bytes.Contains(log, []byte(secret)) {
						t.Errorf("the log holds the %s key of %s", name, r.ID)
					}
				}
			}
			if bytes.Contains(log, []byte(r.APIToken)) {
				t.Errorf("the log holds the API token of %s", r.ID)
			}
		}
		if len(v.w.answers) < 10_000 {
			t.Errorf("only %d bytes of error answers were seen", len(v.w.answers))
		}
	})
}
