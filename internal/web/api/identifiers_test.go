package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
)

func TestIdentifiersAreChangedByHandOnce(t *testing.T) {
	for _, verb := range []string{"retire", "link"} {
		t.Run(verb, func(t *testing.T) {
			w := newWorld(t)
			path := "/api/v1/subjects/" + sub + "/identifiers:" + verb
			body := `{"identifiers":[{"type":"phone","value":"+353 85 123 4567"}]}`
			first := w.do("POST", path, body, keyHeader, "k1")
			if first.status != 200 || w.plane.calls[0] != verb || w.plane.ids[0].Value != "+353 85 123 4567" {
				t.Fatalf("%d %s: %v of %v", first.status, first.body, w.plane.calls, w.plane.ids)
			}
			if again := w.do("POST", path, body, keyHeader, "k1"); again.status != 200 || string(again.body) != string(first.body) || w.plane.count() != 1 {
				t.Errorf("a retry: %d %s after %d calls", again.status, again.body, w.plane.count())
			}
			if other := w.do("POST", path, strings.Replace(body, "123", "124", 1), keyHeader, "k1"); other.status != 422 {
				t.Errorf("another body under the same key: %d", other.status)
			}
			for name, bad := range map[string]string{"none": `{"identifiers":[]}`, "no body": "", "a bad type": `{"identifiers":[{"type":"Phone!","value":"+353851234567"}]}`} {
				if r := w.do("POST", path, bad); r.status != 400 || strings.Contains(string(r.body), "353") {
					t.Errorf("%s: %d %s", name, r.status, r.body)
				}
			}
			w.plane.fail = fault.New(fault.Conflict, "identity.two_user_ids", "a person has one user id")
			if r := w.do("POST", path, body); r.status != 409 || r.problem(t) != "identity.two_user_ids" {
				t.Errorf("a conflict: %d", r.status)
			}
		})
	}
}

func TestASubjectIsShownWithStatesTraitsAndRefusedLinks(t *testing.T) {
	w := newWorld(t)
	r := w.do("GET", "/api/v1/subjects/"+sub+"?purpose=legal-claims", "")
	var got struct {
		Identifiers []struct {
			State, RetiredAt string
			SharedWith       []string `json:"shared_with"`
		}
		Refused []struct{ Reason, With string } `json:"refused_links"`
		Traits  struct {
			Current map[string]any
			From    map[string]struct{ Source string }
		}
	}
	if err := json.Unmarshal(r.body, &got); err != nil || r.status != 200 {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	if w.plane.query.Purpose != "legal-claims" {
		t.Error("the purpose is lost")
	}
	if len(got.Identifiers) != 3 || got.Identifiers[0].State != "known" || got.Identifiers[1].State != "retired" || len(got.Identifiers[2].SharedWith) != 1 {
		t.Errorf("identifiers %+v", got.Identifiers)
	}
	if len(got.Refused) != 2 || got.Refused[0].With == "" || got.Refused[1].With != "" {
		t.Errorf("refused links %+v", got.Refused)
	}
	if got.Traits.Current["plan"] != "pro" || got.Traits.From["plan"].Source != "src_ie1_x" {
		t.Errorf("traits %+v", got.Traits)
	}
	if bad := w.do("GET", "/api/v1/subjects/"+sub+"?purpose=curiosity", ""); bad.status != 400 {
		t.Errorf("an unknown purpose: %d", bad.status)
	}
}
