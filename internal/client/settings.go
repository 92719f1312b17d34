package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
)

// PlacementRule is one way to tell where a tenant's people are at home.
type PlacementRule struct {
	By        string            `json:"by"`
	Paths     []string          `json:"paths,omitempty"`
	Countries map[string]string `json:"countries,omitempty"`
}

// Settings is what a tenant decides about where its people's data lives.
type Settings struct {
	Placement []PlacementRule `json:"placement"`
	Pin       bool            `json:"pin"`
	// ForPurposes says that people are read for a purpose of the programme only.
	ForPurposes bool `json:"for_purposes"`
}

// SettingsChange is what changes of it; what is nil stays.
type SettingsChange struct {
	Placement json.RawMessage `json:"placement,omitempty"` // a list of rules
	Pin       *bool           `json:"pin,omitempty"`
	// ForPurposes says whether people are read for a purpose of the programme only.
	ForPurposes *bool `json:"for_purposes,omitempty"`
}

// ChangedSettings are the settings after a change.
type ChangedSettings struct {
	Settings Settings `json:"settings"`
	Ledger   struct {
		Entry string `json:"entry"`
	} `json:"ledger"`
}

// Settings returns a tenant's settings in this region.
func (c *Client) Settings(ctx context.Context, tenant string) (s Settings, err error) {
	return s, c.get(ctx, tenantPath(tenant)+"/settings", nil, &s)
}

// SetSettings changes a tenant's settings in this region.
func (c *Client) SetSettings(ctx context.Context, tenant string, n SettingsChange) (s ChangedSettings, err error) {
	b, err := json.Marshal(n)
	if err != nil {
		return s, err
	}
	return s, c.call(ctx, http.MethodPatch, tenantPath(tenant)+"/settings", bytes.NewReader(b), &s)
}
