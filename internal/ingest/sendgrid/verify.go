package sendgrid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/fault"
)

// How far the time of signing may lie from now. The vendor sends again for a day and does not say
// that it signs anew, so a narrow window would lose what waited for a node to come back; three days
// leave room for a vendor's bad day. A request that somebody recorded and sends again is no harm: its
// events are known by their ids.
const (
	MaxAge   = 72 * time.Hour
	MaxAhead = 5 * time.Minute // of this node's clock
)

// ParseKey reads a verification key as SendGrid shows it: base64 of a SubjectPublicKeyInfo in DER,
// without PEM lines; blanks around it count for nothing. The key is on P-256. The error is a fault
// of kind Invalid.
func ParseKey(base64SPKI string) (*ecdsa.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(base64SPKI))
	if err != nil {
		return nil, badKey()
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, badKey()
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, badKey()
	}
	return key, nil
}

func badKey() error {
	return fault.New(fault.Invalid, "source.bad_key", "this is no verification key of SendGrid's").
		WithHint("copy it from the event webhook's security settings: base64, without lines of dashes")
}

// Verify checks the signature of a webhook: ECDSA over the SHA-256 of timestamp and raw body, its
// final CRLF included, as base64 of DER. timestamp and signature are the values of
// X-Twilio-Email-Event-Webhook-Timestamp and -Signature.
//
// The error is a fault of kind Unauthenticated: signature.mismatch, or signature.stale for what was
// signed well but longer than MaxAge ago or more than MaxAhead from now.
func Verify(key *ecdsa.PublicKey, timestamp, signature string, body []byte, now time.Time) error {
	sig, err := base64.StdEncoding.DecodeString(signature)
	if key == nil || err != nil || len(body) > MaxBodyBytes {
		return mismatch()
	}
	h := sha256.New()
	h.Write([]byte(timestamp))
	h.Write(body)
	if !ecdsa.VerifyASN1(key, h.Sum(nil), sig) {
		return mismatch()
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || seconds < 0 || seconds > maxSeconds {
		return mismatch() // the time and the body could be divided anywhere
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > MaxAge || off < -MaxAhead {
		return fault.New(fault.Unauthenticated, "signature.stale", "the request was signed more than %d hours ago, or %d minutes ahead of now", MaxAge/time.Hour, MaxAhead/time.Minute).
			WithHint("set the node's clock")
	}
	return nil
}

func mismatch() error {
	return fault.New(fault.Unauthenticated, "signature.mismatch", "the signature does not fit the request").
		WithHint("the source's secret is the verification key of the event webhook, and the body must arrive byte for byte")
}
