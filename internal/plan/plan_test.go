package plan_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/plan"
	"domicile.dev/internal/term"
	"github.com/google/go-cmp/cmp"
)

// outcome is what became of one event: what is kept as unclassified and as anything else, JSON, or
// why it was refused; and what was found.
type outcome struct {
	Unclassified, Other string
	Refused             string
	Found               []string
}

func outcomeOf(t testing.TB, b *ingest.Batch) outcome {
	t.Helper()
	e := &b.Events[0]
	var out outcome
	for _, f := range e.Findings {
		line := fmt.Sprintf("%s %s %s %s %s", f.What, f.Event, f.Path, f.Rule, f.Done)
		if f.Looks != "" {
			line += fmt.Sprintf(" %s %s/%s", f.Looks, f.Suggest.Category, f.Suggest.Element)
		}
		if f.N > 1 {
			line += fmt.Sprintf(" x%d", f.N)
		}
		out.Found = append(out.Found, strings.Join(strings.Fields(line), " "))
	}
	slices.Sort(out.Found)
	if e.Refused != nil {
		out.Refused = strings.TrimSpace(e.Refused.Reason + " " + b.Path(e))
		return out
	}
	var other [][]byte
	for _, f := range e.Fragments {
		if f.Category == term.Unclassified {
			out.Unclassified = text(t, f.JSON)
		} else {
			other = append(other, f.JSON)
		}
	}
	merged, err := ingest.Merge(other)
	if err != nil {
		t.Fatal(err)
	}
	out.Other = text(t, merged)
	return out
}

// text returns what of an event is properties, traits or a name, without white space.
func text(t testing.TB, b []byte) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	for _, name := range []string{"type", "userId", "messageId"} {
		delete(v, name)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

const (
	keepAll   = ""
	dropProps = "    unplanned_property: drop"
	refuseAll = "    unplanned_event: refuse\n    unplanned_property: refuse_event\n    invalid: refuse_event"
)

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name, settings, path, event string
		want                        outcome
	}{
		{"what is planned stays where its kind has it", keepAll, "track",
			`"event":"Order Completed","properties":{"order_id":"o1","total":9.5,"utm_source":"x","customer":{"tier":"gold"},"extra":{"any":{"thing":1}}}`,
			outcome{Unclassified: "", Other: `{"event":"Order Completed","properties":{"customer":{"tier":"gold"},"extra":{"any":{"thing":1}},"order_id":"o1","total":9.5,"utm_source":"x"}}`}},
		{"an unplanned property is unclassified", keepAll, "track",
			`"event":"Order Completed","properties":{"order_id":"o1","email":"ann@example.com","customer":{"tier":"gold","shoe":7}}`,
			outcome{Unclassified: `{"properties":{"customer":{"shoe":7},"email":"ann@example.com"}}`, Other: `{"event":"Order Completed","properties":{"customer":{"tier":"gold"},"order_id":"o1"}}`,
				Found: []string{"unplanned_property Order Completed properties.customer.* unclassified",
					"unplanned_property Order Completed properties.email unclassified email_address contact_data/email_address"}}},
		{"an unplanned property is dropped, in lists too", dropProps, "track",
			`"event":"Order Completed","properties":{"a":1,"order_id":"o1", "products":[{"sku":"s","b":2},{"c":[1],"sku":"t"} , {"d":1,"sku":"u","e":{"f":[]}}],"z":{"y":1}}`,
			outcome{Other: `{"event":"Order Completed","properties":{"order_id":"o1","products":[{"sku":"s"},{"sku":"t"},{"sku":"u"}]}}`,
				Found: []string{"unplanned_property Order Completed properties.* dropped x2", "unplanned_property Order Completed properties.products.* dropped x4"}}},
		{"a list with something unplanned is set aside whole", keepAll, "track",
			`"event":"Order Completed","properties":{"order_id":"o1","products":[{"sku":"s","phone":"+353 1 555 0100"}]}`,
			outcome{Unclassified: `{"properties":{"products":[{"phone":"+353 1 555 0100","sku":"s"}]}}`, Other: `{"event":"Order Completed","properties":{"order_id":"o1"}}`,
				Found: []string{"unplanned_property Order Completed properties.products.phone unclassified phone_number contact_data/phone_number"}}},
		{"an unplanned property refuses the event", refuseAll, "track",
			`"event":"Order Completed","properties":{"order_id":"o1","ann@example.com":1}`,
			outcome{Refused: "plan.unplanned_property properties.*.*", Found: []string{"unplanned_property Order Completed properties.*.* refused"}}},
		{"an unplanned event is unclassified with its name", keepAll, "track",
			`"event":"Call Ann Smith","properties":{"order_id":"o1"}`,
			outcome{Unclassified: `{"event":"Call Ann Smith","properties":{"order_id":"o1"}}`, Other: `{}`, Found: []string{"unplanned_event * event unclassified"}}},
		{"an event's name is matched exactly", keepAll, "track", `"event":"order completed"`,
			outcome{Unclassified: `{"event":"order completed"}`, Other: `{}`, Found: []string{"unplanned_event * event unclassified"}}},
		{"an unplanned event is refused", refuseAll, "track", `"event":"Call Ann Smith","properties":{}`,
			outcome{Refused: "plan.unplanned_event event", Found: []string{"unplanned_event * event refused"}}},
		{"an event without a name is unplanned", refuseAll, "track", `"properties":{}`,
			outcome{Refused: "plan.unplanned_event event", Found: []string{"unplanned_event * event refused"}}},
		{"an invalid property is unclassified", keepAll, "track",
			`"event":"Order Completed","properties":{"order_id":"o1","total":"ann@example.com"}`,
			outcome{Unclassified: `{"properties":{"total":"ann@example.com"}}`, Other: `{"event":"Order Completed","properties":{"order_id":"o1"}}`,
				Found: []string{"invalid Order Completed properties.total type unclassified"}}},
		{"several are", keepAll, "track",
			`"event":"Order Completed","properties":{"order_id":7,"total":-1,"customer":{"tier":"lead"},"products":[{"price":1}]}`,
			outcome{Unclassified: `{"properties":{"customer":{"tier":"lead"},"order_id":7,"products":[{"price":1}],"total":-1}}`, Other: `{"event":"Order Completed"}`,
				Found: []string{"invalid Order Completed properties.customer.tier enum unclassified", "invalid Order Completed properties.order_id type unclassified",
					"invalid Order Completed properties.products.sku required unclassified", "invalid Order Completed properties.total minimum unclassified"}}},
		{"what is missing can only be counted", keepAll, "track", `"event":"Order Completed","properties":{"total":1}`,
			outcome{Other: `{"event":"Order Completed","properties":{"total":1}}`, Found: []string{"invalid Order Completed properties.order_id required unclassified"}}},
		{"or refused", refuseAll, "track", `"event":"Order Completed"`,
			outcome{Refused: "plan.invalid properties.order_id", Found: []string{"invalid Order Completed properties.order_id required refused"}}},
		{"properties that are no object are invalid", keepAll, "track", `"event":"Order Completed","properties":"ann@example.com"`,
			outcome{Unclassified: `{"properties":"ann@example.com"}`, Other: `{"event":"Order Completed"}`, Found: []string{"invalid Order Completed properties type unclassified"}}},
		{"a schema that allows nothing", refuseAll, "track", `"event":"Empty","properties":{"a":1}`,
			outcome{Refused: "plan.unplanned_property properties.*", Found: []string{"unplanned_property Empty properties.* refused"}}},
		{"nothing fits it", refuseAll, "track", `"event":"Empty"`, outcome{Other: `{"event":"Empty"}`}},
		{"any page, by its properties", refuseAll, "page", `"name":"Home","properties":{"url":"https://example.com/"}`,
			outcome{Other: `{"name":"Home","properties":{"url":"https://example.com/"}}`}},
		{"a page's properties, too", refuseAll, "page", `"properties":{"url":"no url"}`,
			outcome{Refused: "plan.invalid properties.url", Found: []string{"invalid properties.url format refused"}}},
		{"an identify's traits", keepAll, "identify", `"traits":{"email":"ann@example.com","age":"12","dob":"1990-01-31"}`,
			outcome{Unclassified: `{"traits":{"age":"12","dob":"1990-01-31"}}`, Other: `{"traits":{"email":"ann@example.com"}}`,
				Found: []string{"invalid traits.age type unclassified", "unplanned_property traits.dob unclassified date_of_birth /"}}},
		{"and those that RudderStack puts in the context", keepAll, "identify", `"context":{"traits":{"email":"ann@example.com","iban":"IE29AIBK93115212345678"}}`,
			outcome{Unclassified: `{"context":{"traits":{"iban":"IE29AIBK93115212345678"}}}`, Other: `{"context":{"traits":{"email":"ann@example.com"}}}`,
				Found: []string{"unplanned_property context.traits.iban unclassified bank_account purchase_payment_data/"}}},
		{"a kind that the plan doesn't name is not judged", refuseAll, "screen", `"name":"x","properties":{"a":1}`,
			outcome{Other: `{"name":"x","properties":{"a":1}}`}},
		{"exact places are dropped of what is set aside, and stay in what is planned", keepAll, "track",
			`"event":"Order Completed","properties":{"order_id":"o1","place":{"lat":53.3498,"lng":-6.2603},"home":{"lat":53.3498,"lng":-6.2603,"x":1}}`,
			outcome{Unclassified: `{"properties":{"home":{"x":1}}}`, Other: `{"event":"Order Completed","properties":{"order_id":"o1","place":{"lat":53.3498,"lng":-6.2603}}}`,
				Found: []string{"coordinates properties.*.lat dropped coordinates /", "coordinates properties.*.lng dropped coordinates /",
					"unplanned_property Order Completed properties.* unclassified"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := kinds(t, strings.Replace(shop, "SETTINGS", tt.settings, 1))
			body := `{"userId":"u1","messageId":"m1",` + tt.event + `}`
			got := outcomeOf(t, decode(t, k, "/v1/"+tt.path, body))
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("-got +want\n%s", diff)
			}
		})
	}
}

// A number whose exact value would fill memory is of no type that a schema allows.
func TestHugeNumbersAreInvalid(t *testing.T) {
	k := kinds(t, strings.Replace(shop, "SETTINGS", refuseAll, 1))
	for number, want := range map[string]string{
		"1e99999999": "plan.invalid properties.total", "1E+309": "plan.invalid properties.total", "-0.1e-999999999": "plan.invalid properties.total",
		strings.Repeat("9", 65): "plan.invalid properties.total", "1e308": "", strings.Repeat("9", 64): "", "1e0000000000000000000001": "",
	} {
		b := decode(t, k, "/v1/track", `{"userId":"u1","event":"Order Completed","properties":{"order_id":"o1","total":`+number+`}}`)
		got := ""
		if r := b.Events[0].Refused; r != nil {
			got = r.Reason + " " + b.Path(&b.Events[0])
		}
		if got != want {
			t.Errorf("%.20s: %q, want %q", number, got, want)
		}
	}
}

func TestTheFirstPlanThatFitsASourceHolds(t *testing.T) {
	p := load(t, `plans:
  - {id: one, sources: [{tenant: acme, source: web}, {source: src_ie1_7}], unplanned_event: refuse, events: [{kind: track, event: A, schema: {type: object}}]}
  - {id: two, sources: [{tenant: acme, adapter: segment}], unplanned_event: refuse, events: [{kind: track, event: B, schema: {type: object}}]}
`)
	base := ingesttest.Env(t).Kinds
	set, err := plan.Compile(p, base)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		src  plan.Source
		want string // the events that are let in
	}{
		{"by tenant and name", plan.Source{Tenant: "acme", Name: "web", Adapter: "segment"}, "A"},
		{"by id", plan.Source{Tenant: "other", ID: "src_ie1_7", Adapter: "segment"}, "A"},
		{"by adapter", plan.Source{Tenant: "acme", Name: "shop", Adapter: "segment"}, "B"},
		{"another tenant's has none", plan.Source{Tenant: "other", Name: "web", Adapter: "segment"}, "A B"},
		{"another adapter's has none", plan.Source{Tenant: "acme", Name: "feed", Adapter: "native"}, "A B"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := set.Kinds(tt.src)
			var in []string
			for _, name := range []string{"A", "B"} {
				if e := decode(t, k, "/v1/track", `{"userId":"u","event":"`+name+`"}`).Events[0]; e.Refused == nil {
					in = append(in, name)
				}
			}
			if got := strings.Join(in, " "); got != tt.want {
				t.Errorf("lets in %q, want %q", got, tt.want)
			}
			if planned := k.Kind("cdp", "track") != base.Kind("cdp", "track"); planned != (tt.want != "A B") {
				t.Errorf("the kind is another: %v", planned)
			}
		})
	}
}

// A plan for records of other protocols is about all of their data, or a place in it.
func TestOtherKinds(t *testing.T) {
	p := load(t, `plans:
  - id: feed
    sources: [{adapter: native}]
    invalid: refuse_event
    events:
      - {kind: message, schema: {type: object, properties: {body: {type: string, maxLength: 5}, media: {$ref: '#/$defs/list'}}, $defs: {list: {type: array, items: {$ref: '#/$defs/list'}}}}}
`)
	set, err := plan.Compile(p, ingesttest.Env(t).Kinds)
	if err != nil {
		t.Fatal(err)
	}
	k := set.Kinds(plan.Source{Adapter: "native"})
	for data, want := range map[string]string{
		`{"body":"hi","media":[[],[[]]]}`: "",
		`{"body":"hello you"}`:            "plan.invalid body",
		`{"body":"hi","media":[[1]]}`:     "plan.invalid media",
	} {
		b := nativeBatch(t, k, data)
		got := ""
		if r := b.Events[0].Refused; r != nil {
			got = r.Reason + " " + b.Path(&b.Events[0])
		}
		if got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
	b := nativeBatch(t, k, `{"body":"hi","nickname":"x"}`)
	if out := outcomeOf(t, b); out.Unclassified != `{"nickname":"x"}` {
		t.Errorf("%+v", out)
	}
}

// What is dropped names nobody either.
func TestADroppedTraitIsNoIdentifier(t *testing.T) {
	const traits = `{"userId":"u1","messageId":"m1","traits":{"email":"ann@example.com","phone":"+353 1 555 0100"}}`
	for settings, want := range map[string]int{keepAll: 3, dropProps: 2} { // the phone is not in the plan
		b := decode(t, kinds(t, strings.Replace(shop, "SETTINGS", settings, 1)), "/v1/identify", traits)
		if got := len(b.Events[0].Identifiers); got != want {
			t.Errorf("%q: %d identifiers, want %d", settings, got, want)
		}
	}
}

// With more faults than are looked at, nothing of the properties counts as planned.
func TestManyFaults(t *testing.T) {
	k := kinds(t, strings.Replace(shop, "SETTINGS", keepAll, 1))
	var list []string
	for i := range 300 {
		list = append(list, fmt.Sprintf(`"utm_%d":%d`, i, i))
	}
	got := outcomeOf(t, decode(t, k, "/v1/track", `{"userId":"u1","event":"Order Completed","properties":{"order_id":"o1",`+strings.Join(list, ",")+`}}`))
	if got.Other != `{"event":"Order Completed"}` || !strings.Contains(got.Unclassified, `"utm_299":299`) || !strings.Contains(got.Unclassified, "order_id") {
		t.Errorf("%+v", got)
	}
	if want := []string{"invalid Order Completed properties.* type unclassified x256"}; !cmp.Equal(got.Found, want) {
		t.Errorf("found %q, want %q", got.Found, want)
	}
}

// Alternatives can multiply without end: whether the 14th name from the end is a is what this asks.
func TestWhatAlternativesMultiplyToIsBounded(t *testing.T) {
	defs := `s0: {properties: {a: {anyOf: [{$ref: '#/$defs/s0'}, {$ref: '#/$defs/s1'}]}, b: {$ref: '#/$defs/s0'}}}`
	for i := 1; i < 15; i++ {
		defs += fmt.Sprintf(", s%d: {properties: {a: {$ref: '#/$defs/s%d'}, b: {$ref: '#/$defs/s%d'}}}", i, i+1, i+1)
	}
	p := load(t, `plans:
  - id: wide
    sources: [{adapter: segment}]
    events:
      - {kind: track, event: A, schema: {$ref: '#/$defs/s0', $defs: {`+defs+`, s15: {type: object}}}}
`)
	_, err := plan.Compile(p, ingesttest.Env(t).Kinds)
	if fault.ReasonOf(err) != "plan.schema_too_wide" || fault.ReasonOf(plan.Check(p)) != "plan.schema_too_wide" {
		t.Errorf("%v, want plan.schema_too_wide", err)
	}
	if err := plan.Check(load(t, "")); err != nil {
		t.Error(err)
	}
}
