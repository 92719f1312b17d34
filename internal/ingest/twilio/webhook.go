package twilio

import (
	"bytes"
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/term"
)

// shape is what a webhook can be: the kind of its record and which parameters name it.
type shape struct {
	service, kind string
	ids           []string              // of what it is about, best first; the record's client id
	parent        string                // what it is part of, when it has no id of its own yet
	marks         []string              // what tells webhooks about the same thing apart
	enough        func(w *webhook) bool // whether the marks do; nil is always. Else its content does
	people        func(w *webhook)
	about         []about
}

// about is a parameter that names what a webhook is about.
type about struct {
	thing, name string
	many        bool // people who take part in it
	unnamed     bool // only where the webhook names nobody: whom it names isn't this thing's person
}

var (
	aCall         = []about{{thing: "call", name: "CallSid"}}
	aTask         = []about{{thing: "task", name: "TaskSid"}}
	aConversation = []about{{thing: "conversation", name: "ConversationSid", many: true}}
	aPartner      = append([]about{{thing: "participant", name: "ParticipantSid"}}, aConversation...)
	aDelivery     = append([]about{{thing: "participant", name: "ParticipantSid", unnamed: true}}, aConversation...) // to whom, not by whom
	aRoom         = []about{{thing: "room", name: "RoomSid", many: true}}
	aGuest        = append([]about{{thing: "participant", name: "ParticipantSid"}}, aRoom...)
)

// webhook is one webhook at hand.
type webhook struct {
	d       *decoder
	e       *ingest.Event
	p       params
	print   func() string // tells webhooks without a number or time of their own apart
	inbound bool          // from a person to the tenant
}

// read fills the event from the webhook, or says why it can't be kept.
func (w *webhook) read() (reason, path string) {
	if w.d.accounts.Wrong(w.p.text(accountSid)) {
		return ingest.WrongAccount, accountSid
	}
	s := w.tell()
	if s == nil || !w.kind(s) {
		return "event.unknown_kind", ""
	}
	if wrong := w.client(s); wrong != "" {
		return "event.bad_id", wrong
	}
	w.e.OccurredAt, w.e.Skewed = w.times().Occurred(w.d.env.ReceivedAt.UnixMilli())
	s.people(w)
	w.things(s)
	if s == message && w.inbound {
		w.optOut()
	}
	return w.d.b.Split(w.e, 0)
}

const accountSid = "AccountSid"

// things adds what the webhook is about. A name that is no id, since it is too long, says nothing.
func (w *webhook) things(s *shape) {
	for _, a := range s.about {
		if v := w.p.text(a.name); v != nil && utf8.RuneCount(v) <= MaxIDChars && !(a.unnamed && w.named()) {
			w.e.Things = append(w.e.Things, ingest.Thing{Type: a.thing, ID: v, Many: a.many})
		}
	}
}

// named says whether the webhook names a person.
func (w *webhook) named() bool {
	for i := range w.e.Identifiers {
		if w.e.Identifiers[i].Role != term.RoleOwn {
			return true
		}
	}
	return false
}

// kind looks the record's kind up in the programme.
func (w *webhook) kind(s *shape) bool {
	w.e.Kind = w.d.env.Kinds.Kind(s.service, s.kind)
	return w.e.Kind != nil
}

// maxMarkBytes bounds what of a qualifier's parts is taken as it is.
const maxMarkBytes = 256

// client gives the record its client id and qualifier, by which a retry is known. It returns the
// parameter that is no id.
func (w *webhook) client(s *shape) (wrong string) {
	own := false
	for _, name := range s.ids {
		if w.e.ClientID = w.p.text(name); w.e.ClientID != nil {
			wrong, own = name, true
			break
		}
	}
	if !own && s.parent != "" {
		w.e.ClientID, wrong = w.p.text(s.parent), s.parent
	}
	if utf8.RuneCount(w.e.ClientID) > MaxIDChars {
		return wrong
	}
	var parts [][]byte
	for _, name := range s.marks {
		if v := w.p.text(name); len(v) > maxMarkBytes {
			own = false
		} else if v != nil {
			parts = append(parts, v)
		}
	}
	if !own || s.enough != nil && !s.enough(w) {
		parts = append(parts, []byte(w.print()))
	}
	w.e.Qualifier = string(bytes.Join(parts, []byte("/")))
	return ""
}

var (
	message       = &shape{service: "messaging", kind: "message", ids: messageIDs, people: sides}
	messageStatus = &shape{service: "messaging", kind: "message.status", ids: messageIDs, people: sides, marks: []string{"MessageStatus", "EventType"}, enough: with("MessageStatus")}
	callStatus    = &shape{service: "voice", kind: "call.status", ids: []string{"CallSid"}, people: sides,
		marks: []string{"CallStatus", "SequenceNumber"}, enough: with("SequenceNumber"), about: aCall}
	recording     = &shape{service: "voice", kind: "recording", ids: []string{"RecordingSid"}, people: sides, marks: []string{"RecordingStatus"}, about: aCall}
	transcription = &shape{service: "voice", kind: "transcription", ids: []string{"TranscriptionSid"}, people: sides,
		marks: []string{"TranscriptionStatus", "TranscriptionEvent", "SequenceId"}, enough: with("TranscriptionStatus", "SequenceId"), about: aCall}
	transcript = &shape{service: "voice", kind: "transcription", ids: []string{"transcript_sid"}, people: customer, marks: []string{"event_type"}}

	chatMessage     = &shape{service: "chat", kind: "conversation.message", ids: []string{"MessageSid"}, parent: "ConversationSid", people: author, marks: chatMarks, enough: chatOnce, about: aPartner}
	chatDelivery    = &shape{service: "chat", kind: "conversation.delivery", ids: []string{"DeliveryReceiptSid", "MessageSid"}, parent: "ConversationSid", people: author, marks: chatMarks, enough: chatOnce, about: aDelivery}
	chatParticipant = &shape{service: "chat", kind: "conversation.participant", ids: []string{"ParticipantSid"}, parent: "ConversationSid", people: participant, marks: chatMarks, enough: chatOnce, about: aPartner}
	chatUser        = &shape{service: "chat", kind: "conversation.user", ids: []string{"UserSid"}, parent: "ChatServiceSid", people: participant, marks: chatMarks, enough: chatOnce}
	conversation    = &shape{service: "chat", kind: "conversation", ids: []string{"ConversationSid"}, parent: "ChatServiceSid", people: author, marks: chatMarks, enough: chatOnce, about: aConversation}

	room            = &shape{service: "video", kind: "video.room", ids: roomIDs, people: participant, marks: roomMarks, enough: with("SequenceNumber"), about: aRoom}
	roomParticipant = &shape{service: "video", kind: "video.participant", ids: roomIDs, people: participant, marks: roomMarks, enough: with("SequenceNumber"), about: aGuest}
	roomRecording   = &shape{service: "video", kind: "video.recording", ids: roomIDs, people: participant, marks: roomMarks, enough: with("SequenceNumber"), about: aGuest}

	task   = &shape{service: "flex", kind: "task", ids: []string{"TaskSid"}, people: taskCustomer, marks: taskMarks, enough: with("Sid", "ReservationSid"), about: aTask}
	worker = &shape{service: "flex", kind: "worker", ids: []string{"ResourceSid", "WorkerSid", "WorkspaceSid"}, people: noPeople, marks: taskMarks, enough: with("Sid", "ReservationSid")}

	verification = &shape{service: "verify", kind: "verification", people: verified}
	callSummary  = &shape{service: "voice", kind: "call", people: sides, about: aCall}
)

var (
	messageIDs = []string{"MessageSid", "SmsMessageSid", "SmsSid"}
	chatMarks  = []string{"EventType", "DateUpdated", "DateRemoved", "DateCreated"}
	roomIDs    = []string{"RoomSid"}
	roomMarks  = []string{"StatusCallbackEvent", "SequenceNumber"}
	taskMarks  = []string{"EventType", "Sid", "ReservationSid"}
)

// with says that the marks are enough when one of the parameters is there.
func with(names ...string) func(*webhook) bool {
	return func(w *webhook) bool { return w.p.text(names...) != nil }
}

// chatOnce says that for what happens once, or has a time of its own.
func chatOnce(w *webhook) bool {
	event := w.p.text("EventType")
	return bytes.HasSuffix(event, []byte("Added")) || bytes.HasSuffix(event, []byte("Removed")) || w.p.text("DateUpdated") != nil
}

// tell says which webhook this is by the parameters it has, nil when it is none that is known.
// The order counts: what comes first has parameters of what comes later.
func (w *webhook) tell() *shape {
	has := func(name string) bool { return w.p.text(name) != nil }
	event := w.p.text("EventType")
	switch {
	case has("StatusCallbackEvent") && has("RoomSid"):
		return videoShape(w.p.text("StatusCallbackEvent"))
	case event != nil && (has("ConversationSid") || has("UserSid") || has("ChatServiceSid")):
		return chatShape(bytes.TrimPrefix(event, []byte("on")))
	case has("WorkspaceSid") && has("TaskSid"):
		return task
	case has("WorkspaceSid") && event != nil:
		return worker
	case has("TranscriptionSid") && (has("TranscriptionStatus") || has("TranscriptionEvent")):
		w.inbound = isInbound(w.p.text("Direction"))
		return transcription
	case has("RecordingSid") && has("RecordingStatus"):
		w.inbound = isInbound(w.p.text("Direction"))
		return recording
	case has("CallSid") && (has("CallStatus") || has("AnsweredBy")):
		w.inbound = isInbound(w.p.text("Direction"))
		return callStatus
	case w.p.text(messageIDs...) != nil:
		status := w.p.text("MessageStatus", "SmsStatus")
		w.inbound = status == nil || isInbound(status)
		if has("MessageStatus") || !w.inbound {
			return messageStatus
		}
		return message
	case has("transcript_sid"):
		return transcript
	}
	return nil
}

func videoShape(event []byte) *shape {
	switch {
	case bytes.HasPrefix(event, []byte("room-")):
		return room
	case bytes.HasPrefix(event, []byte("participant-")), bytes.HasPrefix(event, []byte("track-")):
		return roomParticipant
	case bytes.HasPrefix(event, []byte("recording-")), bytes.HasPrefix(event, []byte("composition-")):
		return roomRecording
	}
	return nil
}

// chatShape tells the events of Conversations apart by what they begin with: "MessageAdded", and
// in Event Streams "message.added".
func chatShape(event []byte) *shape {
	for _, s := range []struct {
		begin string
		shape *shape
	}{{"message", chatMessage}, {"delivery", chatDelivery}, {"participant", chatParticipant}, {"user", chatUser}, {"conversation", conversation}} {
		if len(event) >= len(s.begin) && bytes.EqualFold(event[:len(s.begin)], []byte(s.begin)) {
			return s.shape
		}
	}
	return nil
}

// isInbound reads a direction, or a message's status.
func isInbound(v []byte) bool {
	switch string(bytes.ToLower(v)) {
	case "inbound", "incoming", "received", "receiving", "trunking-originating", "trunking_originating":
		return true
	}
	return false
}

// roles returns the roles of the two sides: the tenant's own side is no subject.
func (w *webhook) roles() (from, to string) {
	if w.inbound {
		return term.RoleSender, term.RoleOwn
	}
	return term.RoleOwn, term.RoleRecipient
}
