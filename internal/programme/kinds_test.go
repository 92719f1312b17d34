package programme_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/term"
)

// classify is the rule of docs/formats/programme.md in its plainest form: of the paths that name
// a value or something above it, the longest wins, then the one with the later *.
func classify(rules []programme.Field, path []string) programme.Field {
	best, rank := programme.Field{Category: term.Unclassified}, -1
	for _, f := range rules {
		keys := strings.Split(f.Path, ".")
		if len(keys) > len(path) {
			continue
		}
		r := 0
		for i, k := range keys {
			if k != path[i] && k != "*" {
				r = -1
				break
			}
			if r *= 2; k != "*" {
				r++
			}
		}
		if r >= 0 && len(keys)<<20+r > rank {
			best, rank = f, len(keys)<<20+r
		}
	}
	return best
}

// paths yields the path of each leaf; lists are leaves.
func paths(v any, at []string, f func([]string)) {
	if m, ok := v.(map[string]any); ok {
		for k, e := range m {
			paths(e, append(slices.Clone(at), k), f)
		}
		return
	}
	f(at)
}

// testdata/events.json has one event of each kind from each SDK, as captured; people made up.
func TestEveryFieldThatTheSDKsSendIsClassified(t *testing.T) {
	p := example(t)
	b, err := os.ReadFile("testdata/events.json")
	if err != nil {
		t.Fatal(err)
	}
	var events []struct {
		Client, Kind string
		Event        map[string]any
	}
	if err := json.Unmarshal(b, &events); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, e := range events {
		kinds[e.Kind]++
		rules := p.Rules("cdp", e.Kind)
		categories := map[string]bool{}
		paths(e.Event, nil, func(path []string) {
			c := classify(rules, path).Category
			if c == term.Unclassified {
				t.Errorf("%s %s: %s is unclassified", e.Client, e.Kind, strings.Join(path, "."))
			}
			categories[c] = true
		})
		// Each category is a sealed part, so a typical event has four at most; choices and
		// RudderStack's copies of the traits come on top.
		delete(categories, "marketing_communications_data")
		if strings.HasPrefix(e.Client, "rudder") || e.Kind != "track" {
			delete(categories, "contact_data")
		}
		if len(categories) > 4 {
			t.Errorf("%s %s has the categories %v", e.Client, e.Kind, categories)
		}
	}
	for _, k := range p.Service("cdp").Kinds {
		if kinds[k] == 0 {
			t.Errorf("no event of kind %s was looked at", k)
		}
	}
}

func TestWhereFieldsGo(t *testing.T) {
	p := example(t)
	for _, tt := range []struct{ service, kind, path, category, owner string }{
		{"cdp", "track", "messageId", "electronic_communications_metadata", "subject"},
		{"cdp", "track", "timestamp", "electronic_communications_metadata", "subject"},
		{"cdp", "track", "context.library.version", "electronic_communications_metadata", "subject"},
		{"cdp", "track", "event", "online_activity_data", "subject"},
		{"cdp", "track", "context.page.url", "online_activity_data", "subject"},
		{"cdp", "track", "properties.email", "customer_content", "subject"},
		{"cdp", "track", "properties.url", "customer_content", "subject"},
		{"cdp", "page", "properties.url", "online_activity_data", "subject"},
		{"cdp", "page", "properties.plan", "customer_content", "subject"},
		{"cdp", "track", "context.ip", "device_data", "subject"},
		{"cdp", "track", "anonymousId", "device_data", "subject"},
		{"cdp", "track", "context.consent.categoryPreferences.Advertising", "marketing_communications_data", "subject"},
		{"cdp", "track", "context.traits.email", "contact_data", "subject"},
		{"cdp", "identify", "userId", "contact_data", "subject"},
		{"cdp", "identify", "traits.email", "contact_data", "subject"},
		{"cdp", "identify", "traits.address.city", "contact_data", "subject"},
		{"cdp", "identify", "traits.birthday", "customer_content", "subject"},
		{"cdp", "alias", "previousId", "contact_data", "subject"},
		{"cdp", "group", "groupId", "customer_content", "subject"},
		{"cdp", "track", "context.location.latitude", term.Unclassified, "subject"},
		{"cdp", "track", "surprise", term.Unclassified, "subject"},
		{"messaging", "message", "from", "electronic_communications_metadata", "sender"},
		{"messaging", "message", "to", "electronic_communications_metadata", "recipient"},
		{"messaging", "message", "body", "customer_content", "writer"},
		{"messaging", "message", "profile_name", "contact_data", "sender"},
		{"messaging", "message.status", "status", "electronic_communications_metadata", "writer"},
		{"voice", "call", "from", "electronic_communications_metadata", "sender"},
		{"voice", "recording", "media_url", "customer_content", "writer"},
		{"email", "email.event", "ip", "electronic_communications_metadata", "recipient"}, // the sending server's
		{"email", "email.event", "useragent", term.Unclassified, "subject"},               // a custom argument there
		{"email", "email.event", "price", term.Unclassified, "subject"},
		{"email", "email.engagement", "ip", "device_data", "recipient"},
		{"email", "email.engagement", "event", "online_activity_data", "recipient"},
		{"email", "email.engagement", "order_id", term.Unclassified, "subject"},
		{"messaging", "message", "image.caption", "customer_content", "writer"},
		{"messaging", "message", "contact.profile.name", "contact_data", "writer"},
		{"messaging", "message", "contacts", "customer_content", "writer"},
		{"messaging", "message.status", "recipient_user_id", "electronic_communications_metadata", "recipient"},
		{"custom", "cloudevent", "source", "electronic_communications_metadata", "writer"},
		{"custom", "cloudevent", "data.email", term.Unclassified, "subject"},
		{"custom", "cloudevent", "region", term.Unclassified, "subject"},
		{"email", "email.event", "url", "online_activity_data", "recipient"},
		{"chat", "conversation.message", "attributes.note", "customer_content", "writer"},
		{"video", "video.room", "status", "electronic_communications_metadata", "nobody"},
		{"video", "video.participant", "identity", "contact_data", "participant"},
	} {
		f := classify(p.Rules(tt.service, tt.kind), strings.Split(tt.path, "."))
		if f.Category != tt.category || f.OwnerOrDefault() != tt.owner {
			t.Errorf("%s %s %s: %s of the %s, want %s of the %s", tt.service, tt.kind, tt.path, f.Category, f.OwnerOrDefault(), tt.category, tt.owner)
		}
	}
}

func TestContentGoesBeforeMetadata(t *testing.T) {
	p := example(t)
	for _, tt := range []struct {
		service, kind, category string
		want                    uint16
	}{
		{"messaging", "message", "customer_content", 30},
		{"messaging", "message", "electronic_communications_metadata", 120},
		{"messaging", "message", term.Unclassified, 30}, // it may be content
		{"voice", "transcription", "customer_content", 30},
		{"voice", "call", "contact_data", 120},
	} {
		if got := p.RetentionDays(tt.service, tt.kind, tt.category); got != tt.want {
			t.Errorf("%s %s %s is kept %d days, want %d", tt.service, tt.kind, tt.category, got, tt.want)
		}
	}
	for k := range p.KindRules() { // one class for the CDP, so one row for each commit group
		for _, c := range p.Categories {
			if k.Service == "cdp" && p.RetentionDays("cdp", k.Kind, c.ID) != 0 {
				t.Errorf("cdp %s %s is kept %d days", k.Kind, c.ID, p.RetentionDays("cdp", k.Kind, c.ID))
			}
		}
	}
}

func TestTheExampleNamesItsSourceAndNobodysContacts(t *testing.T) {
	p := example(t)
	if want := "Transcribed from public documents of 2021–2026; no company's statement."; p.Organisation.Statement != want {
		t.Errorf("statement %q, want %q", p.Organisation.Statement, want)
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, not := range []string{"@twilio.com", "www.twilio.com", "Spear Street", "Rogerson"} {
		if strings.Contains(string(b), not) {
			t.Errorf("the example holds %q, a contact of the source", not)
		}
	}
	var running []string
	for r := range p.RunningRegions() {
		running = append(running, r.ID+" "+r.Country)
	}
	if want := []string{"ie1 IE", "us1 US", "au1 AU"}; !slices.Equal(running, want) {
		t.Errorf("running %v, want %v", running, want)
	}
	if sg := p.Region("sg1"); sg == nil || sg.Running || sg.Country != "SG" {
		t.Errorf("sg1 = %+v, want declared and not run", sg)
	}
}
