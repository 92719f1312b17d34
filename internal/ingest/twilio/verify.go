package twilio

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"domicile.dev/internal/fault"
)

// hashName is the query parameter that holds the hash of a body which is no form.
const hashName = "bodySHA256"

// Verify checks the signature of a webhook, as the X-Twilio-Signature header has it: base64 of
// HMAC-SHA1 under the account's auth token over the URL and, for a form, each parameter's name and
// value, in byte order of the names; values of a repeated name are taken once each, in byte order.
// A body that is no form is covered by its SHA-256 in the URL's query.
//
// webhookURL is what was configured at the vendor, query included, as seen from outside; with and
// without the scheme's port it is the same, with any port and none, and with its query escaped
// anew, since the vendor is not consistent there: its own check takes all of these. The error is a
// fault of kind Unauthenticated that does not say what differs. Nothing is compared in less time
// because it differs early.
func Verify(authToken, webhookURL, signature, contentType string, body []byte) error {
	if authToken == "" || len(body) > MaxBodyBytes {
		return mismatch() // nobody needs a secret to sign with an empty one
	}
	signed, good := signedPart(webhookURL, contentType, body)
	if !good {
		return mismatch()
	}
	match := 0
	for _, u := range spellings(webhookURL) {
		mac := hmac.New(sha1.New, []byte(authToken))
		mac.Write([]byte(u))
		mac.Write(signed)
		want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
		match |= subtle.ConstantTimeCompare([]byte(want), []byte(signature))
	}
	if match == 0 {
		return mismatch()
	}
	return nil
}

func mismatch() error {
	return fault.New(fault.Unauthenticated, "signature.mismatch", "the signature does not fit the request").
		WithHint("the source's secret is the account's auth token, and its URL must be the one configured at Twilio, query included")
}

// signedPart returns what is signed after the URL.
func signedPart(webhookURL, contentType string, body []byte) (signed []byte, ok bool) {
	if hash, has := bodyHash(webhookURL); has {
		sum := sha256.Sum256(body)
		return nil, subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(hash)) == 1
	}
	if isJSON(contentType, body) {
		return nil, false // nothing would cover the body
	}
	pairs, reason := parseForm(body)
	if reason != "" {
		return nil, false
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := bytes.Compare(a.name, b.name); c != 0 {
			return c
		}
		return bytes.Compare(a.value, b.value)
	})
	for i, p := range pairs {
		if i > 0 && bytes.Equal(p.name, pairs[i-1].name) && bytes.Equal(p.value, pairs[i-1].value) {
			continue
		}
		signed = append(append(signed, p.name...), p.value...)
	}
	return signed, true
}

// bodyHash returns the first bodySHA256 of the URL's query.
func bodyHash(webhookURL string) (hash string, has bool) {
	u, _, _ := strings.Cut(webhookURL, "#")
	_, query, _ := strings.Cut(u, "?")
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err == nil && plain == hashName {
			hash, err := url.QueryUnescape(value)
			return hash, err == nil
		}
	}
	return "", false
}
