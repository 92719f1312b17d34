package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// The index key is rotated while clients send, and the node is killed in the middle of it. It comes to
// its end all the same; nothing acknowledged is lost, everybody is found, and the erased stay gone.
func TestTheIndexKeyIsRotatedUnderLoad(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1, c := w.region("ie1"), newCanaries()
		p, gone, blocked := newPerson(c), newPerson(c), newPerson(c)
		for _, x := range []*person{p, gone, blocked} {
			x.live(t, ie1, c)
		}
		erased := ie1.find(t, "email", gone.email)
		receipt := ie1.erase(t, erased, false).Receipt
		ie1.erase(t, ie1.find(t, "email", blocked.email), true)
		l := newLoad(t, w, "ie1")
		for range 60 { // enough people for some pages
			l.sendOne(ie1)
		}

		ctx, stop := context.WithCancel(t.Context())
		done := l.run(ctx)
		w.keys(t, "rotate-index", "--no-wait")
		pause(within(150 * time.Millisecond))
		w.kill()
		w.start()
		w.eventually("the end of the rotation", func() error {
			if k := w.keys(t, "show"); k.Rotating {
				return fmt.Errorf("%d identifiers are left", k.Left)
			}
			return nil
		})
		stop()
		<-done
		for range 2 { // and once more, in peace
			l.check(t)
			for typ, value := range p.identifiers() {
				if s := ie1.find(t, typ, value); len(ie1.records(t, s)) != len(p.messages) {
					t.Errorf("found by %s, the person has not the records that they had", typ)
				}
			}
			gone.mustBeGone(t, ie1, erased, receipt)
			before := accepted(t, ie1)
			ie1.segment(t, "/v1/track", m{"userId": gone.user, "event": "Bought", "messageId": gone.messages[5]})
			ie1.segment(t, "/v1/track", m{"userId": blocked.user, "event": "Back", "messageId": c.text("id")})
			if n := accepted(t, ie1) - before; n != 0 {
				t.Errorf("%d events more were accepted: one was had before, and one is of somebody who is suppressed", n)
			}
			l.sendOne(ie1)
			w.keys(t, "rotate-index")
		}
		k := w.keys(t, "show")
		if n := len(k.Index); n != 4 || k.Rotating || k.Left != 0 || k.Index[0].Ended == nil || k.Index[2].Ended == nil || k.Index[3].Ended != nil {
			t.Errorf("after three rotations the keys are %+v", k)
		}
		if out, errs, code := w.run("", "ledger", "verify", "--up", w.dir, "--region", "ie1"); code != 0 {
			t.Errorf("the ledger after it: exit %d\n%s%s", code, out, errs)
		}
	})
}

// keysState is what `domicile keys` answers, as far as the test uses it.
type keysState struct {
	Index []struct {
		N     int
		Ended *time.Time `json:"ended_at"`
	}
	Rotating bool
	Left     int
}

func (w *world) keys(t *testing.T, args ...string) (k keysState) {
	t.Helper()
	out, errs, code := w.run("", append([]string{"keys"}, append(args, "--up", w.dir, "--region", "ie1", "--json")...)...)
	if code != 0 {
		t.Fatalf("domicile keys %v: exit %d\n%s%s", args, code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), &k); err != nil {
		t.Fatalf("domicile keys %v answers %s: %v", args, out, err)
	}
	return k
}
