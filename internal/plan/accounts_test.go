package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/plan"
)

// accounts are native records as an organisation's own systems would send them; people are made up.
var accounts = []struct{ service, kind, data, categories string }{
	{"accounts", "account", `{"name":"Ann","email":"ann@example.com","company":"Acme","job_title":"CTO","business_profile":"https://example.com/ann","account_id":"AC1","account_name":"acme"}`, "contact_data security_verification_data"},
	{"accounts", "payment", `{"payment_token":"tok_1","billing_address":"1 Road","items":[{"sku":"x"}],"amount":1.5,"currency":"EUR","paid_at":"2026-01-01"}`, "purchase_payment_data"},
	{"accounts", "application", `{"product":"short code","intended_use":"alerts","countries":["US"],"decision":"approved"}`, "service_provisioning_data"},
	{"accounts", "subscriber", `{"proof_reference":"doc-1","proof_kind":"passport","service_address":"1 Road","country":"DE","expires_at":"2027-01-01","rule":"TKG 172"}`, "subscriber_records"},
	{"accounts", "support.interaction", `{"channel":"phone","topic":"bill","text":"hello","survey":{"score":5}}`, "support_feedback_data"},
	{"accounts", "support.chatbot", `{"session":"s1","transcript":[{"who":"person","text":"hi"}],"model":"m","handed_to_person":false}`, "support_feedback_data"},
	{"accounts", "cpni.usage", `{"call_count":12,"destinations":["IE"],"configuration":"trunk","month":"2026-01"}`, "cpni"},
	{"accounts", "number.match", `{"match":true,"matched_at":"2026-01-01","phone_type":"mobile"}`, "telecommunications_data"},
	{"accounts", "number.record", `{"carrier_history":[{"carrier":"x"}],"sim_history":[],"registration_location":"IE","account_type":"prepaid","ip":"192.0.2.1"}`, "telecommunications_data"},
	{"accounts", "partner.lead", `{"partner":"events-co","form":"booth","name":"Ann","email":"ann@example.com","company":"Acme"}`, "partner_sourced_data"},
	{"accounts", "enrichment.public", `{"provider":"directory","name":"Ann","industry":"retail","company_size":10,"website":"https://example.com"}`, "data_enrichment_services"},
	{"accounts", "linked.account", `{"platform":"google","scopes":["email"],"email":"ann@example.com","linked_at":"2026-01-01"}`, "third_party_authentication_data"},
	{"accounts", "reseller.order", `{"reseller":"isv-1","sub_account":"AC2","name":"Ann","order":"o1"}`, "solution_provider_sourced_data"},
	{"authy", "device.registered", `{"phone":"+353861110001","email":"ann@example.com","device_type":"phone","device_id":"d1","primary":true}`, "contact_data device_data security_verification_data"},
	{"authy", "login", `{"ip":"192.0.2.1","location":"Dublin","location_services":true,"application":"shop","logged_in_at":"2026-01-01"}`, "device_data security_verification_data"},
	{"authy", "identifier.changed", `{"phone":"+353861110002","changed":["phone"],"changed_at":"2026-01-01"}`, "contact_data security_verification_data"},
	{"frontline", "sign_on", `{"provider":"sso","name":"Ann","authorised":["name"],"signed_on_at":"2026-01-01"}`, "third_party_authentication_data"},
	{"voice", "trunk.call", `{"trunk":"TK1","from":"+353861110001","to":"+15550100","start_time":"2026-01-01","duration":3,"status":"completed","region":"au1"}`, "electronic_communications_metadata"},
}

func nativeOf(t testing.TB, k ingest.Kinds, service, kind, data string) *ingest.Batch {
	t.Helper()
	body := fmt.Sprintf(`{"id":"r1","kind":%q,"service":%q,"subjects":[{"type":"email","value":"ann@example.com"}],"data":%s}`, kind, service, data)
	b, err := native.Decode("", []byte(body), ingest.Env{ReceivedAt: ingesttest.Received, Kinds: k})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Release)
	return b
}

// What the notice names beside communications comes in, each part in its category and nothing unclassified.
func TestAccountsAndWhatOthersSayOfThem(t *testing.T) {
	p := load(t, "")
	seen := map[string]bool{}
	for _, x := range accounts {
		b := nativeOf(t, ingesttest.Env(t).Kinds, x.service, x.kind, x.data)
		if r := b.Events[0].Refused; r != nil {
			t.Errorf("%s: refused %s", x.kind, r.Reason)
			continue
		}
		var got []string
		for _, f := range b.Events[0].Fragments {
			if !slices.Contains(got, f.Category) {
				got = append(got, f.Category)
			}
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != x.categories {
			t.Errorf("%s: %s, want %s", x.kind, s, x.categories)
		}
		seen[x.service+"/"+x.kind] = true
	}
	for _, k := range p.Kinds {
		if (k.Service == "accounts" || k.Service == "authy" || k.Service == "frontline") && !seen[k.Service+"/"+k.Kind] {
			t.Errorf("no sample of %s/%s", k.Service, k.Kind)
		}
	}
}

// A card's number is refused, and a place by address comes only where location services are on.
func TestThePlanForAccounts(t *testing.T) {
	set, err := plan.Compile(load(t, ""), ingesttest.Env(t).Kinds)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ source, service, kind, data, refused string }{
		{"accounts", "accounts", "payment", `{"payment_token":"tok_1","billing_address":"1 Road"}`, ""},
		{"accounts", "accounts", "payment", `{"payment_token":"4111111111111111"}`, "plan.invalid"},
		{"accounts", "accounts", "payment", `{"payment_token":"tok_1","card_number":"4111111111111111"}`, ""}, // and dropped
		{"accounts", "accounts", "payment", `{"billing_address":"1 Road"}`, "plan.invalid"},
		{"elsewhere", "accounts", "payment", `{"payment_token":"4111111111111111"}`, ""},
		{"two-factor", "authy", "login", `{"ip":"192.0.2.1","location":"Dublin","location_services":true}`, ""},
		{"two-factor", "authy", "login", `{"ip":"192.0.2.1","application":"shop"}`, ""},
		{"two-factor", "authy", "login", `{"ip":"192.0.2.1","location":"Dublin"}`, "plan.invalid"},
		{"two-factor", "authy", "login", `{"ip":"192.0.2.1","location":"Dublin","location_services":false}`, "plan.invalid"},
	} {
		b := nativeOf(t, set.Kinds(plan.Source{Adapter: "native", Name: x.source}), x.service, x.kind, x.data)
		got := ""
		if r := b.Events[0].Refused; r != nil {
			got = r.Reason
		}
		if got != x.refused {
			t.Errorf("%s, %s: %q, want %q", x.source, x.data, got, x.refused)
		}
		for _, f := range b.Events[0].Fragments {
			if x.source == "accounts" && strings.Contains(string(f.JSON), "4111") {
				t.Errorf("%s is kept: %s", x.data, f.JSON)
			}
		}
	}
}
