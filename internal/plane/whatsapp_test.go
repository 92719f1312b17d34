package plane_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/sendgrid"
	"domicile.dev/internal/ingest/whatsapp"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// meta is one person under the numbers and ids that WhatsApp knows them by.
var meta = struct{ oldID, newID, oldNumber, newNumber plane.Identifier }{
	plane.Identifier{Type: term.WhatsAppID, Value: "IE.10000000000000000001"}, plane.Identifier{Type: term.WhatsAppID, Value: "IE.10000000000000000002"},
	plane.Identifier{Type: term.Phone, Value: "+447700900101"}, plane.Identifier{Type: term.Phone, Value: "+447700900109"}}

// exampleWorld is a world with the kinds of the example programme, at the present.
func exampleWorld(t *testing.T) *world {
	w := newWorld(t, "")
	w.rules = exampleRules(t)
	w.close()
	w.restart()
	w.now = time.Now()
	return w
}

// accept stores what decode makes of body, all of which must be new or, the second time, known.
func (w *world) accept(src *tenant.Source, body []byte, decode func([]byte, ingest.Env) (*ingest.Batch, error), want plane.Result) {
	w.t.Helper()
	b, err := decode(body, ingest.Env{ReceivedAt: w.now, Kinds: w.rules})
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Release()
	got, err := w.Ingest(context.Background(), src, b)
	if err != nil || got.Accepted != want.Accepted || got.Duplicate != want.Duplicate || len(got.Refused) > 0 {
		w.t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

// TestWhatsAppPeopleAreErasedUnderEveryNumberAndID: whatever the order in which webhooks come, the
// person who changed number is one, and an erasure takes all. The number that was given up finds nobody.
func TestWhatsAppPeopleAreErasedUnderEveryNumberAndID(t *testing.T) {
	_, change := webhook(t, "../ingest/whatsapp/testdata/number-changed.json")
	later := []byte(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{
		"contacts":[{"profile":{"name":"Aoife"},"wa_id":"447700900109","user_id":"IE.10000000000000000002"}],
		"messages":[{"from":"447700900109","from_user_id":"IE.10000000000000000002","id":"wamid.LATER","timestamp":"1767609999","type":"text","text":{"body":"new number"}}]}}]}]}`)
	var earlier [][]byte
	for _, name := range []string{"text", "image", "location", "status", "failed", "username-only"} {
		_, body := webhook(t, "../ingest/whatsapp/testdata/"+name+".json")
		earlier = append(earlier, body)
	}
	for _, by := range []plane.Identifier{meta.oldID, meta.newID, meta.oldNumber, meta.newNumber} {
		for order, bodies := range map[string][][]byte{
			"as it happened": slices.Concat(earlier, [][]byte{change, later}),
			"the news last":  slices.Concat(earlier, [][]byte{later, change}),
			"the news first": slices.Concat([][]byte{change, later}, earlier),
			"backwards":      slices.Concat([][]byte{later, change}, earlier),
		} {
			t.Run(fmt.Sprintf("%s %s, %s", by.Type, by.Value, order), func(t *testing.T) {
				w := exampleWorld(t)
				src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_whatsapp", Adapter: "whatsapp", Trust: term.Server}
				for _, body := range bodies {
					w.accept(src, body, whatsapp.Decode, plane.Result{Accepted: 1})
				}
				w.accept(src, change, whatsapp.Decode, plane.Result{Duplicate: 1})
				s := w.find(meta.newID.Type, meta.newID.Value)
				if f, err := w.Find(context.Background(), w.caller, []plane.Identifier{by}); by == meta.oldNumber {
					wantKind(t, "find by the number that was given up", err, fault.NotFound, "subject.unknown")
				} else if err != nil || f.Subject != s {
					t.Errorf("found %v, %v, want the one person", f, err)
				}
				if n := len(w.records(s)); n != len(bodies) {
					t.Errorf("%d records by this name, want %d", n, len(bodies))
				}
				if r := w.erase(s); r.Records != int64(len(bodies)) {
					t.Errorf("%d records were erased, want %d", r.Records, len(bodies))
				}
				for _, other := range []plane.Identifier{meta.oldID, meta.newID, meta.oldNumber, meta.newNumber} {
					if _, err := w.Find(context.Background(), w.caller, []plane.Identifier{other}); fault.KindOf(err) != fault.NotFound {
						t.Errorf("%s %s is still somebody: %v", other.Type, other.Value, err)
					}
				}
				w.accept(src, change, whatsapp.Decode, plane.Result{Duplicate: 1}) // a retry resurrects nobody
			})
		}
	}
}

// TestTheBusinessNumberIsNobody: it stands in the metadata of every message.
func TestTheBusinessNumberIsNobody(t *testing.T) {
	w := exampleWorld(t)
	src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_whatsapp", Adapter: "whatsapp", Trust: term.Server}
	_, body := webhook(t, "../ingest/whatsapp/testdata/text.json")
	w.accept(src, body, whatsapp.Decode, plane.Result{Accepted: 1})
	if _, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: term.Phone, Value: "+447700900001"}}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the tenant's own number names somebody: %v", err)
	}
}

// TestSendGridEventsAreTheirRecipients brings every event twice. The one about the account is
// about nobody, and stays.
func TestSendGridEventsAreTheirRecipients(t *testing.T) {
	w := exampleWorld(t)
	src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_sendgrid", Adapter: "sendgrid", Trust: term.Server}
	_, body := webhook(t, "../ingest/sendgrid/testdata/event-webhook-all-types.json")
	w.accept(src, body, sendgrid.Decode, plane.Result{Accepted: 12})
	w.accept(src, body, sendgrid.Decode, plane.Result{Duplicate: 12})
	s := w.find(term.Email, "AOIFE.synthetic@example.com")
	kinds := map[string]int{}
	for _, r := range w.records(s) {
		kinds[r.Kind]++
		if device := slices.Contains(r.Categories, "device_data"); device && r.Kind != "email.engagement" {
			t.Errorf("an %s has device data", r.Kind)
		}
	}
	if kinds["email.event"] != 5 || kinds["email.engagement"] != 6 {
		t.Errorf("%v", kinds)
	}
	if r := w.erase(s); r.Records != 11 {
		t.Errorf("%d records were erased, want 11", r.Records)
	}
}
