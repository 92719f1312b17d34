package tenant_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/tenant"
)

var placement = []residency.Rule{{By: residency.ByPhoneCountry, Countries: map[string]string{"US": "us1", "*": "ie1"}}, {By: residency.BySource}}

func TestSettingsAreKeptEnteredAndOnTheSources(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	_, key := w.source(c)
	if s, err := w.Settings(c, "acme"); err != nil || s.Placement == nil || len(s.Placement) > 0 || s.Pin {
		t.Errorf("at first %+v, %v", s, err)
	}
	if src, err := w.SourceByKey(key); err != nil || src.Settings.Places() {
		t.Errorf("a source without settings places people: %+v, %v", src, err)
	}
	pin := true
	for _, n := range []tenant.SettingsChange{{Placement: &placement}, {Pin: &pin}} {
		if _, ch, err := w.SetSettings(t.Context(), c, "acme", n); err != nil || ch.Entry.String() == "" {
			t.Fatal(err)
		}
	}
	if last := w.entered[len(w.entered)-1]; !strings.HasPrefix(last, "tenant.settings acme ") || !strings.Contains(last, `"pin":true`) ||
		!strings.Contains(last, `{"by":"phone_country","countries":{"*":"ie1","US":"us1"}}`) || !strings.Contains(last, `"token":"`+c.Token+`"`) {
		t.Errorf("entered %s", last)
	}
	again := w.open(w.db) // from the store
	for _, s := range []*tenant.Service{w.Service, again} {
		got, err := s.Settings(c, "acme")
		if err != nil || !got.Pin || len(got.Placement) != 2 || got.Placement[0].Countries["US"] != "us1" {
			t.Errorf("%+v, %v", got, err)
		}
		src, err := s.SourceByKey(key)
		if err != nil || !src.Settings.Places() || !src.Settings.Pin {
			t.Errorf("the source has the settings %+v, %v", src.Settings, err)
		}
	}
	// Other changes of the account leave them.
	if _, _, err := w.SetTenant(t.Context(), tenant.Operator, "acme", false); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Settings(tenant.Operator, "acme"); err != nil || !got.Pin || len(got.Placement) != 2 {
		t.Errorf("after another change %+v, %v", got, err)
	}
	none := []residency.Rule{}
	if s, _, err := w.SetSettings(t.Context(), c, "acme", tenant.SettingsChange{Placement: &none}); err != nil || len(s.Placement) != 0 || !s.Pin {
		t.Errorf("without rules %+v, %v", s, err)
	}
}

func TestWhoMaySetSettings(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	other, _ := w.tenant("globex")
	_, _, err := w.SetSettings(t.Context(), other, "acme", tenant.SettingsChange{Placement: &placement})
	wantFault(t, err, fault.NotFound, "tenant.not_found")
	_, err = w.Settings(other, "acme")
	wantFault(t, err, fault.NotFound, "tenant.not_found")
	if _, _, err := w.SetSettings(t.Context(), tenant.Operator, "acme", tenant.SettingsChange{Placement: &placement}); err != nil {
		t.Error(err)
	}
	bad := []residency.Rule{{By: residency.ByPhoneCountry, Countries: map[string]string{"US": "au1"}}} // a region that is no peer of this one
	_, _, err = w.SetSettings(t.Context(), c, "acme", tenant.SettingsChange{Placement: &bad})
	wantFault(t, err, fault.Invalid, "placement.unknown_region")
	w.fail = errors.New("no ledger")
	if _, _, err := w.SetSettings(t.Context(), c, "acme", tenant.SettingsChange{Placement: &[]residency.Rule{}}); err == nil {
		t.Error("a change that can't be entered was made")
	}
	w.fail = nil
	if got, _ := w.Settings(c, "acme"); len(got.Placement) != 2 {
		t.Errorf("what can't be entered holds: %+v", got)
	}
}

func TestSettingsMadeOnAnotherNodeHoldHere(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	_, key := w.source(c)
	other := w.openPolling(&shared{DB: w.db})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { other.Run(ctx); close(ended) }()
	defer func() { stop(); <-ended }()
	if _, _, err := w.SetSettings(t.Context(), c, "acme", tenant.SettingsChange{Placement: &placement}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if src, err := other.SourceByKey(key); err == nil && src.Settings.Places() {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the other node doesn't know of the settings")
		}
	}
}
