package client

import "context"

// Reidentified is whom a recipient means.
type Reidentified struct {
	Subject string `json:"subject"`
	Ledger  `json:"ledger"`
}

// Reidentify asks whom a recipient means by a pseudonym; the answer is entered in the ledger first.
func (c *Client) Reidentify(ctx context.Context, recipient, purpose, pseudonym, reason string) (r Reidentified, err error) {
	return r, c.post(ctx, "/pseudonyms:resolve", map[string]any{"recipient": recipient, "purpose": purpose, "pseudonym": pseudonym, "reason": reason}, &r)
}
