package api

import (
	"fmt"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	sdk "domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/plane"
)

// notKept is the fault of kind Invalid that answers a lone event that was refused, by its adapter or
// by the plane, or nil. It is counted by then, and there is nothing else to acknowledge. An event
// of somebody who was erased for good is none: the client has nothing to mend. hint says what it can
// do about a refusal; nil: nothing more than the reason.
func notKept(result *plane.Result, hint func(ingest.Refusal) string) error {
	if len(result.Refused) == 0 {
		return nil
	}
	r := result.Refused[0]
	if !strings.HasPrefix(r.Reason, "event.") && !strings.HasPrefix(r.Reason, "plan.") {
		return nil
	}
	public := "the event was not kept"
	if r.Path != "" { // masked: names alone that the protocol or the programme has
		public += ", because of " + r.Path
	}
	f := fault.New(fault.Invalid, r.Reason, "%s", public)
	if hint != nil {
		return f.WithHint(hint(r))
	}
	return f
}

// mend says what a client of the Segment protocol can do about a refusal, "" when the reason says it all.
func mend(r ingest.Refusal) string {
	switch r.Reason {
	case "event.too_large":
		return fmt.Sprintf("an event has at most %d bytes", sdk.MaxEventBytes)
	case "event.no_subject":
		return "send userId or anonymousId"
	case "event.bad_identifier":
		return "an id is a text or number of 1 to 1024 bytes that isn't blank"
	case "event.bad_message_id":
		return "a messageId has 1 to 100 characters"
	case "event.duplicate_member":
		return "an object has each name once"
	case "event.too_deep":
		return "an event has at most 64 levels"
	case "event.too_many_members":
		return "an event has at most 10000 members"
	case "event.bad_utf8":
		return "an event is UTF-8"
	case "event.not_object":
		return "an event is a JSON object"
	case "event.unknown_kind":
		return "the programme declares no such call for the source's service"
	case "plan.unplanned_event", "plan.unplanned_property", "plan.invalid":
		return "the source's tracking plan refuses it; its violations say where"
	}
	return ""
}
