package sendgrid_test

import (
	"testing"

	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/sendgrid"
)

// What is about nobody is under nobody's key, where no erasure finds it.
func TestAnAccountsEventHoldsNobodysData(t *testing.T) {
	const event = `"event":"account_status_change","sg_event_id":"sg-1"`
	for _, tt := range []struct {
		more string
		kept bool
	}{
		{``, true},
		{`,"timestamp":1767607212,"type":"compliance_suspend"`, true},
		{`,"timestamp":"1767607212","email":""`, true},
		{`,"email":null`, true},
		{`,"order_id":"1001"`, false},
		{`,"customer":"Aoife"`, false},
		{`,"category":["Aoife"]`, false},
		{`,"type":"Aoife"`, false},
		{`,"type":{"name":"aoife"}`, false},
		{`,"type":["a"]`, false},
		{`,"timestamp":"Aoife"`, false},
		{`,"timestamp":{"name":"aoife"}`, false},
		{`,"email":["a@example.com"]`, false},
		{`,"email":{"a":1}`, false},
		{`,"useragent":"x","ip":"192.0.2.1"`, false},
		{`,"\u0074ype":"compliance_suspend"`, true},
		{`,"\u0074ype":"Aoife"`, false},
	} {
		b, err := sendgrid.Decode([]byte(`[{`+event+tt.more+`}]`), ingesttest.Env(t))
		if err != nil {
			t.Fatal(err)
		}
		e := &b.Events[0]
		if kept := e.Refused == nil; kept != tt.kept || !kept && e.Refused.Reason != "event.no_subject" || kept && len(e.Identifiers) > 0 {
			t.Errorf("%s: %+v, want kept %v", tt.more, e.Refused, tt.kept)
		}
		b.Release()
		b, err = sendgrid.Decode([]byte(`[{"email":"a@example.com",`+event+`,"order_id":"1001"}]`), ingesttest.Env(t))
		if err != nil || b.Events[0].Refused != nil || len(b.Events[0].Identifiers) != 1 {
			t.Fatalf("one that names somebody: %v", err)
		}
		b.Release()
	}
}
