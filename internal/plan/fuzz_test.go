package plan_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/plan"
	"pgregory.net/rapid"
)

// values draws a JSON value. Some names are the plan's, none is that of a place.
func values(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kind := rapid.IntRange(0, 6).Draw(t, "kind")
		if depth == 0 {
			kind %= 5
		}
		switch kind {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.Float64Range(-1e6, 1e6).Draw(t, "number")
		case 3:
			return rapid.SampledFrom([]string{"", "gold", "ann@example.com", "+353 1 555 0100", "\"\\\n", "2026-01-05"}).Draw(t, "text")
		case 4:
			return rapid.IntRange(-5, 5000).Draw(t, "whole")
		case 5:
			return rapid.SliceOfN(values(depth-1), 0, 3).Draw(t, "list")
		}
		return rapid.MapOfN(rapid.SampledFrom([]string{"order_id", "total", "customer", "tier", "products", "sku", "price", "extra", "utm_x", "email", "a.b", "ann"}),
			values(depth-1), 0, 4).Draw(t, "object")
	})
}

func bodies() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		e := map[string]any{"type": rapid.SampledFrom([]string{"track", "page", "screen", "identify", "group"}).Draw(t, "type"), "userId": "u1", "messageId": "m1",
			"event": rapid.SampledFrom([]string{"Order Completed", "Other", "Empty"}).Draw(t, "event"), "properties": values(3).Draw(t, "properties")}
		if rapid.Bool().Draw(t, "traits") {
			e["traits"] = values(2).Draw(t, "traits value")
			e["context"] = map[string]any{"traits": values(1).Draw(t, "context traits")}
		}
		body, err := json.Marshal(map[string]any{"batch": []any{e}})
		if err != nil {
			t.Fatal(err)
		}
		return body
	})
}

func described(t *testing.T, k ingest.Kinds, body []byte) string {
	b, err := segment.Decode("/v1/batch", body, ingest.Env{ReceivedAt: ingesttest.Received, Kinds: k, Service: "cdp"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	e := &b.Events[0]
	out := fmt.Sprintf("%+v %v", ingesttest.Describe(t, b, 0), e.Findings)
	for _, f := range e.Fragments {
		out += fmt.Sprintf("\n%d %s %s %s", f.Slot, f.Category, f.Owner, f.JSON)
	}
	return out
}

// TestWithoutAPlanNothingChanges: a source that no plan is for gets the programme's own kinds, and a
// plan in which everything is planned makes the same records to the byte.
func TestWithoutAPlanNothingChanges(t *testing.T) {
	base := ingesttest.Env(t).Kinds
	set, err := plan.Compile(load(t, strings.Replace(shop, "SETTINGS", refuseAll, 1)), base)
	if err != nil {
		t.Fatal(err)
	}
	if none := set.Kinds(plan.Source{Tenant: "acme", Adapter: "native"}); !reflect.DeepEqual(none, base) || none.Kind("cdp", "track") != base.Kind("cdp", "track") {
		t.Error("a source without a plan has other kinds")
	}
	open := kinds(t, `plans:
  - id: open
    sources: [{adapter: segment}]
    invalid: refuse_event
    unplanned_property: refuse_event
    events:
      - {kind: track, event: Order Completed, schema: {}}
      - {kind: track, event: Other, schema: {additionalProperties: true, properties: {total: {}}}}
      - {kind: track, event: Empty, schema: {anyOf: [{type: object}]}}
      - {kind: page, schema: {}}
      - {kind: screen, schema: {}}
      - {kind: identify, schema: {}}
      - {kind: group, schema: {}}
`)
	rapid.Check(t, func(rt *rapid.T) {
		body := bodies().Draw(rt, "body")
		var v struct{ Batch []map[string]any }
		if err := json.Unmarshal(body, &v); err != nil {
			rt.Fatal(err)
		}
		context, _ := v.Batch[0]["context"].(map[string]any)
		for _, section := range []any{v.Batch[0]["properties"], v.Batch[0]["traits"], context["traits"]} {
			if !isObject(section) { // which no plan lets be
				return
			}
		}
		if with, without := described(t, open, body), described(t, base, body); with != without {
			rt.Fatalf("with:\n%s\nwithout:\n%s", with, without)
		}
	})
}

func isObject(v any) bool {
	if v == nil {
		return true
	}
	_, ok := v.(map[string]any)
	return ok
}

// TestWhatIsKeptIsAllThere: whatever is set aside, an event that is kept is the one that was sent.
func TestWhatIsKeptIsAllThere(t *testing.T) {
	k := kinds(t, strings.Replace(shop, "SETTINGS", keepAll, 1))
	rapid.Check(t, func(rt *rapid.T) {
		body := bodies().Draw(rt, "body")
		b, err := segment.Decode("/v1/batch", body, ingest.Env{ReceivedAt: ingesttest.Received, Kinds: k, Service: "cdp"})
		if err != nil {
			rt.Fatal(err)
		}
		defer b.Release()
		var sent struct{ Batch []map[string]any }
		if err := json.Unmarshal(body, &sent); err != nil {
			rt.Fatal(err)
		}
		e := &b.Events[0]
		if e.Refused != nil {
			rt.Fatalf("refused: %+v", e.Refused)
		}
		if got := ingesttest.Data(t, e); !reflect.DeepEqual(prune(got), prune(sent.Batch[0])) {
			rt.Fatalf("kept %v of %v", got, sent.Batch[0])
		}
	})
}

// prune drops what merging can't bring back: objects that became empty.
func prune(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for name, inner := range m {
		if p := prune(inner); !reflect.DeepEqual(p, map[string]any{}) {
			out[name] = p
		}
	}
	return out
}

// FuzzJudge: no body makes a judge panic, and what comes out is whole or refused. What a strict plan
// lets in holds nothing unclassified in its properties, and nothing at all is found in it again.
func FuzzJudge(f *testing.F) {
	for _, seed := range []string{
		`{"userId":"u","event":"Order Completed","properties":{"order_id":"o","total":1e999,"products":[{"sku":"s","x":[{"lat":1.234}]}]}}`,
		`{"userId":"u","event":"Order Completed","properties":{"place":{"lat":53.3498,"lng":-6.26},"home":{"latitude":"53.3498"},"A":{"x":{}}}}`,
		`{"userId":"u","event":"Empty","properties":{"":{"":[[]]}}}`, `{"userId":"u","properties":[]}`, `{"userId":"u","event":"\u00e9","properties":null,"traits":{"email":1}}`,
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(1))
	}
	var sets [3]ingest.Kinds
	for i, settings := range []string{keepAll, dropProps, refuseAll} {
		sets[i] = kinds(f, strings.Replace(shop, "SETTINGS", settings, 1))
	}
	f.Fuzz(func(t *testing.T, body []byte, which uint8) {
		path := []string{"/v1/track", "/v1/page", "/v1/identify", "/v1/batch"}[which>>2%4]
		env := ingest.Env{ReceivedAt: ingesttest.Received, Kinds: sets[which%3], Service: "cdp"}
		b, err := segment.Decode(path, body, env)
		if err != nil {
			return
		}
		defer b.Release()
		for i := range b.Events {
			e := &b.Events[i]
			_ = b.Path(e)
			for _, found := range e.Findings {
				if found.What == "" || found.Done == "" || found.N < 1 {
					t.Errorf("found %+v", found)
				}
			}
			if e.Refused != nil {
				continue
			}
			var parts [][]byte
			for _, fragment := range e.Fragments {
				if !json.Valid(fragment.JSON) {
					t.Fatalf("no JSON: %q of %q", fragment.JSON, body)
				}
				parts = append(parts, fragment.JSON)
			}
			merged, err := ingest.Merge(parts)
			if err != nil {
				t.Fatalf("fragments of %q: %v", body, err)
			}
			if which%3 == 1 && len(e.Findings) > 0 {
				again, err := segment.Decode("/v1/"+e.Kind.Name, merged, env)
				if err != nil {
					t.Fatalf("%q: %v", merged, err)
				}
				for _, found := range again.Events[0].Findings {
					if found.Done == ingest.DoneDropped {
						t.Errorf("what was dropped of %q is found again in %q: %+v", body, merged, found)
					}
				}
				again.Release()
			}
		}
	})
}
