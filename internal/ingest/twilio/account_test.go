package twilio_test

import (
	"fmt"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/twilio"
)

const (
	ours   = "AC00000000000000000000000000000001"
	theirs = "AC00000000000000000000000000000002"
)

// event is one of Event Streams; data and source may name an account.
func event(n int, source, data string) string {
	return fmt.Sprintf(`{"specversion":"1.0","type":"com.twilio.messaging.inbound-message.received","source":%q,"id":"EZ%d","time":"2026-01-05T10:00:00Z",
		"data":{"from":"+447700900101","to":"+447700900001","body":"x"%s}}`, source, n, data)
}

func TestAnotherAccountsWebhookIsRefused(t *testing.T) {
	const sms = "MessageSid=SM1&SmsStatus=received&From=%2B447700900101&To=%2B447700900001&Body=x"
	ours, theirs := `,"accountSid":"`+ours+`"`, `,"accountSid":"`+theirs+`"`
	for name, tt := range map[string]struct {
		contentType, body string
		refused           string // "all", or of each event whether it was: "01"
	}{
		"ours":                    {formType, sms + "&AccountSid=AC00000000000000000000000000000001", "0"},
		"theirs":                  {formType, sms + "&AccountSid=AC00000000000000000000000000000002", "all"},
		"theirs, unknown":         {formType, "Hologram=1&AccountSid=AC00000000000000000000000000000002", "all"},
		"nobody's":                {formType, sms, "0"},
		"another case":            {formType, sms + "&AccountSid=ac00000000000000000000000000000001", "all"},
		"JSON, ours":              {jsonType, `{"account_sid":"AC00000000000000000000000000000001","transcript_sid":"GT1","customer_key":"u","event_type":"x"}`, "0"},
		"JSON, theirs":            {jsonType, `{"account_sid":"AC00000000000000000000000000000002","transcript_sid":"GT1","customer_key":"u","event_type":"x"}`, "all"},
		"stream, ours":            {jsonType, `[` + event(1, "/x", ours) + `]`, "0"},
		"stream, theirs":          {jsonType, `[` + event(1, "/x", theirs) + `,` + event(2, "/x", theirs) + `]`, "all"},
		"stream, both":            {jsonType, `[` + event(1, "/x", ours) + `,` + event(2, "/x", theirs) + `]`, "01"},
		"stream, nobody's":        {jsonType, `[` + event(1, "/x", "") + `,` + event(2, "/x", theirs) + `]`, "01"},
		"one event, theirs":       {jsonType, event(1, "/x", theirs), "all"},
		"in the source":           {jsonType, `[` + event(1, "/2010-04-01/Accounts/AC00000000000000000000000000000002/Messages/SM1.json", "") + `]`, "all"},
		"data before source":      {jsonType, `[` + event(1, "/2010-04-01/Accounts/AC00000000000000000000000000000002/Messages/SM1.json", ours) + `]`, "0"},
		"in TaskRouter's payload": {jsonType, `[{"specversion":"1.0","type":"com.twilio.taskrouter.task.created","source":"/x","id":"EZ1","data":{"payload":{"account_sid":"AC00000000000000000000000000000002","task_sid":"WT1"}}}]`, "all"},
		"beside the payload":      {jsonType, `[{"specversion":"1.0","type":"com.twilio.taskrouter.task.created","source":"/x","id":"EZ1","data":{"AccountSid":"AC00000000000000000000000000000002","payload":{"task_sid":"WT1"}}}]`, "all"},
	} {
		e := env(t)
		e.Account = "AC00000000000000000000000000000001"
		b, err := twilio.Decode(tt.contentType, []byte(tt.body), e)
		if tt.refused == "all" {
			if fault.KindOf(err) != fault.Forbidden || fault.ReasonOf(err) != "source.wrong_account" || strings.Contains(err.Error(), "AC0") {
				t.Errorf("%s: %v, want source.wrong_account", name, err)
			}
			e.Account = ""
			if b, err := twilio.Decode(tt.contentType, []byte(tt.body), e); err != nil || b.Events[0].Refused != nil && b.Events[0].Refused.Reason == "source.wrong_account" {
				t.Errorf("%s, to a source of no account: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		for i := range b.Events {
			if r := b.Events[i].Refused; r == nil {
				got += "0"
			} else if r.Reason == "source.wrong_account" {
				got += "1"
			} else {
				got += "?" + r.Reason
			}
		}
		if got != tt.refused {
			t.Errorf("%s: %s, want %s", name, got, tt.refused)
		}
		b.Release()
	}
}
