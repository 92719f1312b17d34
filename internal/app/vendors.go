package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"domicile.dev/internal/ingest/sendgrid"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/web/api"
)

// vendors are those whose webhooks are taken. An adapter that is not here can have no source.
var vendors = []api.Webhook{api.TwilioWebhook(), api.SendGridWebhook(), api.WhatsAppWebhook(), api.CloudEventsWebhook()}

// adapters are all that sources can be made for.
func adapters() []string {
	all := []string{term.AdapterSegment, term.AdapterNative}
	for _, v := range vendors {
		all = append(all, v.Adapter)
	}
	return all
}

// secretChecks look closer at the secrets of new sources, by adapter.
var secretChecks = map[string]func(secret string) error{
	term.AdapterSendGrid: func(secret string) error { _, err := sendgrid.ParseKey(secret); return err },
}

func checkSecret(adapter, secret string) error {
	if check := secretChecks[adapter]; check != nil {
		return check(secret)
	}
	return nil
}

// furnishHook makes a source whose vendor signs, unless the one of up.json still works, and plays the
// vendor in making its secret.
func furnishHook(ctx context.Context, n *Node, have []tenant.Source, before UpSource, want tenant.NewSource) (UpSource, error) {
	if h, err := n.Tenants.Hook(before.ID); err == nil && h.Source.Adapter == want.Adapter && h.Source.TenantID == UpTenant &&
		len(h.Secrets) > 0 && before.fits(h.Secrets[0]) {
		before.URL = n.Config.URL + api.WebhookPath(want.Adapter, before.ID)
		return before, nil
	}
	s, secret, err := playVendor(want.Adapter)
	if err != nil {
		return s, err
	}
	var made tenant.Source
	var shown string
	if old := named(have, want); old != nil {
		made, shown, _, err = n.Tenants.RotateSource(ctx, tenant.Operator, UpTenant, old.ID, secret, 0)
	} else {
		want.Secret = secret // and no account: examples and captured webhooks name their own
		made, shown, _, err = n.Tenants.CreateSource(ctx, tenant.Operator, UpTenant, want)
	}
	s.ID, s.VerifyToken = made.ID, shown
	if made.Account != "" {
		s.AccountSID = made.Account
	}
	s.URL = n.Config.URL + api.WebhookPath(want.Adapter, made.ID)
	return s, err
}

// playVendor makes what the vendor would: the account, and the secret that both sides know.
func playVendor(adapter string) (s UpSource, secret string, err error) {
	switch adapter {
	case term.AdapterTwilio:
		s.AccountSID, s.AuthToken = "AC"+randomHex(), randomHex()
		return s, s.AuthToken, nil
	case term.AdapterWhatsApp:
		s.AppSecret = randomHex()
		return s, s.AppSecret, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return s, "", fmt.Errorf("make the key of source %s: %w", adapter, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return s, "", fmt.Errorf("encode the key of source %s: %w", adapter, err)
	}
	s.PrivateKey = base64.StdEncoding.EncodeToString(der)
	secret, err = publicOf(s.PrivateKey)
	return s, secret, err
}

// fits says whether s are the secrets that up.json has.
func (u UpSource) fits(s tenant.Secrets) bool {
	secret := u.AuthToken + u.AppSecret
	if u.PrivateKey != "" {
		secret, _ = publicOf(u.PrivateKey)
	}
	return secret != "" && s == tenant.Secrets{Secret: secret, VerifyToken: u.VerifyToken}
}

// publicOf returns the public key of a private one as SendGrid shows it: SPKI, base64.
func publicOf(private string) (string, error) {
	der, err := base64.StdEncoding.DecodeString(private)
	if err != nil {
		return "", fmt.Errorf("decode a private key: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return "", fmt.Errorf("parse a private key: %w", err)
	}
	pair, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return "", fmt.Errorf("a %T is no ECDSA key", key)
	}
	spki, err := x509.MarshalPKIXPublicKey(&pair.PublicKey)
	if err != nil {
		return "", fmt.Errorf("encode a public key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(spki), nil
}

func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
