package api_test

import (
	"strings"
	"testing"
)

// What a tenant reads for goes with every read of people; an export is the right of access, for nothing.
func TestThePurposeOfARead(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/api/v1/subjects/" + sub, "/api/v1/subjects/" + sub + "/records", "/api/v1/records/by-client-id/m1",
		"/api/v1/records/" + aRecord(1).ID.String() + "/media/" + oneMedia.String()} {
		w.do("GET", path, "", "Domicile-Purpose", "account_management")
		if c := w.plane.caller; c == nil || c.For != "account_management" || c.Access {
			t.Errorf("%s: the caller is %+v", path, c)
		}
		if w.do("GET", path, ""); w.plane.caller.For != "" {
			t.Errorf("%s: it reads for %q, which nobody said", path, w.plane.caller.For)
		}
	}
	for _, format := range []string{"ndjson", "zip"} {
		w.do("GET", "/api/v1/subjects/"+sub+"/export?format="+format, "", "Domicile-Purpose", "account_management")
		if c := w.plane.caller; c.For != "" || !c.Access {
			t.Errorf("an export as %s: the caller is %+v", format, c)
		}
	}
	const settings = "/api/v1/tenants/acme/settings"
	if r := w.do("PATCH", settings, `{"for_purposes":true}`); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.do("GET", settings, ""); !strings.Contains(string(r.body), `"pin":false,"for_purposes":true`) {
		t.Errorf("%s", r.body)
	}
}
