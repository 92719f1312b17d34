package whatsapp_test

import (
	"fmt"
	"strings"
	"testing"

	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/whatsapp"
)

// Meta puts about a thousand changes into one request, of any fields, and sends none of it again once
// it was answered 200.
func TestAllOfALargeRequestIsKept(t *testing.T) {
	var changes []string
	for i := range 1000 {
		changes = append(changes, `{"field":"message_template_status_update","value":{"event":"APPROVED"}}`,
			fmt.Sprintf(`{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"447700900001","phone_number_id":"106540352242922"},
			"contacts":[{"profile":{"name":"Aoife"},"wa_id":"447700900101"}],
			"messages":[{"from":"447700900101","id":"wamid.%d","timestamp":"1767607200","type":"text","text":{"body":"Hello"}}],
			"statuses":[{"id":"wamid.s%d","status":"sent","timestamp":"1767607200","recipient_id":"447700900101"}]}}`, i, i))
	}
	body := `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[` + strings.Join(changes, ",") + `]}]}`
	b := decode(t, ingesttest.Env(t), body)
	defer b.Release()
	kept, refused, indexes := 0, 0, map[int]bool{}
	for i := range b.Events {
		e := &b.Events[i]
		indexes[e.Index] = true
		if e.Refused == nil {
			kept++
			continue
		}
		if refused += 1 + e.Refused.More; e.Refused.Reason != "event.unknown_kind" {
			t.Fatal(e.Refused.Reason)
		}
	}
	if kept != 2000 || refused != 1000 || len(b.Events) != 2001 || len(indexes) != len(b.Events) {
		t.Errorf("of %d bytes: %d kept, %d refused in %d events with %d places; want 2000, 1000, 2001", len(body), kept, refused, len(b.Events), len(indexes))
	}
}

// What small elements become with the contact and metadata that each of them gets is bounded.
func TestWhatElementsBecomeIsBounded(t *testing.T) {
	const shared = 8000
	var list []string
	for i := range whatsapp.MaxElements {
		list = append(list, fmt.Sprintf(`{"from":"447700900101","id":"wamid.%d"}`, i))
	}
	b := decode(t, ingesttest.Env(t), change(`"metadata":{"x":"`+strings.Repeat("x", shared)+`"},"messages":[`+strings.Join(list, ",")+`]`))
	defer b.Release()
	last := b.Events[len(b.Events)-1].Refused
	kept := len(b.Events) - 1
	if last == nil || last.Reason != "batch.too_many_events" || kept+1+last.More != whatsapp.MaxElements || kept > whatsapp.MaxMadeBytes/shared+1 || kept < whatsapp.MaxMadeBytes/(2*shared) {
		t.Errorf("%d kept, %+v", kept, last)
	}
}
