package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestPlannedDataOnly makes a source that the example's tracking plan is for, sends it what is planned
// and what isn't, and reads what became of each.
func TestPlannedDataOnly(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1 := w.region("ie1")
		var made struct {
			Source   struct{ ID string }
			WriteKey string `json:"write_key"`
		}
		ie1.api(t, "POST", "/tenants/"+ie1.Tenant+"/sources", m{"name": "web-shop", "adapter": "segment", "service": "cdp"}).want(t, 201).into(t, &made)
		event := func(id, name string, properties, context m) m {
			return m{"type": "track", "messageId": id, "userId": "planned", "event": name, "properties": properties, "context": context}
		}
		place := m{"latitude": 53.349876, "longitude": -6.260387, "city": "Dublin"}
		batch := m{"batch": []m{
			event("plan-1", "Order Completed", m{"order_id": "o1"}, m{"location": place}),
			event("plan-2", "Order Completed", m{"order_id": "o2", "secretname": "ann@example.com"}, m{"locale": "en-IE"}),
			event("plan-3", "Call Ann Smith", m{"order_id": "o3"}, m{"locale": "en-IE"})}}
		ie1.send(t, "POST", "/v1/batch", basic(made.WriteKey), encode(t, batch)).want(t, 200)
		ie1.segment(t, "/v1/batch", m{"batch": []m{event("plan-4", "Call Ann Smith", m{"order_id": "o4"}, m{"locale": "en-IE"})}}) // of a source without a plan

		for id, want := range map[string]string{"plan-1": "", "plan-2": "unclassified", "plan-3": "none", "plan-4": ""} {
			got := "none"
			for _, r := range ie1.byClientID(t, id) {
				got = ""
				if slices.Contains(r.Categories, "unclassified") && id != "plan-1" { // there it is the city's
					got = "unclassified"
				}
				if text := string(encode(t, r.Data)); strings.Contains(text, "349876") || strings.Contains(text, "260387") {
					t.Errorf("%s has the place: %s", id, text)
				}
			}
			if got != want {
				t.Errorf("%s is %q, want %q", id, got, want)
			}
		}
		var listed struct {
			Violations []struct {
				Source, Plan, Event, Path, Violation, Done string
				Count                                      int
			}
		}
		a := ie1.api(t, "GET", "/violations", nil).want(t, 200)
		a.into(t, &listed)
		var got []string
		for _, v := range listed.Violations {
			if v.Source != made.Source.ID || v.Count != 1 {
				t.Errorf("listed %+v", v)
			}
			got = append(got, strings.Join([]string{v.Plan, v.Event, v.Path, v.Violation, v.Done}, "|"))
		}
		slices.Sort(got)
		if want := []string{"web_shop|*|event|unplanned_event|refused", "web_shop|Order Completed|properties.*|unplanned_property|unclassified",
			"||context.location.latitude|coordinates|dropped", "||context.location.longitude|coordinates|dropped"}; !slices.Equal(got, want) {
			t.Errorf("listed %q, want %q", got, want)
		}
		for _, secret := range []string{"Ann Smith", "secretname", "ann@example.com", "53.3"} {
			if strings.Contains(string(a.body), secret) {
				t.Errorf("/violations says %q", secret)
			}
		}
		if out, _, code := w.run("", "violations", "--up", w.dir); code != 0 || !strings.Contains(out, "context.location.latitude") {
			t.Errorf("domicile violations: %d %s", code, out)
		}
	})
}
