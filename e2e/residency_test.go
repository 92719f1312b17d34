package e2e

import (
	"strings"
	"testing"
)

// american is a number of New York's.
func (c *canaries) american(where string) string {
	n := "121223" + digits(5)
	c.add(where+" (digits)", n)
	return c.add(where, "+"+n)
}

// place gives every region the same rules, by the command line.
func (w *world) place(t *testing.T, rules string, flags ...string) {
	t.Helper()
	args := append([]string{"tenant", "settings", "set", "--up", w.dir, "--every-region", "--json", "--placement", "-"}, flags...)
	out, errs, code := w.run(rules, args...)
	if code != 0 {
		t.Fatalf("domicile %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
}

// What is about people at home in another region is refused where it was sent to by mistake, and
// their home takes it. Nothing of it is left in the wrong region: no byte of a canary, no subject,
// no record, no memory of the client's ids.
func TestHomeRegions(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		v := &visit{c: newCanaries(), seen: map[string][]byte{}, w: w}
		ie1, us1 := w.region("ie1"), w.region("us1")
		w.place(t, `[{"by":"residence","paths":["traits.address.country","country"],"countries":{"EEA":"ie1","US":"us1"}},
			{"by":"phone_country","countries":{"IE":"ie1","US":"us1","*":"au1"}}]`, "--pin")
		for _, r := range w.up.Regions {
			var s struct {
				Placement []any
				Pin       bool
			}
			r.api(t, "GET", "/tenants/acme/settings", nil).want(t, 200).into(t, &s)
			if len(s.Placement) != 2 || !s.Pin {
				t.Fatalf("%s has the settings %+v", r.ID, s)
			}
		}

		var ids, users []string
		event := func(traits m) m {
			user, id := v.c.text("userId"), v.c.text("messageId")
			traits["name"], traits[v.c.text("key")] = v.c.odd("name"), v.c.text("value")
			ids, users = append(ids, id), append(users, user)
			return m{"type": "identify", "userId": user, "messageId": id, "traits": traits}
		}
		byResidence := event(m{"address": m{"country": "US", "street": v.c.text("street")}, "email": v.c.email("email")})
		byPhone := event(m{"phone": v.c.american("phone")})
		batched := event(m{"phone": v.c.american("phone"), "address": m{"country": "usa"}})
		record := m{"id": v.c.text("id"), "kind": "track", "service": "cdp", "data": m{"country": "US", v.c.text("key"): v.c.text("value")},
			"subjects": []m{{"type": "user_id", "value": v.c.text("user_id")}}}
		ids = append(ids, record["id"].(string))
		sms := twilioMessage(v.c)
		sms.body["From"] = v.c.american("From")
		ids = append(ids, sms.clientID)
		irish := m{"type": "identify", "userId": "at-home", "messageId": "home-1", "traits": m{"phone": "+353831234567"}}

		key := basic(ie1.Sources["segment"].WriteKey)
		for _, e := range []m{byResidence, byPhone} {
			p := ie1.send(t, "POST", "/v1/identify", key, encode(t, e)).want(t, 421).problem(t)
			if p.Reason != "subject.elsewhere" || p.URL != us1.URL {
				t.Errorf("answer %+v, want the address of us1", p)
			}
		}
		type refusal struct {
			Index               int
			Reason, Region, URL string
		}
		var part struct {
			Success           bool
			Accepted          int
			Refused           []refusal
			Duplicate, Counts int
		}
		want := refusal{1, "subject.elsewhere", "us1", us1.URL}
		ie1.segment(t, "/v1/batch", m{"batch": []m{irish, batched}}).into(t, &part)
		if !part.Success || len(part.Refused) != 1 || part.Refused[0] != want {
			t.Errorf("a batch is answered %+v", part)
		}
		want.Index, part.Refused = 0, nil
		ie1.native(t, record).into(t, &part)
		if len(part.Refused) != 1 || part.Refused[0] != want || part.Accepted != 0 {
			t.Errorf("a native record is answered %+v", part)
		}
		path, token, _ := v.vendor(t, ie1, "twilio")
		body, h := twilioForm(sms, token, ie1.URL+path)
		ie1.send(t, "POST", path, h, body).want(t, 200) // a vendor would only send it again

		// In the wrong region there is nobody and nothing, but a count.
		if n := accepted(t, ie1); n != 1 {
			t.Errorf("ie1 accepted %d, want 1", n)
		}
		for _, user := range users {
			ie1.lookup(t, "user_id", user).want(t, 404)
		}
		for _, id := range ids {
			if got := ie1.byClientID(t, id); len(got) != 0 {
				t.Errorf("ie1 has %d records of a refused event", len(got))
			}
		}
		refused := ie1.api(t, "GET", "/refusals", nil).want(t, 200)
		if n := strings.Count(string(refused.body), `"subject.elsewhere"`); n != 3 { // by source
			t.Errorf("the refusals of %d sources are counted: %s", n, refused.body)
		}

		// Their home takes the same.
		us1.segment(t, "/v1/batch", m{"batch": []m{byResidence, byPhone, batched}})
		us1.native(t, record)
		path, token, _ = v.vendor(t, us1, "twilio")
		body, h = twilioForm(sms, token, us1.URL+path)
		us1.send(t, "POST", path, h, body).want(t, 200)
		for _, id := range ids {
			if got := us1.byClientID(t, id); len(got) != 1 {
				t.Errorf("us1 has %d records of an event, want 1", len(got))
			}
		}

		// Rules that change move nobody: who is known stays, and what is new goes by the new rules.
		w.place(t, `[{"by":"phone_country","countries":{"*":"us1"}}]`)
		irish["messageId"] = "home-2"
		ie1.segment(t, "/v1/identify", irish)
		if n := len(ie1.byClientID(t, "home-2")); n != 1 {
			t.Errorf("ie1 has %d records of a person whom it knows, want 1", n)
		}

		hay, found := newHaystack(v.c.list), sightings{}
		for _, r := range w.up.Regions {
			hay.inTree(t, found, w.data(r))
		}
		if w.pg != nil {
			hay.inTree(t, found, w.pg.data)
		}
		v.searchOutside(t, hay, found)
		found.report(t)
	})
}
