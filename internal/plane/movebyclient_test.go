package plane_test

import (
	"context"
	"testing"
	"time"

	"domicile.dev/internal/fault"
)

// Whoever asks the old home for a record by its client's id is sent after its person, when everybody in
// it has moved, as long as something is left of it.
func TestByClientIDAtTheOldHome(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		by := func(client string) error { return second(r.ie.RecordsByClientID(ctx, r.ie.caller, client, "")) }
		r.ie.send(r.ie.nat, "", said("m1", "+353851234567"))
		r.ie.send(r.ie.nat, "", said("m2", "+353851234568"))
		r.ie.send(r.ie.nat, "", oneLine(message("m3", "+353851234567", "sender", "+353851234568", "recipient", "hi")))
		r.ie.send(r.ie.nat, "", said("m4", "+353851234569"))
		if _, err := r.carry(r.ie.find("phone", "+353851234567")); err != nil {
			t.Fatal(err)
		}
		err := by("m1")
		wantKind(t, "of who moved", err, fault.WrongRegion, "subject.moved")
		if f, _ := fault.As(err); f == nil || f.Extra["url"] != "https://us1.example.com" {
			t.Errorf("no address in %+v", f)
		}
		for _, client := range []string{"m2", "m3"} {
			if err := by(client); err != nil {
				t.Errorf("%s of who stays: %v", client, err)
			}
		}
		wantKind(t, "nobody's", by("m9"), fault.NotFound, "record.unknown")
		r.ie.erase(r.ie.find("phone", "+353851234568"))
		r.ie.erase(r.ie.find("phone", "+353851234569"))
		for _, client := range []string{"m2", "m3", "m4"} { // an erasure says nothing of anybody's address
			wantKind(t, client+" of who was erased", by(client), fault.NotFound, "record.unknown")
		}
		if err := r.ie.SweepOnce(ctx, r.ie.now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "when nothing is left", by("m1"), fault.NotFound, "record.unknown")
	})
}
