// Package keyring opens the keyrings that a region's keys can lie in.
package keyring

import (
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/vault"
)

// Open opens the keyring that uri names, for region. There is one scheme so far:
//
//	file:DIR    a directory with one file a key; relative or absolute, and made if it is missing
//
// It returns a fault of kind Invalid for another scheme, and those of OpenFile.
func Open(uri, region string) (vault.Keyring, error) {
	scheme, rest, found := strings.Cut(uri, ":")
	if !found || scheme != "file" {
		return nil, fault.New(fault.Invalid, "keyring.unknown_scheme", "no keyring has the form %q", schemeOf(uri)).
			WithHint("write file:DIR, a directory on this machine; it is the one scheme there is")
	}
	dir := rest
	if after, ok := strings.CutPrefix(rest, "//"); ok { // file:///srv/keys, or with a host
		if !strings.HasPrefix(after, "/") {
			return nil, fault.New(fault.Invalid, "keyring.bad_uri", "a file keyring has no host").WithHint("write file:DIR or file:///DIR")
		}
		dir = after
	}
	if dir == "" {
		return nil, fault.New(fault.Invalid, "keyring.bad_uri", "the file keyring names no directory").WithHint("write file:DIR")
	}
	return OpenFile(dir, region)
}

// schemeOf returns what of uri may be shown: a URI of a KMS can hold a credential.
func schemeOf(uri string) string {
	if scheme, _, found := strings.Cut(uri, ":"); found {
		return scheme + ":…"
	}
	return "(no scheme)"
}
