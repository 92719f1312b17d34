package sendgrid_test

import (
	"fmt"
	"testing"

	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/sendgrid"
	"domicile.dev/internal/term"
)

func TestUnsubscribesOptOut(t *testing.T) {
	for event, want := range map[string]string{"unsubscribe": "unsubscribe no", "resubscribe": "unsubscribe yes", "group_unsubscribe": "group_unsubscribe no",
		"group_resubscribe": "group_unsubscribe yes", "spamreport": "spamreport no", "delivered": "", "open": "", "click": ""} {
		body := fmt.Sprintf(`[{"email":"a@example.com","event":%q,"sg_event_id":"e1","timestamp":1700000000,"asm_group_id":7}]`, event)
		b, err := sendgrid.Decode([]byte(body), ingesttest.Env(t))
		if err != nil || b.Events[0].Refused != nil {
			t.Fatalf("%s: %v", event, err)
		}
		got := ""
		if c := b.Events[0].Choices; c != nil {
			got = string(c.Of[0].Category) + map[bool]string{true: " yes", false: " no"}[c.Of[0].Yes]
			if c.Role != term.RoleRecipient || !c.Act || c.All || len(c.Of) != 1 {
				t.Errorf("%s: %+v", event, c)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", event, got, want)
		}
		b.Release()
	}
}
