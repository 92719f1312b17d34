package api

import "time"

// What goes over the wire about tenants, sources and tokens.

type (
	tenantBody struct {
		ID        string    `json:"id"`
		Name      string    `json:"name,omitempty"`
		State     string    `json:"state" enum:"enabled,disabled"`
		CreatedAt time.Time `json:"created_at"`
	}
	sourceBody struct {
		ID            string     `json:"id"`
		Tenant        string     `json:"tenant"`
		Name          string     `json:"name,omitempty"`
		Adapter       string     `json:"adapter"`
		Service       string     `json:"service,omitempty" doc:"missing where each record names its own"`
		Trust         string     `json:"trust" enum:"server,public"`
		OAuth         bool       `json:"oauth,omitempty" doc:"the write key brings nothing without an access token"`
		AccountSID    string     `json:"account_sid,omitempty" doc:"the account at the vendor, as it was given"`
		Path          string     `json:"path,omitempty" doc:"where the vendor's webhooks go, below the region's address"`
		State         string     `json:"state" enum:"enabled,disabled"`
		CreatedAt     time.Time  `json:"created_at"`
		OldKeyValidTo *time.Time `json:"old_key_valid_to,omitempty" doc:"until then the key or secret before this one works"`
	}
	tokenBody struct {
		ID              string     `json:"id"`
		Tenant          string     `json:"tenant"`
		Name            string     `json:"name,omitempty"`
		State           string     `json:"state" enum:"enabled,disabled"`
		CreatedAt       time.Time  `json:"created_at"`
		OldTokenValidTo *time.Time `json:"old_token_valid_to,omitempty" doc:"until then the token before this one works"`
	}
	enteredBody struct {
		Entry string `json:"entry" doc:"the ledger entry of the change"`
	}

	newTenantBody struct {
		ID   string `json:"id" pattern:"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" doc:"the same in every region"`
		Name string `json:"name,omitempty" maxLength:"120"`
	}
	newSourceBody struct {
		Adapter    string `json:"adapter" doc:"what speaks to it: segment, native, or a vendor whose webhooks come, such as twilio; another word is answered with the list"`
		Service    string `json:"service,omitempty" doc:"the programme's service that the data belongs to; without it each record names its own"`
		Trust      string `json:"trust,omitempty" enum:"server,public" default:"server" doc:"public for a key that browsers hold"`
		Name       string `json:"name,omitempty" maxLength:"120"`
		AccountSID string `json:"account_sid,omitempty" maxLength:"64" doc:"the account at the vendor, for people"`
		Secret     string `json:"secret,omitempty" writeOnly:"true" doc:"what the vendor signs with, never shown again: Twilio's AuthToken, SendGrid's public key, Meta's app secret; of segment, the public key of an OAuth application as PEM, without which the source has none"`
	}
	newTokenBody struct {
		Name string `json:"name,omitempty" maxLength:"120"`
	}
	rotateBody struct {
		GraceSeconds int64 `json:"grace_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"how long the old one goes on working"`
	}

	rotateSourceBody struct {
		GraceSeconds int64  `json:"grace_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"how long the old one goes on working"`
		Secret       string `json:"secret,omitempty" writeOnly:"true" doc:"the vendor's new secret, where it is the vendor who signs, or the new public key of a source with OAuth"`
	}

	tenantKeyBody struct {
		Tenant tenantBody  `json:"tenant"`
		Token  tokenBody   `json:"token"`
		Secret string      `json:"api_token,omitempty" doc:"shown this once"`
		Ledger enteredBody `json:"ledger"`
	}
	tenantChangeBody struct {
		Tenant tenantBody  `json:"tenant"`
		Ledger enteredBody `json:"ledger"`
	}
	sourceKeyBody struct {
		Source sourceBody  `json:"source"`
		Secret string      `json:"write_key,omitempty" doc:"shown this once; missing where nothing was made"`
		Verify string      `json:"verify_token,omitempty" doc:"for Meta's webhook set-up; shown this once"`
		Ledger enteredBody `json:"ledger"`
	}
	tokenKeyBody struct {
		Token  tokenBody   `json:"token"`
		Secret string      `json:"api_token,omitempty" doc:"shown this once; missing where nothing was made"`
		Ledger enteredBody `json:"ledger"`
	}
	tenantsBody struct {
		Tenants []tenantBody `json:"tenants" nullable:"false"`
	}
	sourcesBody struct {
		Sources []sourceBody `json:"sources" nullable:"false"`
	}
	tokensBody struct {
		Tokens []tokenBody `json:"tokens" nullable:"false"`
	}
)
