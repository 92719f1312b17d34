package twilio

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// maxSourceBytes bounds a CloudEvent's source.
const maxSourceBytes = 1024

// event fills e from the CloudEvent that Doc maps, or says why it can't be kept. An event is known
// by its id and source (CloudEvents 1.0, "id"): the id is the client id.
func (d *decoder) event(e *ingest.Event) (reason, path string) {
	doc := &d.b.Doc
	if doc.Nodes[0].Kind != scan.Object {
		return "event.not_object", ""
	}
	root := params{b: d.b, doc: doc}
	w := webhook{d: d, e: e}
	typ := root.text("type")
	s := w.streamShape(typ)
	if s == nil || !w.kind(s) {
		return "event.unknown_kind", "type"
	}
	id, source := root.text("id"), root.text("source")
	switch {
	case id == nil || utf8.RuneCount(id) > MaxIDChars:
		return "event.bad_id", "id"
	case source == nil || len(source) > maxSourceBytes:
		return "event.bad_source", "source"
	}
	e.ClientID, e.Qualifier = id, string(source)
	data, ok := root.in("data")
	if !ok {
		return "event.bad_data", "data"
	}
	w.p = inner(data)
	t := w.times()
	if v := root.text("time"); v != nil {
		t.At = parseTime(v)
	}
	e.OccurredAt, e.Skewed = t.Occurred(d.env.ReceivedAt.UnixMilli())
	if !w.inbound {
		w.inbound = isInbound(w.p.text("Direction")) || isInbound(w.p.deep("properties", "direction"))
	}
	s.people(&w)
	return d.b.Split(e, 0)
}

// inner returns the parameters of an event: its data, or, where these are an envelope, what is in it.
func inner(data params) params {
	data.loose = true
	if payload, ok := data.in("payload"); ok {
		return payload // TaskRouter
	}
	if request, ok := data.in("request"); ok {
		if parameters, ok := request.in("parameters"); ok {
			return parameters // Voice repeats the webhook it sent
		}
	}
	return data
}

// streamShape tells what an event is by its type, such as com.twilio.messaging.message.sent.
func (w *webhook) streamShape(typ []byte) *shape {
	vendors, ok := bytes.CutPrefix(typ, []byte("com.twilio."))
	if !ok {
		return nil
	}
	product, rest, _ := strings.Cut(string(vendors), ".")
	switch product {
	case "messaging":
		switch {
		case strings.HasPrefix(rest, "inbound-message."):
			w.inbound = true
			return message
		case strings.HasPrefix(rest, "message."):
			return messageStatus
		}
	case "voice":
		return voiceShape(rest)
	case "verify":
		return verification
	case "accountsecurity":
		if strings.HasPrefix(rest, "verify.") {
			return verification
		}
	case "taskrouter":
		return routerShape(rest)
	case "flex":
		if rest, ok := strings.CutPrefix(rest, "task-router."); ok {
			return routerShape(rest)
		}
	case "conversations":
		return chatShape([]byte(rest))
	}
	return nil
}

func voiceShape(typ string) *shape {
	switch parts := "." + typ; {
	case strings.HasPrefix(typ, "insights."):
		return callSummary
	case strings.Contains(parts, ".recording"):
		return recording
	case strings.Contains(parts, ".transcription"):
		return transcription
	}
	return callStatus
}

// routerShape tells events about a customer's task from those about the tenant's own people and places.
func routerShape(typ string) *shape {
	of, _, _ := strings.Cut(typ, ".")
	switch of {
	case "task", "reservation", "task-queue", "workflow":
		return task
	}
	return worker
}
