package whatsapp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"domicile.dev/internal/fault"
)

// Verify checks the signature of a webhook, as the X-Hub-Signature-256 header has it: "sha256=" and
// the HMAC-SHA256 of the raw body under the app secret, in hex. The error is a fault of kind
// Unauthenticated that does not say what differs; nothing is compared in less time because it
// differs early.
func Verify(appSecret, header string, body []byte) error {
	given, ok := strings.CutPrefix(header, "sha256=")
	sum, err := hex.DecodeString(given)
	if appSecret == "" || !ok || err != nil || len(body) > MaxBodyBytes { // nobody needs a secret to sign with an empty one
		return mismatch()
	}
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write(body)
	if !hmac.Equal(mac.Sum(nil), sum) {
		return mismatch()
	}
	return nil
}

func mismatch() error {
	return fault.New(fault.Unauthenticated, "signature.mismatch", "the signature does not fit the request").
		WithHint("the source's secret is the app secret of the Meta app, and the body must arrive byte for byte")
}
