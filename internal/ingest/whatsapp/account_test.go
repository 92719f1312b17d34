package whatsapp_test

import (
	"fmt"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/whatsapp"
)

func TestAnotherAccountsEntriesAreRefused(t *testing.T) {
	entry := func(id string, n int) string {
		return fmt.Sprintf(`{%s"changes":[{"value":{"messages":[{"from":"447700900101","id":"wamid.%d","timestamp":"1767607200","type":"text","text":{"body":"x"}}]},"field":"messages"}]}`, id, n)
	}
	const ours, theirs = `"id":"1001",`, `"id":"1002",`
	for name, tt := range map[string]struct{ entries, want string }{
		"ours":             {entry(ours, 1), "wamid.1"},
		"ours, a number":   {entry(`"id":1001,`, 1), "wamid.1"},
		"ours, escaped":    {entry(`"id":"\u0031001",`, 1), "wamid.1"},
		"theirs":           {entry(theirs, 1), "all"},
		"theirs, a number": {entry(`"id":1002,`, 1), "all"},
		"all theirs":       {entry(theirs, 1) + "," + entry(`"id":"1003",`, 2), "all"},
		"both":             {entry(theirs, 1) + "," + entry(ours, 2), "source.wrong_account wamid.2"},
		"nobody's":         {entry("", 1), "wamid.1"},
		"none":             {"", ""},
	} {
		e := ingesttest.Env(t)
		e.Account = "1001"
		b, err := whatsapp.Decode([]byte(`{"object":"whatsapp_business_account","entry":[`+tt.entries+`]}`), e)
		if tt.want == "all" {
			if fault.KindOf(err) != fault.Forbidden || fault.ReasonOf(err) != "source.wrong_account" || strings.Contains(err.Error(), "100") {
				t.Errorf("%s: %v, want source.wrong_account", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for i := range b.Events {
			if r := b.Events[i].Refused; r != nil {
				got = append(got, r.Reason)
			} else {
				got = append(got, string(b.Events[i].ClientID))
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		b.Release()
	}
}
