package twilio

import (
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// identify adds whom typ and value name, when they name anybody.
func (w *webhook) identify(role string, typ string, value []byte) bool {
	if typ == "" {
		return false
	}
	w.d.b.Identify(w.e, typ, role, value)
	return true
}

func (w *webhook) address(role string, v []byte) bool {
	typ, value := address(w.d.b, v)
	return w.identify(role, typ, value)
}

func (w *webhook) name(role string, v []byte) bool {
	typ, value := named(w.d.b, v)
	return w.identify(role, typ, value)
}

// sides are a sender and a recipient, one of them the tenant's own.
func sides(w *webhook) {
	from, to := w.roles()
	w.address(from, w.side("From", "Caller"))
	w.address(to, w.side("To", "Called", "Callee"))
	if typ, value := whatsApp(w.d.b, w.p.text("WaId")); w.inbound {
		w.identify(term.RoleSender, typ, value) // the same person, who may have no number
	}
}

// side returns a side's address: a parameter, or, in a call's summary, a member of an object.
func (w *webhook) side(name string, others ...string) []byte {
	if below, ok := w.p.in(name); ok {
		return below.text(others...)
	}
	return w.p.text(append([]string{name}, others...)...)
}

// author is who wrote in a conversation, or did something to it.
func author(w *webhook) {
	if !w.name(term.RoleSender, w.p.text("Author")) {
		w.name(term.RoleSender, w.p.text("ClientIdentity"))
	}
}

// participant is somebody in a conversation or a room. Each identifier of a participant would be a
// person of its own, so that there is one: the address, since an identity can be that of an agent.
func participant(w *webhook) {
	_ = w.address(term.RoleParticipant, w.p.deep("MessagingBinding", "Address")) ||
		w.name(term.RoleParticipant, w.p.text("ParticipantIdentity", "Identity"))
}

// verified is whose address or identity is being verified.
func verified(w *webhook) {
	_ = w.address(term.RoleRecipient, w.p.text("To")) || w.name(term.RoleRecipient, w.p.text("Identity"))
}

// customer is whom a transcript is about, by the key that the tenant gave.
func customer(w *webhook) {
	w.name(term.RoleSubject, w.p.text("customer_key"))
}

// noPeople is for what is about the tenant's own staff.
func noPeople(*webhook) {}

// taskCustomer finds the customer in a task's attributes, which the tenant's own application
// wrote. The worker is staff. Attributes that can't be read name nobody.
func taskCustomer(w *webhook) {
	a, ok := w.attributes("TaskAttributes")
	if !ok {
		return
	}
	if string(a.text("direction")) == "outbound" {
		_ = w.address(term.RoleRecipient, a.text("outbound_to")) || w.address(term.RoleRecipient, a.text("to", "called"))
		return
	}
	for _, name := range [...]string{"from", "caller", "customerAddress"} {
		w.address(term.RoleSender, a.text(name))
	}
}

// attributes reads a parameter that is JSON in a string, or, in Event Streams, an object.
func (w *webhook) attributes(name string) (params, bool) {
	if below, ok := w.p.in(name); ok {
		return below, true
	}
	text := w.p.text(name)
	doc := &w.d.attributes
	if text == nil || doc.ParseAll(text, scan.Limits{UTF8: true}) != nil || doc.Nodes[0].Kind != scan.Object {
		return params{}, false
	}
	return params{b: w.d.b, doc: doc}, true
}
