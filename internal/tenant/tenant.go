// Package tenant holds who may bring data and who may ask for it: tenants, their sources and their
// API tokens, and the operator who manages them.
//
// A key is shown once, when it is made. Only its SHA-256 is stored: keys are 256 random bits, so
// nothing slower is needed, and whoever steals the table can use none of them. The secret that a
// vendor signs its webhooks with has to be read again, so it is stored sealed; see secret.go.
package tenant

import (
	"regexp"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/term"
)

// A Tenant is a customer of the organisation. It has the same ID in every region; No is its number
// in this cell, and names nothing outside of it.
type Tenant struct {
	No        uint32
	ID, Name  string
	Disabled  bool
	CreatedAt time.Time
	// Settings is where its people are at home, as the tenant decides; nil for the defaults. It is
	// replaced, never changed.
	Settings *residency.Settings
}

// A Source is an ingest credential: tenant × region × service × adapter. Service is "" where each
// record names its own.
type Source struct {
	Tenant        uint32
	TenantID      string
	ID            string // "src_<region>_…"
	Name          string
	Adapter       string
	Service       string
	Trust         term.Trust
	OAuth         bool   // its key brings nothing without an access token; see oauth.go
	Account       string // the tenant's account at the vendor, where it was given
	Disabled      bool
	CreatedAt     time.Time
	OldKeyValidTo time.Time // end of the grace of the key or secret before this one; zero when there is none
	// Settings are the tenant's, on a source that a credential or a path named.
	Settings *residency.Settings
}

// A Token is a credential for a tenant's API.
type Token struct {
	Tenant          uint32
	TenantID        string
	ID              string // "tok_<region>_…"
	Name            string
	Disabled        bool
	CreatedAt       time.Time
	OldTokenValidTo time.Time // as Source.OldKeyValidTo
}

// A Caller is who asks: a tenant by one of its tokens, or the operator of the region, who manages
// tenants and sees none of their data.
type Caller struct {
	Tenant   uint32
	TenantID string
	Token    string // id of the token, "" for the operator
	Operator bool
	Settings *residency.Settings // the tenant's; nil for the operator

	// For is the purpose of the programme that it reads for, "" for none.
	For string
	// Access says that it answers the right of access or of portability (GDPR art. 15, 20), whose extent no
	// purpose bounds.
	Access bool
}

// Reading returns the caller as one that reads for a purpose of the programme.
func (c *Caller) Reading(purpose string) *Caller {
	if purpose == "" {
		return c
	}
	out := *c
	out.For = purpose
	return &out
}

// Accessing returns the caller as one that answers the right of access.
func (c *Caller) Accessing() *Caller {
	out := *c
	out.For, out.Access = "", true
	return &out
}

// Operator is the caller that a node is to itself, as when `domicile up` makes its first tenant.
var Operator = &Caller{Operator: true}

// Secret is what is stored of a key: its SHA-256, and that of the key before it while that one
// still holds.
type Secret struct {
	Hash    []byte // 32 bytes
	Old     []byte // 32 bytes, or empty
	OldEnds time.Time
}

// StoredSource is a source as the store has it. Sealed is empty where a key is all there is; then
// OldSealed is, too.
type StoredSource struct {
	Source
	Secret
	Sealed    []byte // Secrets, sealed
	OldSealed []byte // those before, until Secret.OldEnds; or empty
}

// StoredToken is a token as the store has it.
type StoredToken struct {
	Token
	Secret
}

// An Account is a tenant with all that belongs to it. Version grows with every change of any
// account of the cell.
type Account struct {
	Tenant
	Version int64
	Sources []StoredSource
	Tokens  []StoredToken
}

// MaxGrace is the longest that a rotated key may go on working.
const MaxGrace = 30 * 24 * time.Hour

var (
	tenantID = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	account  = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,64}$`)
	word     = regexp.MustCompile(`^[a-z](?:[a-z0-9_.-]{0,62}[a-z0-9])?$`)
)

// CheckID says whether id can name a tenant: 1 to 63 of a–z, 0–9 and inner hyphens.
func CheckID(id string) error {
	if !tenantID.MatchString(id) {
		return fault.New(fault.Invalid, "tenant.bad_id", "a tenant's id has 1 to 63 letters a–z, digits and inner hyphens")
	}
	return nil
}

// NewSource is what a source is made from. Trust is server when it is empty.
type NewSource struct {
	Name    string
	Adapter string
	Service string
	Trust   term.Trust
	// Account names the tenant's account at the vendor: Twilio's AccountSid, or the id of a WhatsApp
	// Business account. Of these two vendors, what names another one is refused. Optional.
	Account string
	// Secret is what the vendor signs with: Twilio's AuthToken, SendGrid's public key, Meta's app
	// secret. Signed adapters need it. Of segment it is the public key of an OAuth application, as
	// PEM, and optional. The others have none.
	Secret string
}

// check returns n with its defaults, or says what is wrong with it.
func (n NewSource) check(adapters []string) (NewSource, error) {
	if n.Trust == "" {
		n.Trust = term.Server
	}
	if n.Trust != term.Server && n.Trust != term.Public {
		return n, fault.New(fault.Invalid, "source.bad_trust", "a source's trust is server or public")
	}
	if n.Trust == term.Public && Signed(n.Adapter) {
		return n, fault.New(fault.Invalid, "source.bad_trust", "a source whose requests are signed is a server's")
	}
	if n.Trust == term.Public && n.Secret != "" && MayOAuth(n.Adapter) {
		return n, fault.New(fault.Invalid, "source.bad_trust", "a browser keeps no private key, so its source has no OAuth")
	}
	if !account.MatchString(n.Account) {
		return n, fault.New(fault.Invalid, "source.bad_account", "an account's name has at most 64 letters, digits, and . _ -")
	}
	if n.Service != "" && !word.MatchString(n.Service) {
		return n, fault.New(fault.Invalid, "source.bad_service", "a service's name has lower-case letters, digits, and . _ - between them")
	}
	if err := checkName(n.Name); err != nil {
		return n, err
	}
	for _, a := range adapters {
		if n.Adapter == a {
			return n, nil
		}
	}
	return n, fault.New(fault.Invalid, "source.unknown_adapter", "there is no such adapter").With("adapters", adapters)
}

// checkName refuses what no one should have to read in a list.
func checkName(name string) error {
	if len(name) > 120 {
		return fault.New(fault.Invalid, "name.too_long", "a name has at most 120 bytes")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return fault.New(fault.Invalid, "name.bad_text", "a name is UTF-8 without control characters")
		}
	}
	return nil
}

// mayManage says whether c may change what belongs to the tenant called id.
func (c *Caller) mayManage(id string) bool { return c.Operator || c.TenantID == id }

// needOperator is the fault of whoever isn't one.
func needOperator(c *Caller) error {
	if c.Operator {
		return nil
	}
	return fault.New(fault.Forbidden, "operator.only", "only the region's operator may do this").
		WithHint("use the token in operator.token of the node's data directory")
}

func noTenant() error {
	return fault.New(fault.NotFound, "tenant.not_found", "there is no such tenant")
}
func noSource() error {
	return fault.New(fault.NotFound, "source.not_found", "there is no such source")
}
func noToken() error { return fault.New(fault.NotFound, "token.not_found", "there is no such token") }
