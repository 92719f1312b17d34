package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/tenant"
)

// What a region says and does about leaving is a tenant's own, or the operator's: another tenant sees
// nothing of it, and orders nothing.
func TestATenantSeesAndOrdersNothingOfAnother(t *testing.T) {
	bothStores(t, func(t *testing.T, url string) {
		n := serve(t, t.TempDir(), url)
		tokens := map[string]string{}
		for _, x := range []string{"alpha", "beta"} {
			_, _, token, _, err := n.Tenants.CreateTenant(t.Context(), tenant.Operator, x, "")
			if err != nil {
				t.Fatal(err)
			}
			tokens[x] = token
		}
		_, key, _, err := n.Tenants.CreateSource(t.Context(), tenant.Operator, "alpha", tenant.NewSource{Adapter: "segment", Service: "cdp"})
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest("POST", n.url+"/v1/track", strings.NewReader(`{"userId":"ann","messageId":"m1","event":"Seen","mysteryOfAlpha":1}`))
		req.SetBasicAuth(key, "")
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("track: %v %v", resp, err)
		}
		_ = resp.Body.Close()
		status, m := n.call(tokens["alpha"], "POST", "/register", map[string]any{"facts": []any{
			map[string]any{"kind": "enablements", "fact": map[string]any{"tenant": "alpha", "recipient": "sp-11", "from": day(0)}}}})
		if status != 200 {
			t.Fatalf("a tenant enables a recipient for itself: %d %v", status, m)
		}
		fact := m["facts"].([]any)[0].(map[string]any)["id"].(string)
		if status, m := n.call(n.Operator, "POST", "/flows/message_screening:start", map[string]any{"tenant": "alpha", "from": "0"}); status != 200 {
			t.Fatalf("start: %d %v", status, m)
		}
		_, found := n.call(tokens["alpha"], "POST", "/subjects:find", map[string]any{"identifiers": []any{map[string]any{"type": "user_id", "value": "ann"}}})
		sub, _ := found["subject"].(string)

		for _, path := range []string{"/flows", "/flows/message_screening", "/register", "/register?history=true", "/volumes", "/drift", "/notice", "/sub-processors", "/subscriptions"} {
			status, m := n.call(tokens["beta"], "GET", path, nil)
			b, _ := json.Marshal(m)
			for _, theirs := range []string{`"alpha"`, fact, "mysteryOfAlpha"} {
				if bytes.Contains(b, []byte(theirs)) {
					t.Errorf("GET %s tells beta %s: %s", path, theirs, b)
				}
			}
			if status != 200 {
				t.Errorf("GET %s: %d %s", path, status, b)
			}
			if status, m := n.call("", "GET", path, nil); status != 401 {
				t.Errorf("GET %s of nobody: %d %v", path, status, m)
			}
			if status, m := n.call(key, "GET", path, nil); status != 401 && status != 403 {
				t.Errorf("GET %s with a write key: %d %v", path, status, m)
			}
		}
		if _, m := n.call(tokens["alpha"], "GET", "/register", nil); len(m["facts"].([]any)) != 1 {
			t.Errorf("alpha doesn't see its own: %v", m)
		}
		for _, x := range []struct {
			path   string
			body   map[string]any
			status int
		}{
			{"/flows/message_screening:pause", map[string]any{}, 403},
			{"/flows/message_screening:start", map[string]any{"tenant": "beta"}, 403},
			{"/flows/message_screening:replay", map[string]any{"from": "0"}, 403},
			{"/register/" + fact + ":strike", nil, 404},
			{"/register", map[string]any{"facts": []any{map[string]any{"kind": "enablements", "fact": map[string]any{"tenant": "alpha", "recipient": "sp-11", "from": day(-1)}}}}, 403},
			{"/register", map[string]any{"facts": []any{map[string]any{"kind": "enablements", "replaces": fact, "fact": map[string]any{"tenant": "beta", "recipient": "sp-11", "from": day(0)}}}}, 403},
			{"/register", map[string]any{"facts": []any{map[string]any{"kind": "contracts", "fact": map[string]any{"id": "x", "kind": "data_protection", "with": "Google", "signed": day(0)}}}}, 403},
			{"/decide", map[string]any{"flow": "message_screening", "kind": "message", "tenant": "alpha"}, 403},
			{"/decide", map[string]any{"flow": "message_screening", "kind": "message", "subject": sub}, 404},
			{"/pseudonyms:resolve", map[string]any{"recipient": "sp-13", "purpose": "personalization_optimization", "pseudonym": id.Pseudonym{1}.String(), "reason": "fraud"}, 404},
			{"/notice:publish", map[string]any{}, 403},
			{"/subjects/" + sub + ":optout", map[string]any{"opt_out": "marketing"}, 404},
			{"/subjects/" + sub + ":consent", map[string]any{"purpose": "customer_engagement", "word": "given"}, 404},
		} {
			if status, m := n.call(tokens["beta"], "POST", x.path, x.body); status != x.status {
				t.Errorf("POST %s %v by beta: %d %v, want %d", x.path, x.body, status, m, x.status)
			}
			if status, m := n.call("", "POST", x.path, x.body); status != 401 {
				t.Errorf("POST %s of nobody: %d %v", x.path, status, m)
			}
		}
		if _, m := n.call(n.Operator, "GET", "/register", nil); len(m["facts"].([]any)) != 1 {
			t.Errorf("the register after what was refused: %v", m)
		}
		for _, path := range []string{"/pseudonyms:resolve", "/subjects/" + sub + ":consent"} { // the operator manages tenants, and sees nobody
			if status, m := n.call(n.Operator, "POST", path, map[string]any{"recipient": "sp-13", "purpose": "customer_engagement", "word": "given", "pseudonym": id.Pseudonym{1}.String(), "reason": "fraud"}); status != 403 && status != 401 {
				t.Errorf("POST %s by the operator: %d %v", path, status, m)
			}
		}
	})
}
