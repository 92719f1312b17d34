package api

import (
	"context"

	"domicile.dev/internal/residency"
	"domicile.dev/internal/tenant"
)

type (
	placementRule struct {
		By        string            `json:"by" enum:"source,phone_country,residence" doc:"what tells: where the data is sent, the country of a phone number, or a declared residence"`
		Paths     []string          `json:"paths,omitempty" maxItems:"16" doc:"of residence: where the country stands in the event, such as traits.address.country; the first that has one counts"`
		Countries map[string]string `json:"countries,omitempty" doc:"countries (ISO 3166-1 alpha-2), EU, EEA or * for all others, each to a region; the closest counts"`
	}
	settingsBody struct {
		Placement   []placementRule `json:"placement" nullable:"false" doc:"tried in order; the first rule that gives a region wins, and without any home is where the data is sent"`
		Pin         bool            `json:"pin" doc:"the people's clear data never leaves their region"`
		ForPurposes bool            `json:"for_purposes,omitempty" doc:"people are read for a purpose of the programme only"`
	}
	newSettingsBody struct {
		Placement *[]placementRule `json:"placement,omitempty" maxItems:"3" doc:"tried in order; the first rule that gives a region wins. An empty list is the default: home is where the data is sent"`
		Pin       *bool            `json:"pin,omitempty" doc:"the people's clear data never leaves their region"`

		ForPurposes *bool `json:"for_purposes,omitempty" doc:"people are read for a purpose of the programme only: what names none in Domicile-Purpose is refused"`
	}
	settingsChangeBody struct {
		Settings settingsBody `json:"settings"`
		Ledger   enteredBody  `json:"ledger"`
	}
)

func (a *API) settings(_ context.Context, c *tenant.Caller, in *tenantIn) (*out[settingsBody], error) {
	s, err := a.accounts.Settings(c, in.Tenant)
	if err != nil {
		return nil, err
	}
	return &out[settingsBody]{settingsOf(s)}, nil
}

type newSettingsIn struct {
	Tenant string `path:"tenant"`
	Body   newSettingsBody
}

func (a *API) setSettings(ctx context.Context, c *tenant.Caller, in *newSettingsIn) (*out[settingsChangeBody], error) {
	n := tenant.SettingsChange{Pin: in.Body.Pin, ForPurposes: in.Body.ForPurposes}
	if in.Body.Placement != nil {
		rules := make([]residency.Rule, len(*in.Body.Placement))
		for i, r := range *in.Body.Placement {
			rules[i] = residency.Rule(r)
		}
		n.Placement = &rules
	}
	s, ch, err := a.accounts.SetSettings(ctx, c, in.Tenant, n)
	if err != nil {
		return nil, err
	}
	return &out[settingsChangeBody]{settingsChangeBody{settingsOf(s), entered(ch)}}, nil
}

func settingsOf(s residency.Settings) settingsBody {
	b := settingsBody{Placement: make([]placementRule, len(s.Placement)), Pin: s.Pin, ForPurposes: s.ForPurposes}
	for i, r := range s.Placement {
		b.Placement[i] = placementRule(r)
	}
	return b
}
