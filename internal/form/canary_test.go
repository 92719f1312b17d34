package form

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest/segment/segmenttest"
	"domicile.dev/internal/programme"
)

// canaries are identifiers as vendors send them; none may occur in what leaves pseudonymised.
var canaries = []string{
	"+353851234567", "353851234567", "085 123 4567", "whatsapp:+353851234567", "+353 85 123 4567", "tel:+353-85-123-4567",
	"mary.murphy@example.com", "Mary Murphy <mary.murphy@example.com>", "MARY.MURPHY%40example.com/@",
	"203.0.113.77", "203.0.113.77:443", "2001:db8:85a3:1111:2222:8a2e:370:7334", "::ffff:203.0.113.77",
	"53.349805", "-6.260310", "53.349805,-6.260310", "POINT(-6.260310 53.349805)",
	"SM0123456789abcdef0123456789abcdef", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "IE.1234567890", "1234567T 7654321",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) mary.murphy@example.com",
}

// bits are what must not occur: the canaries, and what in them tells who it is.
var bits = []string{"1234567", "123 4567", "123-4567", "mary", "murphy", "113.77", "1111:2222", "349805", "260310", "0123456789abcdef", "3f2504e0", "7654321"}

// places are those at which a kind has something that a treatment could let through, and some beside.
func places(p *programme.Programme, service, kind string) (all []programme.Treated) {
	return append(p.Treatments(service, kind), programme.Treated{Path: "userId"}, programme.Treated{Path: "properties.email"},
		programme.Treated{Path: "traits.name"}, programme.Treated{Path: "context.location.latitude"}, programme.Treated{Path: "body"})
}

func put(in map[string]any, path string, v any) {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		next, ok := in[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			in[name] = next
		}
		in = next
	}
	in[names[len(names)-1]] = v
}

// TestNoIdentifierLeavesPseudonymised puts identifiers wherever a record of any kind of any flow has a
// value, plain and wrapped into lists and objects, and as names of members.
func TestNoIdentifierLeavesPseudonymised(t *testing.T) {
	p := communications(t)
	lines, withData := 0, 0
	for i := range p.Flows {
		f := p.Flows[i]
		f.Form = "pseudonymised"
		s, err := New(p, &f, testKeys)
		if err != nil {
			t.Fatal(err)
		}
		d := allow(p, f.ID, decision.Pseudonymised)
		for _, k := range p.KindsOf(&f) {
			for _, canary := range canaries {
				for _, wrap := range []func(string) any{
					func(c string) any { return c },
					func(c string) any { return []any{c} },
					func(c string) any { return map[string]any{c: c, "value": c} },
					func(c string) any { return json.RawMessage(strings.NewReplacer("+", "", " ", "").Replace(c)) },
				} {
					event := map[string]any{}
					for _, at := range places(p, k.Service, k.Kind) {
						put(event, at.Path, wrap(canary))
						put(event, canary, canary)
					}
					text, err := json.Marshal(event)
					if err != nil {
						continue // the canary is no number
					}
					line, o := line(t, s, record(k.Service, k.Kind, split(t, p, k.Service, k.Kind, subject(9), text)...), d)
					lines++
					if len(o["data"].(map[string]any)) > 0 {
						withData++
					}
					for _, bit := range bits {
						if strings.Contains(strings.ToLower(line), bit) {
							t.Fatalf("flow %s, %s of %s: %s in %s", f.ID, k.Kind, k.Service, bit, line)
						}
					}
				}
			}
		}
	}
	if lines < 500 || withData < 50 {
		t.Errorf("%d lines, %d with anything in them: nothing was tested", lines, withData)
	}
}

// TestNoEventKeepsItsIdentifiers does the same with events as SDKs send them.
func TestNoEventKeepsItsIdentifiers(t *testing.T) {
	p := communications(t)
	s, g := shaper(t, p, "event_analytics"), segmenttest.New(7, 50)
	d := allow(p, "event_analytics", decision.Pseudonymised)
	for n := range byte(100) {
		var e struct {
			UserID, MessageID string
			Context           struct{ IP, UserAgent string }
			Properties        struct{ URL, Product_ID string }
		}
		event := g.AppendEvent(nil)
		if err := json.Unmarshal(event, &e); err != nil {
			t.Fatal(err)
		}
		r := record("cdp", "track", split(t, p, "cdp", "track", subject(n), event)...)
		text, _ := line(t, s, r, d)
		for _, x := range []string{e.UserID, e.MessageID, e.Context.IP + `"`, e.Context.UserAgent, e.Properties.URL, e.Properties.Product_ID, r.ID.String(), subject(n).String()} {
			if len(x) < 3 || strings.Contains(text, x) {
				t.Fatalf("%q of %s is in %s", x, event, text)
			}
		}
		if !strings.Contains(text, `"event":"`) || !strings.Contains(text, ".0/24") {
			t.Fatalf("nothing is left: %s", text)
		}
	}
}

// FuzzShape gives any text as the parts of a record to the shaper, in both forms. It either refuses, or
// gives one line of JSON that has nothing of what no treatment is for.
func FuzzShape(f *testing.F) {
	p := communications(f)
	f.Add([]byte(`{"context":{"ip":"203.0.113.77","locale":"en-IE"},"anonymousId":"a"}`), []byte(`{"event":"Order","context":{"campaign":{"name":"x"}}}`))
	f.Add([]byte(`{"context":{"ip":"203.0.113.77"}}`), []byte(`{"context":{"ip":"203.0.113.78","os":{"name":"\ud83d\ude00\u2028"}}}`))
	f.Add([]byte(`{"a":[1,{"b":"\\\" , "}],"":{"":null}}`), []byte("{\"a\" :\t[1]\r\n}"))
	f.Add([]byte(`[]`), []byte(`{"event":1e400}`))
	flow := *flowOf(f, p, "event_analytics")
	flow.Form = "clear"
	s, err := New(p, &flow, testKeys)
	if err != nil {
		f.Fatal(err)
	}
	paths := map[string]bool{"": true}
	for _, t := range p.Treatments("cdp", "track") {
		for path := t.Path; ; path = path[:strings.LastIndexByte(path, '.')] {
			paths[path] = true
			if !strings.Contains(path, ".") {
				break
			}
		}
	}
	f.Fuzz(func(t *testing.T, device, online []byte) {
		r := record("cdp", "track", Part{"device_data", subject(1), device}, Part{"online_activity_data", subject(2), online}, Part{"contact_data", id.Nobody, []byte(`{`)})
		for _, form := range []decision.Form{decision.Clear, decision.Pseudonymised} {
			out, err := s.Shape([]byte("x"), r, allow(p, flow.ID, form))
			if err != nil {
				if string(out) != "x" {
					t.Fatalf("an error, and %q", out)
				}
				continue
			}
			var l struct{ Data any }
			if bytes.Count(out, []byte{'\n'}) != 1 || json.Unmarshal(out[1:], &l) != nil {
				t.Fatalf("no line of JSON: %q", out)
			}
			if form == decision.Pseudonymised {
				onlyAt(t, "", l.Data, paths)
			}
			again, err := s.Shape([]byte("x"), r, allow(p, flow.ID, form))
			if err != nil || !bytes.Equal(out, again) {
				t.Fatalf("the second time %q, %v", again, err)
			}
		}
	})
}

// onlyAt holds that v has nothing but short values at the given paths.
func onlyAt(t *testing.T, at string, v any, paths map[string]bool) {
	if !paths[at] {
		t.Fatalf("something is left at %q", at)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, v := range v {
			onlyAt(t, strings.TrimPrefix(at+"."+name, "."), v, paths)
		}
	case []any, nil:
		t.Fatalf("%T at %q", v, at)
	case string:
		if len(v) > 3*mostKept {
			t.Fatalf("%d bytes at %q", len(v), at)
		}
	}
}

// benchParts are realistic events, split as ingest does.
func benchRecords(b testing.TB, n int) (all []*Record) {
	p, g, rng := communications(b), segmenttest.New(11, 100), rand.New(rand.NewPCG(1, 2))
	for i := range n {
		var of id.Subject
		for j := range of {
			of[j] = byte(rng.Uint32())
		}
		r := record("cdp", "track", split(b, p, "cdp", "track", of, g.AppendEvent(nil))...)
		r.ID = id.RecordOf([16]byte{1: byte(i), 15: byte(i >> 8)})
		all = append(all, r)
	}
	return all
}
