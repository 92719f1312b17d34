package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/fault"
)

// The scheme's bounds of a key, in bytes.
const (
	minKeyBytes = 24
	maxKeyBytes = 64
	mostSecrets = 2
	prefix      = "whsec_"
)

// NewSecret returns a random secret, "whsec_…".
func NewSecret() string {
	var key [32]byte
	_, _ = rand.Read(key[:])
	return prefix + base64.StdEncoding.EncodeToString(key[:])
}

// ParseSecrets reads one secret, or two with a space or a line's end between them: while a recipient
// changes from one to the other, each delivery is signed with both. A secret is "whsec_" and the
// base64 of 24 to 64 bytes.
//
// Fault: Invalid "destination.bad_secret".
func ParseSecrets(text string) (keys [][]byte, err error) {
	for _, s := range strings.Fields(text) {
		b64, ok := strings.CutPrefix(s, prefix)
		key, err := base64.StdEncoding.DecodeString(b64)
		if !ok || err != nil || len(key) < minKeyBytes || len(key) > maxKeyBytes {
			return nil, badSecret()
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 || len(keys) > mostSecrets {
		return nil, badSecret()
	}
	return keys, nil
}

func badSecret() error {
	return fault.New(fault.Invalid, "destination.bad_secret", "the secret is not whsec_ and the base64 of %d to %d bytes", minKeyBytes, maxKeyBytes).
		WithHint("two of them, the new one first, while the recipient changes from one to the other")
}

// sign returns the value of webhook-signature: for each key, "v1," and the base64 of the HMAC-SHA256
// over id, the time in seconds and the body, with dots between them (Standard Webhooks, "Signature
// scheme"). The body is what goes over the wire: compressed, when it is.
func sign(keys [][]byte, id string, at time.Time, body []byte) string {
	var b strings.Builder
	for i, key := range keys {
		m := hmac.New(sha256.New, key)
		_, _ = m.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		_, _ = m.Write(body)
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)))
	}
	return b.String()
}
