package plane_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
)

// brings is whose law the person brings, as a decision gets it.
func (w *world) brings(s id.Subject) string {
	w.t.Helper()
	d := w.of(s)
	if !d.Known {
		return "unknown"
	}
	return string(d.Origins)
}

func (w *world) wantBrings(what string, s id.Subject, want string) {
	w.t.Helper()
	if got := w.brings(s); got != want {
		w.t.Errorf("%s: decisions get %q, want %q", what, got, want)
	}
	v, err := w.Profile(context.Background(), w.caller, s, "")
	if err != nil {
		w.t.Fatal(err)
	}
	var shown []string
	for _, o := range v.Origins {
		shown = append(shown, o.Country+"="+o.By)
		if lives := o.By == residency.ByResidence; lives != (o.Source != "" && !o.At.IsZero()) {
			w.t.Errorf("%s: shown as %+v", what, o)
		}
	}
	for _, x := range shown {
		if !strings.Contains(want, x) {
			w.t.Errorf("%s: shown %v, want %s", what, shown, want)
		}
	}
	if n := len(strings.FieldsFunc(want, func(r rune) bool { return r == ',' })); n != len(shown) {
		w.t.Errorf("%s: shown %v, want %s", what, shown, want)
	}
}

// lives is an identify that declares a country, so many hours ago.
func (w *world) lives(src *tenant.Source, ids, country string, ago time.Duration) {
	w.t.Helper()
	messages++
	w.send(src, "/v1/identify", fmt.Sprintf(`{%s,"messageId":"o%d","timestamp":%q,"traits":{"address":{"country":%q}}}`, ids, messages, w.now.Add(-ago).UTC().Format(time.RFC3339Nano), country))
}

const u1 = `"userId":"u1"`

func TestADeclaredResidenceIsRemembered(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"a","traits":{"email":"a@example.com"}}`)
		s := w.find("user_id", "u1")
		w.wantBrings("nothing was declared", s, "")
		w.lives(w.src, u1, "Germany", 72*time.Hour)
		w.wantBrings("a first one", s, "DE=residence")
		w.lives(w.src, u1, "Atlantis", 0)
		w.wantBrings("no country", s, "DE=residence")
		w.lives(w.src, u1, "FR", 96*time.Hour)
		w.wantBrings("one that is older comes late", s, "DE=residence")
		w.lives(w.src, u1, "US", time.Hour)
		w.wantBrings("they moved", s, "US=residence")
		w.lives(w.src, u1, "de", 0)
		w.wantBrings("and back, the same day", s, "DE=residence")
		w.restart()
		w.wantBrings("after a restart", s, "DE=residence")
		w.now = w.now.Add(time.Minute)
		w.lives(w.src, u1, "US", 0)
		w.wantBrings("again", s, "US=residence")
		if n := w.query(`SELECT residence, declared_by FROM subject WHERE tenant = 1 AND residence <> ''`); len(n) != 1 {
			t.Errorf("%d rows have a residence: %v", len(n), n)
		}
	})
}

func TestATenantsPathsSayWhereAResidenceStands(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.placed(residency.Rule{By: residency.ByResidence, Paths: []string{"traits.home", "traits.land"}, Countries: map[string]string{"JP": "ie1"}})
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"a","traits":{"land":"Spain","address":{"country":"US"}}}`)
		w.wantBrings("the tenant's second path", w.find("user_id", "u1"), "ES=residence")
		w.now = w.now.Add(time.Minute)
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"b","traits":{"land":"Spain","h\u006fme":"IT"}}`)
		w.wantBrings("the first one wins, however it is spelt", w.find("user_id", "u1"), "IT=residence")
	})
}

// What a message says of a country is its writer's.
func TestAResidenceIsOfWhoseTheContentIs(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.placed(residency.Rule{By: residency.ByResidence, Paths: []string{"body.country"}, Countries: map[string]string{"IE": "ie1"}})
		w.send(w.nat, "", fromTo("m1", irish, "+353851234567", "PL"))
		w.wantBrings("the writer", w.find("phone", irish), "IE=phone_country,PL=residence")
		w.wantBrings("the reader", w.find("phone", "+353851234567"), "IE=phone_country")
	})
}

func TestNumbersBringTheirCountriesUntilTheyAreRetired(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", identified("u1", "m1", irish, ""))
		s := w.find("user_id", "u1")
		w.wantBrings("one number", s, "IE=phone_country")
		w.send(w.src, "/v1/identify", identified("u1", "m2", american, ""))
		w.wantBrings("a second one", s, "IE=phone_country,US=phone_country")
		if _, err := w.Link(context.Background(), w.caller, s, []plane.Identifier{{Type: "whatsapp_id", Value: "BR.1234567890"}}); err != nil {
			t.Fatal(err)
		}
		w.wantBrings("a WhatsApp id by hand", s, "BR=phone_country,IE=phone_country,US=phone_country")
		w.mustRetire(s, phones(irish)...)
		w.wantBrings("one retired", s, "BR=phone_country,US=phone_country")
		w.lives(w.src, u1, "IE", 0)
		w.send(w.src, "/v1/identify", identified("u2", "m3", austral, "NO"))
		other := w.find("user_id", "u2")
		w.send(w.src, "/v1/track", `{"userId":"u1","messageId":"m4","event":"x"}`)
		w.wantBrings("another's is another's", s, "BR=phone_country,IE=residence,US=phone_country")
		w.wantBrings("and theirs", other, "AU=phone_country,NO=residence")
		w.erase(s)
		if n := w.query(`SELECT subject FROM subject WHERE tenant = 1 AND residence = 'IE'`); len(n) != 0 {
			t.Errorf("what an erased person declared is still there: %v", n)
		}
	})
}

func TestWhoTurnsOutToBeOneBringsBothLaws(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.lives(w.src, `"anonymousId":"n1"`, "FR", 48*time.Hour)
		w.send(w.src, "/v1/identify", identified("u1", "m1", austral, ""))
		w.lives(w.src, u1, "US", time.Hour)
		w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"n1","messageId":"m2"}`)
		w.wantBrings("the later residence, and the number", w.find("user_id", "u1"), "AU=phone_country,US=residence")
	})
}

// A stranger with a browser's key takes no law away from somebody whom they can name.
func TestAStrangerTakesNoLawAway(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"device","messageId":"i1","traits":{"email":"v@example.com"}}`)
		s := w.find("user_id", "u1")
		w.lives(w.web, `"userId":"u1","anonymousId":"stranger"`, "DE", 48*time.Hour)
		w.wantBrings("where nothing was declared it adds", s, "DE=residence")
		for _, ids := range []string{u1, `"userId":"u1","anonymousId":"stranger"`} {
			for range 2 { // met, and known
				w.lives(w.web, ids, "US", time.Hour)
			}
		}
		w.wantBrings("it takes none away", s, "DE=residence")
		w.lives(w.web, `"userId":"u1","anonymousId":"device"`, "US", time.Minute)
		w.wantBrings("their own device does", s, "US=residence")
	})
}

func TestNumbersThatNobodyLookedAtAreLookedAt(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", identified("u1", "m1", irish, "DE"))
		w.send(w.src, "/v1/identify", `{"userId":"u2","messageId":"m2","traits":{"email":"b@example.com"}}`)
		s, none := w.find("user_id", "u1"), w.find("user_id", "u2")
		w.exec(`UPDATE subject SET numbers = NULL`) // as people were before
		w.send(w.src, "/v1/identify", identified("u1", "m3", american, ""))
		ctx, cancel := context.WithCancel(context.Background())
		w.wantBrings("before they are kept", s, "DE=residence,IE=phone_country,US=phone_country")
		w.wantBrings("nobody's", none, "")
		ended := make(chan struct{})
		go func() { defer close(ended); w.RunNumbers(ctx) }()
		for end := time.Now().Add(20 * time.Second); len(w.query(`SELECT subject FROM subject WHERE numbers IS NULL`)) > 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("what was found isn't kept")
			}
		}
		cancel()
		<-ended
		w.wantBrings("when they are", s, "DE=residence,IE=phone_country,US=phone_country")
	})
}

// A number that doesn't open tells nothing, and nothing of its person leaves.
func TestADamagedNumberMakesThePersonUnknown(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", identified("u1", "m1", irish, ""))
		s := w.find("user_id", "u1")
		w.exec(`UPDATE subject SET numbers = NULL`)
		w.exec(`UPDATE identifier SET sealed = $1 WHERE type = 'phone'`, []byte("damaged"))
		if got := w.brings(s); got != "unknown" {
			t.Errorf("the person brings %q", got)
		}
	})
}

// Without anybody to look, what wasn't looked at isn't known.
func TestUnlookedIsUnknown(t *testing.T) {
	w := newWorld(t, "")
	w.send(w.src, "/v1/identify", identified("u1", "m1", irish, ""))
	s := w.find("user_id", "u1")
	w.exec(`UPDATE subject SET numbers = NULL`)
	if err := w.db.View(context.Background(), func(tx store.Tx) error {
		all, err := consent.New(sqlstore.Consents{}).Of(tx, 1, [][]id.Subject{{s}})
		if err == nil && all[0].Known {
			t.Errorf("known as %+v", all[0])
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAMoveCarriesWhoseLawAPersonBrings(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		r.ie.send(r.ie.src, "/v1/identify", identified("u1", "m1", irish, "DE"))
		s := r.ie.find("user_id", "u1")
		if _, err := r.carry(s); err != nil {
			t.Fatal(err)
		}
		r.us.wantBrings("at home elsewhere", r.us.find("user_id", "u1"), "DE=residence,IE=phone_country")
	})
}
