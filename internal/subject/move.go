package subject

import "domicile.dev/internal/id"

// BindingAt is a place among all bindings; the zero value is before the first.
type BindingAt struct {
	BindingKey
	Flags   int
	Subject id.Subject
}

// OldBinding is a binding under a version of the index key that is on its way out, with what opens
// its sealed value.
type OldBinding struct {
	Binding
	TenantID string
	Epoch    uint32
	Wrapped  []byte // nil when its subject is gone, which only damage can bring about
}

// BindingPage is what BindingsBefore found.
type BindingPage struct {
	Rows []OldBinding
	Last BindingAt // for the next page
	More bool      // there may be one
}

// Move is a binding with the digest that its identifier has under another version of the index key.
type Move struct {
	Binding
	To        Digest
	ToVersion uint32
}
