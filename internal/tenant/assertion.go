package tenant

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/fault"
)

// The bounds of a client assertion (RFC 7523, section 3). Segment's SDKs make one for each token,
// good for a minute.
const (
	maxAssertionBytes = 8 << 10
	maxAssertionAge   = 10 * time.Minute // from now to its end
	clockLeeway       = time.Minute
)

// assertion is a JWT of which nothing has been believed yet.
type assertion struct {
	signed    []byte // what the signature covers
	signature []byte
	claims    struct {
		Issuer  string          `json:"iss"`
		Subject string          `json:"sub"`
		Aud     json.RawMessage `json:"aud"`
		Expires *float64        `json:"exp"` // seconds; the SDK's have fractions when its clock is off
		Issued  *float64        `json:"iat"`
		Begins  *float64        `json:"nbf"`
	}
}

// parseAssertion takes a JWT apart. ok is false when it is none, or is signed in another way than
// RS256, which is what Segment's SDKs do: no header chooses how a signature is checked.
func parseAssertion(jwt string) (a assertion, ok bool) {
	if len(jwt) > maxAssertionBytes {
		return a, false
	}
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return a, false
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(p); err != nil {
			return a, false
		}
	}
	var header struct {
		Alg  string          `json:"alg"`
		Crit json.RawMessage `json:"crit"`
	}
	if json.Unmarshal(raw[0], &header) != nil || header.Alg != "RS256" || header.Crit != nil || json.Unmarshal(raw[1], &a.claims) != nil {
		return a, false
	}
	a.signed, a.signature = []byte(parts[0]+"."+parts[1]), raw[2]
	return a, true
}

// signedBy says whether the assertion is signed with the key of which public is the public half, as
// it is kept: base64 of a SubjectPublicKeyInfo.
func (a *assertion) signedBy(public string) bool {
	key, err := parseRSA(public)
	if err != nil {
		return false
	}
	sum := sha256.Sum256(a.signed)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], a.signature) == nil
}

// wrong says what is wrong with the claims of an assertion for audience at now, "" when nothing is.
func (a *assertion) wrong(audience string, now time.Time) string {
	in := func(t *float64) time.Duration { // from now
		const most = float64(math.MaxInt64) / 4 / float64(time.Second)
		return time.Duration(math.Max(-most, math.Min(most, *t-float64(now.UnixMilli())/1000)) * float64(time.Second))
	}
	switch {
	case a.claims.Subject == "" || a.claims.Issuer != a.claims.Subject:
		return "iss and sub are to be the source's id"
	case !a.meant(audience):
		return "aud is to be " + audience
	case a.claims.Expires == nil || in(a.claims.Expires) < -clockLeeway:
		return "it has expired, or has no exp"
	case in(a.claims.Expires) > maxAssertionAge:
		return "its exp is more than ten minutes from now"
	case a.claims.Issued != nil && in(a.claims.Issued) > clockLeeway, a.claims.Begins != nil && in(a.claims.Begins) > clockLeeway:
		return "it isn't valid yet: see the clock"
	}
	return ""
}

// meant says whether audience, an address without a path, is among those that the assertion is for.
// Some clients name the whole address of the token endpoint.
func (a *assertion) meant(audience string) bool {
	var all []string
	if bytes.HasPrefix(a.claims.Aud, []byte(`"`)) {
		all = make([]string, 1)
		if json.Unmarshal(a.claims.Aud, &all[0]) != nil {
			return false
		}
	} else if json.Unmarshal(a.claims.Aud, &all) != nil {
		return false
	}
	return slices.ContainsFunc(all, func(aud string) bool {
		return strings.TrimSuffix(strings.TrimSuffix(aud, "/token"), "/") == audience
	})
}

// publicKey reads the public key of an OAuth application, as PEM or as the base64 in it, and returns
// it as it is kept.
func publicKey(text string) (string, error) {
	bad := func(why string) error {
		return fault.New(fault.Invalid, "source.bad_key", "the source's OAuth key can't be taken: %s", why).
			WithHint("give the public half of an RSA key of 2,048 to 4,096 bits, as PEM: openssl rsa -in private.pem -pubout")
	}
	text = strings.TrimSpace(text)
	if block, rest := pem.Decode([]byte(text)); block != nil {
		switch {
		case strings.Contains(block.Type, "PRIVATE"):
			return "", bad("it is a private key, which stays with whoever signs")
		case block.Type != "PUBLIC KEY" || len(bytes.TrimSpace(rest)) > 0:
			return "", bad("it is not one PUBLIC KEY")
		}
		text = base64.StdEncoding.EncodeToString(block.Bytes)
	}
	key, err := parseRSA(text)
	switch {
	case err != nil:
		return "", bad("it is no RSA key")
	case key.N.BitLen() < 2048 || key.N.BitLen() > 4096:
		return "", bad("it is too short or too long")
	}
	return text, nil
}

func parseRSA(public string) (*rsa.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, x509.ErrUnsupportedAlgorithm
	}
	return key, nil
}
