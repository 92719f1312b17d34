package sendgrid

import (
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/term"
)

// optOuts are the events by which somebody says that they want no more mail, or want it again, with what
// each is about.
var optOuts = map[string]struct {
	category string
	yes      bool
}{
	"unsubscribe":       {"unsubscribe", false},
	"resubscribe":       {"unsubscribe", true},
	"group_unsubscribe": {"group_unsubscribe", false},
	"group_resubscribe": {"group_unsubscribe", true},
	"spamreport":        {"spamreport", false},
}

func choicesOf(event []byte) *ingest.Choices {
	o, ok := optOuts[string(event)]
	if !ok {
		return nil
	}
	return &ingest.Choices{Role: term.RoleRecipient, Act: true, How: "event", Of: []ingest.Choice{{Category: []byte(o.category), Yes: o.yes}}}
}
