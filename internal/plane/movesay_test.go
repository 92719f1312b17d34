package plane_test

import (
	"testing"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/id"
)

func TestAMoveCarriesWhatAPersonSaid(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		w := r.ie
		w.send(w.src, "/v1/track", event(`"anonymousId":"n9"`, bothNo))
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`)
		s := w.find("user_id", "u1")
		w.tell(s, consent.OptOut("marketing"), consent.Out)
		w.tell(s, consent.Consent("ads"), consent.Given)
		w.tell(s, consent.OptOut("cpni"), consent.Out)
		w.tell(s, consent.OptOut("cpni"), consent.In)
		w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"n9","messageId":"i2"}`) // one with who refused
		const want = "consent/ads=refused consent/analytics=refused opt_out/cpni=in opt_out/marketing=out opt_out/targeted_advertising=out"
		w.wantSays("before", s, want)
		n := w.history(s)
		us := r.us
		us.send(us.src, "/v1/identify", `{"userId":"u1","messageId":"h1","traits":{"email":"a@example.com"}}`)
		here := us.find("user_id", "u1")
		us.tell(here, consent.Consent("ads"), consent.Given)
		us.tell(here, consent.Objection("ads"), consent.Objects)
		if _, err := r.carry(s); err != nil {
			t.Fatal(err)
		}
		there := us.find("email", "a@example.com")
		us.wantSays("the no of either stands", there, "consent/ads=refused consent/analytics=refused objection/ads=objects opt_out/cpni=in opt_out/marketing=out opt_out/targeted_advertising=out")
		if got := us.history(there); got != n+2 {
			t.Errorf("the history has %d words, want %d", got, n+2)
		}
		for _, gone := range []id.Subject{s} {
			w.nothingSaid(gone)
		}
		us.tell(there, consent.Consent("ads"), consent.Given)
		if d := us.of(there); len(d.Consents) != 1 || d.Consents[0].Purpose != "ads" {
			t.Errorf("given since: %+v", d)
		}
		us.erase(there)
		us.nothingSaid(there)
	})
}
