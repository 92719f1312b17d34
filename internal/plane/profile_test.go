package plane_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// identify is an identify of u1 that occurred so many minutes after noon.
func identify(message string, minutes int, traits string) string {
	return fmt.Sprintf(`{"userId":"u1","messageId":%q,"timestamp":"2026-03-01T12:%02d:00Z","traits":%s}`, message, minutes, traits)
}

func (w *world) traits(s id.Subject, purpose string) *plane.Traits {
	w.t.Helper()
	v, err := w.Profile(context.Background(), w.caller, s, purpose)
	if err != nil {
		w.t.Fatalf("Profile: %v", err)
	}
	return v.Traits
}

// shown is traits as one JSON object.
func shown(traits []plane.Trait) string {
	m := map[string]json.RawMessage{}
	for _, t := range traits {
		m[t.Name] = t.Value
	}
	b, _ := json.Marshal(m)
	return string(b)
}

func (w *world) mustShow(s id.Subject, want string) {
	w.t.Helper()
	if got := shown(w.traits(s, "").Current); got != want {
		w.t.Errorf("traits are %s, want %s", got, want)
	}
}

func TestTraitsAreTheLatestWordOfEachSource(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		second := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_second", Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Server}
		w.send(w.src, "/v1/identify", identify("i1", 10, `{"plan":"free","city":"Cork","Plan":"other"}`))
		w.send(w.src, "/v1/identify", identify("i2", 20, `{"plan":"pro"}`))
		w.send(w.src, "/v1/identify", identify("i3", 15, `{"plan":"trial","age":40}`)) // late
		w.send(second, "/v1/identify", identify("i4", 18, `{"plan":"basic","tags":["a", {"b":null}]}`))
		w.send(w.src, "/v1/group", `{"userId":"u1","groupId":"g1","messageId":"g1","traits":{"plan":"of the group"}}`)
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		s := w.find("user_id", "u1")
		got := w.traits(s, "")
		if want := `{"Plan":"other","age":40,"city":"Cork","plan":"pro","tags":["a",{"b":null}]}`; shown(got.Current) != want {
			t.Errorf("current traits %s, want %s", shown(got.Current), want)
		}
		if len(got.Sources) != 2 || got.Sources[0].Source != "src_ie1_server" || got.Sources[1].Source != "src_second" || got.Partial {
			t.Fatalf("%+v, want the two sources, the one heard of last first", got)
		}
		if first := got.Sources[0]; shown(first.Traits) != `{"Plan":"other","age":40,"city":"Cork","plan":"pro"}` || !first.AsOf.Equal(time.Date(2026, 3, 1, 12, 20, 0, 0, time.UTC)) {
			t.Errorf("the first source says %s as of %s", shown(first.Traits), first.AsOf)
		}
		by, err := w.RecordsByClientID(context.Background(), w.caller, "i2", "")
		if err != nil || len(by) != 1 || by[0].ID != got.Sources[0].Record {
			t.Errorf("its latest identify is %s, want %v (%v)", got.Sources[0].Record, by, err)
		}
		for _, one := range got.Current {
			if want := map[string]string{"tags": "src_second"}[one.Name]; want != "" && one.Source != want {
				t.Errorf("%s is from %s, want %s", one.Name, one.Source, want)
			}
		}
		w.send(second, "/v1/identify", identify("i5", 30, `{"city":null}`))
		w.mustShow(s, `{"Plan":"other","age":40,"plan":"pro","tags":["a",{"b":null}]}`)
		w.send(w.src, "/v1/identify", identify("i6", 25, `{"city":"Galway"}`)) // later heard, earlier said
		w.mustShow(s, `{"Plan":"other","age":40,"plan":"pro","tags":["a",{"b":null}]}`)
		w.restart()
		w.mustShow(s, `{"Plan":"other","age":40,"plan":"pro","tags":["a",{"b":null}]}`)
	})
}

func TestWhatABrowserSaysOfTraitsIsAClaim(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", identify("i1", 10, `{"plan":"pro"}`))
		w.send(w.web, "/v1/identify", identify("c1", 50, `{"plan":"stolen","colour":"red"}`))
		got := w.traits(w.find("user_id", "u1"), "")
		if shown(got.Current) != `{"colour":"red","plan":"pro"}` {
			t.Errorf("current traits %s: want no server's word overruled by a browser's", shown(got.Current))
		}
		for _, one := range got.Current {
			if one.Claimed != (one.Name == "colour") {
				t.Errorf("%s: claimed is %v", one.Name, one.Claimed)
			}
		}
	})
}

func TestTraitsGoTheWayOfTheirRecords(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", `{"anonymousId":"n1","messageId":"i0","traits":{"city":"Cork"}}`)
		w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"n1","messageId":"i1","traits":{"plan":"pro"}}`)
		w.send(w.src, "/v1/identify", `{"userId":"u2","messageId":"i2","traits":{"plan":"other"}}`)
		s := w.find("user_id", "u1")
		w.mustShow(s, `{"city":"Cork","plan":"pro"}`) // both subjects of the person
		if _, err := w.Restrict(context.Background(), w.caller, s, ""); err != nil {
			t.Fatal(err)
		}
		if got := w.traits(s, ""); got != nil {
			t.Errorf("a restricted person's traits are shown without a purpose: %s", shown(got.Current))
		}
		if got := w.traits(s, "legal-claims"); got == nil || shown(got.Current) != `{"city":"Cork","plan":"pro"}` {
			t.Errorf("with a purpose: %+v", got)
		}
		_, err := w.Profile(context.Background(), w.caller, s, "curiosity")
		wantKind(t, "an unknown purpose", err, fault.Invalid, "purpose.unknown")
		_, err = w.Profile(context.Background(), &tenant.Caller{Tenant: 2, TenantID: "globex", Token: "tok_2"}, s, "")
		wantKind(t, "another tenant", err, fault.NotFound, "subject.unknown")
		w.erase(s)
		_, err = w.Profile(context.Background(), w.caller, s, "")
		wantKind(t, "after the erasure", err, fault.Gone, "subject.erased")
		w.mustShow(w.find("user_id", "u2"), `{"plan":"other"}`)
	})
}

// TestALongProfileIsReadInPagesUpToALimit: beyond it, the answer says so.
func TestALongProfileIsReadInPagesUpToALimit(t *testing.T) {
	w := newWorld(t, "")
	for i, batch := 0, ""; i < 1101; i++ {
		if batch += fmt.Sprintf(`{"type":"identify","userId":"u1","messageId":"i%d","traits":{"t%d":%d}}`, i, i%250, i); i%100 == 0 || i == 1100 {
			w.send(w.src, "/v1/batch", `{"batch":[`+batch+`]}`)
			batch = ""
		} else {
			batch += ","
		}
		if i == 300 {
			if got := w.traits(w.find("user_id", "u1"), ""); got.Partial || len(got.Current) != 250 {
				t.Errorf("%d traits, partial %v", len(got.Current), got.Partial)
			}
		}
	}
	if got := w.traits(w.find("user_id", "u1"), ""); !got.Partial || len(got.Current) != 250 {
		t.Errorf("%d traits, partial %v, want 250 and partial", len(got.Current), got.Partial)
	}
}
