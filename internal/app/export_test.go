package app

import (
	"testing"

	"domicile.dev/internal/web/api"
)

// WithVendors makes nodes take the webhooks of these vendors, too, until the test ends.
func WithVendors(t *testing.T, more ...api.Webhook) {
	had := vendors
	vendors = append(append([]api.Webhook{}, had...), more...)
	t.Cleanup(func() { vendors = had })
}
