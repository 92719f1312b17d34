package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/api"
)

// decider decides by a programme that declares nothing.
type decider struct{ facts *register.Service }

func (d decider) Decide(ctx context.Context, _ *tenant.Caller, q api.DecideQuestion) (*decision.Decision, error) {
	now, err := d.facts.Current(ctx)
	if err != nil {
		return nil, err
	}
	e := decision.New(&programme.Programme{Hash: "sha256:00"}, law.Builtin(), now.Register, nil)
	question := q.Ask.Question(e)
	return e.Decide(&question, q.At), nil
}

func (d decider) Due(ctx context.Context, _ *tenant.Caller, within int) ([]register.Due, error) {
	now, err := d.facts.Current(ctx)
	if err != nil {
		return nil, err
	}
	return now.Register.At(programme.DayOf(time.Now())).Due(within, nil), nil
}

func (decider) Volumes(context.Context, *tenant.Caller, time.Time) ([]api.Volume, error) {
	return []api.Volume{{Tenant: "acme", Service: "cdp", Kind: "track", Records: 3}}, nil
}

func (decider) Tenants(*tenant.Caller) []string { return []string{"acme"} }

const enables = `{"facts":[{"kind":"enablements","fact":{"tenant":"acme","recipient":"sp-11","from":"2026-01-01"}}]}`

func factID(t *testing.T, r reply) string {
	t.Helper()
	list := r.json(t)["facts"].([]any)
	return list[0].(map[string]any)["id"].(string)
}

func TestATenantsOwnFacts(t *testing.T) {
	w := newWorld(t)
	operator := []string{"Authorization", "Bearer " + operatorToken}
	made := w.do("POST", "/api/v1/register", enables)
	if made.status != 200 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	for name, body := range map[string]string{
		"another's enablement": strings.Replace(enables, "acme", "other", 1),
		"a pin":                `{"facts":[{"kind":"pins","fact":{"tenant":"acme","places":["EU"],"from":"2026-01-01"}}]}`,
		"a pause":              `{"facts":[{"kind":"pauses","fact":{"flow":"home","reason":"r","from":"2026-01-01"}}]}`,
		"a contract":           `{"facts":[{"kind":"contracts","fact":{"id":"c","kind":"data_protection","with":"E","signed":"2026-01-01"}}]}`,
	} {
		if r := w.do("POST", "/api/v1/register", body); r.status != 403 || r.json(t)["reason"] != "register.operator_only" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	pause := w.do("POST", "/api/v1/register", `{"facts":[{"kind":"pauses","fact":{"flow":"home","reason":"r","from":"2026-01-01"}}]}`, operator...)
	if list := w.do("GET", "/api/v1/register", "").json(t)["facts"].([]any); len(list) != 1 {
		t.Errorf("a tenant sees %d facts, want its own one", len(list))
	}
	if r := w.do("POST", "/api/v1/register/"+factID(t, pause)+":strike", ""); r.status != 404 {
		t.Errorf("a tenant strikes the operator's fact: %d", r.status)
	}
	if r := w.do("POST", "/api/v1/register/"+factID(t, made)+":strike", ""); r.status != 200 {
		t.Errorf("strike: %d %s", r.status, r.body)
	}
	if list := w.do("GET", "/api/v1/register", "").json(t)["facts"].([]any); len(list) != 0 {
		t.Errorf("%d facts stand after the strike", len(list))
	}
	if list := w.do("GET", "/api/v1/register?history=true", "").json(t)["facts"].([]any); len(list) != 2 {
		t.Errorf("the tenant's history has %d acts, want 2", len(list))
	}
	if list := w.do("GET", "/api/v1/register?about=home", "", operator...).json(t)["facts"].([]any); len(list) != 1 {
		t.Errorf("about=home: %d facts, want 1", len(list))
	}
}

// A fault says which key is wrong and repeats nothing.
func TestABadFactIsSaidWithoutItsValue(t *testing.T) {
	w := newWorld(t)
	for body, at := range map[string]string{
		`{"facts":[{"kind":"checks","fact":{"directory":"dpf","entity":"E","row":"eu-us","status":"anns-secret","checked":"2026-01-01"}}]}`:                             "status",
		`{"facts":[{"kind":"pauses","fact":{"flow":"home","reason":"r","from":"anns-secret"}}]}`:                                                                        "from",
		`{"facts":[{"kind":"pauses","fact":{"flow":"home","reason":"r","from":"2026-01-01","anns-secret":"x"}}]}`:                                                       "*",
		`{"facts":[{"kind":"pauses","fact":{"flow":"home","from":"2026-01-01"}}]}`:                                                                                      "*",
		`{"facts":[{"kind":"assessments","fact":{"kind":"tia","entity":"anns-secret","country":"US","outcome":"proceed","assessed":"2026-01-02","due":"2026-01-01"}}]}`: "due",
	} {
		r := w.do("POST", "/api/v1/register", body, "Authorization", "Bearer "+operatorToken)
		if r.status != 400 || strings.Contains(string(r.body), "anns-secret") {
			t.Errorf("%s: %d %s", body, r.status, r.body)
			continue
		}
		wrong, _ := r.json(t)["errors"].([]any)
		if len(wrong) == 0 || wrong[0].(map[string]any)["at"] != at {
			t.Errorf("%s: errors %v, want at %s", body, wrong, at)
		}
	}
	if r := w.do("POST", "/api/v1/register", `{"facts":[{"kind":"anns-secret","fact":{}}]}`, "Authorization", "Bearer "+operatorToken); r.status != 400 || strings.Contains(string(r.body), "anns-secret") {
		t.Errorf("an unknown list: %d %s", r.status, r.body)
	}
}
