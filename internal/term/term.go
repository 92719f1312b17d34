// Package term holds the closed vocabularies that several rooms share.
package term

// Identifier types that every tenant has. An operator's own types are any other lower-case word.
const (
	Email       = "email"
	Phone       = "phone"
	UserID      = "user_id"
	AnonymousID = "anonymous_id"
	DeviceID    = "device_id"
	WhatsAppID  = "whatsapp_id"
	Identity    = "identity"
)

// Roles that a subject has in a record. Own is the tenant's own side and never a subject.
const (
	RoleSubject     = "subject"
	RoleSender      = "sender"
	RoleRecipient   = "recipient"
	RoleParticipant = "participant"
	RoleOwn         = "own"
)

// Owners of a part, as the programme's kinds declare them: a role, or one of these.
const (
	OwnerWriter = "writer" // the sender when there is one, else each recipient, else each subject
	OwnerNobody = "nobody" // about no person
)

// Unclassified is the category of whatever the programme does not map. It never leaves.
const Unclassified = "unclassified"

// Trust says how far a source's word on identity goes.
type Trust string

const (
	Server Trust = "server" // a secret key: identify and alias join
	Public Trust = "public" // a key that browsers hold: claims only
)

// Adapters that sources are made for.
const (
	AdapterSegment     = "segment"
	AdapterNative      = "native"
	AdapterTwilio      = "twilio"
	AdapterSendGrid    = "sendgrid"
	AdapterWhatsApp    = "whatsapp"
	AdapterCloudEvents = "cloudevents"
)
