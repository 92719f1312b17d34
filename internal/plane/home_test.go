package plane_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/tenant"
)

// placed makes the tenant's sources ones whose people are at home by rules.
func (w *world) placed(rules ...residency.Rule) {
	for _, s := range []**tenant.Source{&w.src, &w.web, &w.nat} {
		src := **s
		src.Settings = &residency.Settings{Placement: rules}
		*s = &src
	}
}

var (
	byPhone     = residency.Rule{By: residency.ByPhoneCountry, Countries: map[string]string{"IE": "ie1", "US": "us1", "AU": "au1"}}
	byResidence = residency.Rule{By: residency.ByResidence, Paths: []string{"traits.address.country", "body.country"}, Countries: map[string]string{"EEA": "ie1", "US": "us1"}}
)

func identified(user, message, phone, country string) string {
	return fmt.Sprintf(`{"userId":%q,"messageId":%q,"traits":{"phone":%q,"address":{"city":"X","country":%q}}}`, user, message, phone, country)
}

// fromTo is a native record from one phone to another; a side that is "own" is the tenant's.
func fromTo(id, from, to, content string) string {
	side := func(phone, role string) string {
		if phone == "own" {
			phone, role = "+15550100", "own"
		}
		return fmt.Sprintf(`{"type":"phone","value":%q,"role":%q}`, phone, role)
	}
	return fmt.Sprintf(`{"id":%q,"kind":"message","service":"messaging","subjects":[%s,%s],"data":{"from":%q,"to":%q,"body":{"country":%q}}}`,
		id, side(from, "sender"), side(to, "recipient"), from, to, content)
}

const (
	irish    = "+353831234567"
	american = "+12025550123"
	austral  = "+61491570156"
)

func TestWhoIsAtHomeElsewhereIsRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.placed(byResidence, byPhone)
		away := ingest.Refusal{Reason: plane.RefusedElsewhere, Region: "us1", URL: "https://us1.example.com"}
		for _, tt := range []struct {
			name, path, body string
			want             *ingest.Refusal
		}{
			{"residence", "/v1/identify", identified("u1", "m1", "", "US"), &away},
			{"phone", "/v1/identify", identified("u2", "m2", american, ""), &away},
			{"residence wins over phone", "/v1/identify", identified("u3", "m3", american, "IE"), nil},
			{"here by phone", "/v1/identify", identified("u4", "m4", irish, "JP"), nil},
			{"no word of it", "/v1/track", track("u5", "m5", "Paid"), nil},
			{"a region whose address is not known", "/v1/identify", identified("u6", "m6", austral, ""), &ingest.Refusal{Reason: plane.RefusedElsewhere, Region: "au1"}},
		} {
			r := w.send(w.src, tt.path, tt.body)
			if tt.want == nil && r.Accepted != 1 || tt.want != nil && (len(r.Refused) != 1 || r.Refused[0] != *tt.want || r.Accepted != 0) {
				t.Errorf("%s: %+v, want refused %+v", tt.name, r, tt.want)
			}
		}
		for _, user := range []string{"u1", "u2", "u6"} {
			_, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "user_id", Value: user}})
			wantKind(t, "find "+user, err, fault.NotFound, "subject.unknown")
		}
		_, err := w.RecordsByClientID(context.Background(), w.caller, "m1", "")
		wantKind(t, "read what was refused", err, fault.NotFound, "record.unknown")
		stats, err := w.Stats(context.Background(), w.caller, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		counted := map[string]int64{}
		for _, c := range stats.Counts {
			counted[c.Outcome+" "+c.Reason] += c.N
		}
		if counted["refused "+plane.RefusedElsewhere] != 3 || counted["accepted "] != 3 {
			t.Errorf("counted %v", counted)
		}
		list, err := w.Refusals(context.Background(), w.caller)
		if err != nil || len(list) != 1 || list[0].Reason != plane.RefusedElsewhere || list[0].N != 3 || list[0].Path != "" {
			t.Errorf("refusals %+v, %v", list, err)
		}
	})
}

// Nothing of a refused event is remembered, its client's id included: it is no duplicate afterwards.
func TestARefusedEventIsTakenWhenTheRulesChange(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.placed(byPhone)
		if r := w.send(w.src, "/v1/identify", identified("u1", "m1", american, "")); len(r.Refused) != 1 {
			t.Fatalf("%+v", r)
		}
		w.placed()
		if r := w.send(w.src, "/v1/identify", identified("u1", "m1", american, "")); r.Accepted != 1 {
			t.Errorf("%+v", r)
		}
		w.placed(byPhone)
		if r := w.send(w.src, "/v1/identify", identified("u1", "m1", american, "")); r.Duplicate != 1 {
			t.Errorf("what was taken is no duplicate: %+v", r)
		}
	})
}

// Whoever is known here is at home here, by whatever the event is known to be theirs.
func TestWhoIsKnownHereIsAtHomeHere(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", identified("u1", "m1", american, "US"))
		w.send(w.src, "/v1/track", `{"anonymousId":"n2","messageId":"m2","event":"Viewed"}`)
		w.send(w.web, "/v1/identify", `{"anonymousId":"n4","messageId":"m3","traits":{"phone":"+12025550144"}}`)
		w.placed(byResidence, byPhone)
		for _, restarted := range []bool{false, true} { // with the people in memory, and looked up
			if restarted {
				w.restart()
			}
			n := fmt.Sprint(restarted)
			for name, r := range map[string]plane.Result{
				"by user id":      w.send(w.src, "/v1/identify", identified("u1", "a"+n, american, "US")),
				"by phone":        w.send(w.nat, "", fromTo("b"+n, american, "own", "")),
				"joined":          w.send(w.src, "/v1/identify", `{"userId":"u2","anonymousId":"n2","messageId":"c`+n+`","traits":{"address":{"country":"US"}}}`),
				"in a browser":    w.send(w.web, "/v1/identify", `{"anonymousId":"n4","messageId":"d`+n+`","traits":{"phone":"+12025550144"}}`),
				"by alias":        w.send(w.src, "/v1/alias", `{"userId":"u9","previousId":"u1","messageId":"e`+n+`","traits":{"address":{"country":"US"}}}`),
				"met in one body": w.send(w.src, "/v1/batch", `{"batch":[`+typed("track", track("v"+n, "f"+n, "Paid"))+`,`+typed("identify", identified("v"+n, "g"+n, american, "US"))+`]}`),
			} {
				if len(r.Refused) != 0 || r.Accepted == 0 {
					t.Errorf("%s, restarted %s: %+v", name, n, r)
				}
			}
		}
		// A browser's claim makes nobody known: this is somebody new.
		if r := w.send(w.nat, "", fromTo("x1", "+12025550144", "own", "")); len(r.Refused) != 1 {
			t.Errorf("a claimed number: %+v", r)
		}
	})
}

func TestAnEventOfSeveralPeople(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.placed(byResidence, byPhone)
		other := "+12025550199"
		for _, tt := range []struct{ name, body, reason string }{
			{"both elsewhere", fromTo("m1", american, other, ""), plane.RefusedElsewhere},
			{"one elsewhere", fromTo("m2", irish, american, ""), plane.RefusedApart},
			{"both elsewhere, not together", fromTo("m3", american, austral, ""), plane.RefusedApart},
			{"our own number is nobody's", fromTo("m4", irish, "own", ""), ""},
			{"our own number elsewhere", fromTo("m5", "own", irish, ""), ""},
			{"sent elsewhere", fromTo("m6", "own", american, ""), plane.RefusedElsewhere},
			{"what the writer declares is the writer's", fromTo("m7", "+353831234500", "+353831234501", "US"), plane.RefusedApart},
		} {
			r := w.send(w.nat, "", tt.body)
			if tt.reason == "" && r.Accepted != 1 || tt.reason != "" && (len(r.Refused) != 1 || r.Refused[0].Reason != tt.reason) {
				t.Errorf("%s: %+v, want %q", tt.name, r, tt.reason)
			}
			if len(r.Refused) == 1 && (r.Refused[0].Region == "us1") != (tt.reason == plane.RefusedElsewhere) {
				t.Errorf("%s: region %q", tt.name, r.Refused[0].Region)
			}
		}
		_, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "phone", Value: "+353831234500"}})
		wantKind(t, "a person of a refused event", err, fault.NotFound, "subject.unknown")
	})
}

// One event that belongs elsewhere costs its batch nothing, and is told by its index.
func TestTheRestOfABatchIsKept(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.placed(byPhone)
		r := w.send(w.src, "/v1/batch", `{"batch":[`+typed("identify", identified("u1", "m1", irish, ""))+`,`+
			typed("identify", identified("u2", "m2", american, ""))+`,`+typed("track", track("u1", "m3", "Paid"))+`]}`)
		if r.Accepted != 2 || len(r.Refused) != 1 || r.Refused[0].Index != 1 {
			t.Errorf("%+v", r)
		}
		if r.Elsewhere("ie1", 3) != nil {
			t.Error("a request of which something was kept came to the wrong region")
		}
	})
}

func TestResultElsewhere(t *testing.T) {
	us := ingest.Refusal{Reason: plane.RefusedElsewhere, Region: "us1", URL: "https://us1.example.com"}
	au := ingest.Refusal{Reason: plane.RefusedElsewhere, Region: "au1"}
	apart := ingest.Refusal{Reason: plane.RefusedApart}
	other := ingest.Refusal{Reason: "event.bad_type"}
	for _, tt := range []struct {
		name   string
		result plane.Result
		kind   fault.Kind
		reason string
		url    any
	}{
		{"nothing at all", plane.Result{}, fault.Internal, "", nil},
		{"one", plane.Result{Refused: []ingest.Refusal{us}}, fault.WrongRegion, plane.RefusedElsewhere, us.URL},
		{"all to one region", plane.Result{Refused: []ingest.Refusal{us, us}}, fault.WrongRegion, plane.RefusedElsewhere, us.URL},
		{"no address", plane.Result{Refused: []ingest.Refusal{au}}, fault.WrongRegion, plane.RefusedElsewhere, nil},
		{"to two", plane.Result{Refused: []ingest.Refusal{us, au}}, fault.WrongRegion, plane.RefusedElsewhere, nil},
		{"one of them apart", plane.Result{Refused: []ingest.Refusal{us, apart}}, fault.WrongRegion, plane.RefusedElsewhere, nil},
		{"apart", plane.Result{Refused: []ingest.Refusal{apart, apart}}, fault.Unprocessable, plane.RefusedApart, nil},
		{"one refused for another reason", plane.Result{Refused: []ingest.Refusal{us, other}}, fault.Internal, "", nil},
		{"one kept", plane.Result{Accepted: 1, Refused: []ingest.Refusal{us}}, fault.Internal, "", nil},
		{"one kept before", plane.Result{Duplicate: 1, Refused: []ingest.Refusal{us}}, fault.Internal, "", nil},
	} {
		err := tt.result.Elsewhere("ie1", tt.result.Accepted+tt.result.Duplicate+len(tt.result.Refused))
		if fault.ReasonOf(err) != tt.reason || tt.reason != "" && fault.KindOf(err) != tt.kind || tt.reason == "" && err != nil {
			t.Errorf("%s: %v, want %s %s", tt.name, err, tt.kind, tt.reason)
		}
		if f, ok := fault.As(err); ok && f.Extra["url"] != tt.url {
			t.Errorf("%s: url %v, want %v", tt.name, f.Extra["url"], tt.url)
		}
	}
}
