package e2e

import (
	"time"
)

// A call is one event or record whose every free value and key is a canary.
type call struct {
	body     m
	clientID string
	within   []canary // what was put in it
}

// collect makes a call and notes which canaries were made for it.
func (c *canaries) collect(make func() (body m, clientID string)) call {
	before := len(c.list)
	body, id := make()
	return call{body, id, c.list[before:len(c.list):len(c.list)]}
}

// segmentCalls are the six calls of the Segment specification, each with every field that its
// common fields, its own fields and the browser and mobile SDKs know. All are of one person.
func segmentCalls(c *canaries) []call {
	user, anonymous := c.text("userId"), c.text("anonymousId")
	own := map[string]func(w string) m{
		"identify": func(w string) m { return m{"traits": traits(c, w+".traits")} },
		"track": func(w string) m {
			return m{"event": c.text(w + ".event"), "properties": free(c, w+".properties")}
		},
		"page": func(w string) m {
			p := free(c, w+".properties")
			for _, k := range []string{"url", "path", "referrer", "search", "title", "name", "category"} {
				p[k] = c.odd(w + ".properties." + k)
			}
			return m{"name": c.text(w + ".name"), "category": c.text(w + ".category"), "properties": p}
		},
		"screen": func(w string) m {
			return m{"name": c.text(w + ".name"), "category": c.text(w + ".category"), "properties": free(c, w+".properties")}
		},
		"group": func(w string) m {
			return m{"groupId": c.text(w + ".groupId"), "traits": traits(c, w+".traits")}
		},
		"alias": func(w string) m { return m{"previousId": anonymous} },
	}
	var calls []call
	for _, typ := range []string{"identify", "track", "page", "screen", "group", "alias"} {
		calls = append(calls, c.collect(func() (m, string) {
			body := m{
				"type": typ, "userId": user, "anonymousId": anonymous, "messageId": c.text(typ + ".messageId"),
				"timestamp": time.Now().UTC().Format(time.RFC3339Nano), "sentAt": time.Now().UTC().Format(time.RFC3339Nano),
				"context":            contextOf(c, typ+".context"),
				"integrations":       m{"All": true, c.text(typ + ".integrations key"): m{"clientId": c.text(typ + ".integrations value")}},
				"_metadata":          m{"nodeVersion": c.text(typ + "._metadata.nodeVersion"), "bundled": []string{c.text(typ + "._metadata.bundled")}},
				c.text(typ + " key"): c.text(typ + " value"),
			}
			for k, v := range own[typ](typ) {
				body[k] = v
			}
			return body, body["messageId"].(string)
		}))
	}
	return calls
}

// free is an object of the tenant's own making: keys can be data too.
func free(c *canaries, w string) m {
	return m{
		c.text(w + " key"):           c.odd(w + " value"),
		c.text(w+" key") + ".dotted": c.text(w + " value"),
		c.email(w + " key"):          true,
		c.text(w + " nested key"):    m{c.text(w + " deep key"): []any{c.text(w + " element"), m{c.text(w + " element key"): c.number(w + " element number")}}},
		"products":                   []m{{"product_id": c.text(w + ".products.product_id"), c.text(w + ".products key"): c.text(w + ".products value")}},
		"revenue":                    c.number(w + ".revenue"),
		"email":                      c.email(w + ".email"),
		"phone":                      c.phone(w + ".phone"),
		"note":                       c.odd(w+".note") + " said " + c.email(w+".note e-mail") + " of " + c.phone(w+".note phone"),
	}
}

// traits are the reserved traits of identify and group, and free ones.
func traits(c *canaries, w string) m {
	t := free(c, w)
	for _, k := range []string{"avatar", "description", "firstName", "lastName", "name", "gender", "id", "title", "username",
		"website", "industry", "plan", "birthday", "password", "ssn"} {
		t[k] = c.odd(w + "." + k)
	}
	t["age"] = c.number(w + ".age")
	t["address"] = m{"city": c.text(w + ".address.city"), "country": c.text(w + ".address.country"), "postalCode": c.text(w + ".address.postalCode"),
		"state": c.text(w + ".address.state"), "street": c.odd(w + ".address.street"), c.text(w + ".address key"): c.text(w + ".address value")}
	t["company"] = m{"name": c.odd(w + ".company.name"), "id": c.text(w + ".company.id"), "industry": c.text(w + ".company.industry"),
		"employee_count": c.number(w + ".company.employee_count"), "plan": c.text(w + ".company.plan")}
	return t
}

// contextOf is every field of the common context.
func contextOf(c *canaries, w string) m {
	named := func(at string, keys ...string) m {
		o := m{c.text(w + "." + at + " key"): c.text(w + "." + at + " value")}
		for _, k := range keys {
			o[k] = c.odd(w + "." + at + "." + k)
		}
		return o
	}
	return m{
		"active":           true,
		"app":              named("app", "name", "version", "build", "namespace"),
		"campaign":         named("campaign", "name", "source", "medium", "term", "content"),
		"channel":          c.text(w + ".channel"),
		"consent":          m{"categoryPreferences": m{c.text(w + ".consent key"): false, "Analytics": true}},
		"device":           named("device", "id", "advertisingId", "manufacturer", "model", "name", "type", "version", "token"),
		"direct":           true,
		"ip":               c.ip(w + ".ip"),
		"library":          named("library", "name", "version"),
		"locale":           c.text(w + ".locale"),
		"location":         named("location", "city", "country", "region"),
		"network":          named("network", "carrier"),
		"os":               named("os", "name", "version"),
		"page":             named("page", "path", "referrer", "search", "title", "url"),
		"referrer":         named("referrer", "id", "type", "name", "url", "link"),
		"screen":           m{"density": c.number(w + ".screen.density"), "height": c.number(w + ".screen.height"), "width": c.number(w + ".screen.width")},
		"sessionId":        c.number(w + ".sessionId"),
		"groupId":          c.text(w + ".groupId"),
		"timezone":         c.text(w + ".timezone"),
		"traits":           m{"email": c.email(w + ".traits.email"), "phone": c.phone(w + ".traits.phone"), c.text(w + ".traits key"): c.text(w + ".traits value")},
		"userAgent":        c.odd(w + ".userAgent"),
		"userAgentData":    m{"mobile": false, "platform": c.text(w + ".userAgentData.platform"), "brands": []m{{"brand": c.text(w + ".userAgentData.brand"), "version": c.text(w + ".userAgentData.version")}}},
		c.text(w + " key"): c.text(w + " value"),
	}
}

// nativeRecords are records of people known by each type of identifier, in each role.
func nativeRecords(c *canaries) []call {
	people := []m{
		{"type": "email", "value": c.email("native email"), "role": "subject"},
		{"type": "phone", "value": c.phone("native phone"), "role": "sender"},
		{"type": "user_id", "value": c.text("native user_id"), "role": "recipient"},
		{"type": "anonymous_id", "value": c.text("native anonymous_id"), "role": "subject"},
		{"type": "device_id", "value": c.text("native device_id"), "role": "subject"},
		{"type": "whatsapp_id", "value": "IE." + c.add("native whatsapp_id", "8"+digits(15)), "role": "recipient"},
		{"type": "identity", "value": c.text("native identity"), "role": "participant"},
		{"type": "loyalty_card", "value": c.text("native own type"), "role": "subject"},
	}
	var calls []call
	for _, kind := range []struct{ service, kind string }{{"cdp", "track"}, {"messaging", "message"}} {
		for _, p := range people {
			calls = append(calls, c.collect(func() (m, string) {
				w := "native " + kind.kind
				id := c.text(w + ".id")
				return m{
					"id": id, "kind": kind.kind, "service": kind.service, "occurred_at": time.Now().UTC().Format(time.RFC3339),
					"subjects": []m{p}, "data": free(c, w+".data"),
				}, id
			}))
		}
	}
	return calls
}
