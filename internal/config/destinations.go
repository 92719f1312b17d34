package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"domicile.dev/internal/fault"
)

// Destination is where one recipient takes its deliveries. Check reads the secrets that lie elsewhere.
type Destination struct {
	// URL is https://… of a webhook (http:// on this machine), file:///folder, s3://bucket?…, or
	// domicile+https://… of another region.
	URL string `yaml:"url"`
	// Secret is a webhook's "whsec_…", or two of them, the new one first; "env:NAME" is in the
	// process's environment, "file:PATH" in a file.
	Secret string `yaml:"secret"`
	// SecretFile holds what Secret would, readable by its owner alone.
	SecretFile string `yaml:"secret_file"`
	// Tokens are those of native sources in another region, by the tenant's id here: each "dwk_…",
	// "env:NAME" or "file:PATH".
	Tokens map[string]string `yaml:"tokens"`
	// Headers go with every delivery to a webhook. A value may be "env:NAME" or "file:PATH".
	Headers map[string]string `yaml:"headers"`
	// Gzip compresses what goes to a webhook or into a bucket or folder.
	Gzip bool `yaml:"gzip"`
	// CA is a PEM file of who may have signed the recipient's certificate. Default: the system's.
	CA string `yaml:"ca"`
}

// The kinds of destinations.
const (
	DestinationWebhook = "webhook"
	DestinationObjects = "objects"
	DestinationRegion  = "region"
)

// Kind says which connector the URL is for, "" when it is for none.
func (d *Destination) Kind() string {
	scheme, _, _ := strings.Cut(d.URL, ":")
	switch scheme {
	case "https", "http":
		return DestinationWebhook
	case "file", "s3":
		return DestinationObjects
	case "domicile+https", "domicile+http":
		return DestinationRegion
	}
	return ""
}

// relative makes paths relative to base absolute.
func (d *Destination) relative(base string) {
	at := func(p string) string {
		if p != "" && !filepath.IsAbs(p) {
			return filepath.Join(base, p)
		}
		return p
	}
	d.SecretFile, d.CA = at(d.SecretFile), at(d.CA)
	if p, ok := strings.CutPrefix(d.Secret, "file:"); ok {
		d.Secret = "file:" + at(p)
	}
	for _, m := range []map[string]string{d.Tokens, d.Headers} {
		for name, v := range m {
			if p, ok := strings.CutPrefix(v, "file:"); ok {
				m[name] = "file:" + at(p)
			}
		}
	}
}

// check says what is wrong and puts the secrets that lie elsewhere into their place.
func (d *Destination) check(bad func(key, why string, args ...any)) {
	kind := d.Kind()
	if kind == "" {
		bad("url", "give https://… of a webhook, file:///folder, s3://bucket?region=…, or domicile+https://… of another region")
		return
	}
	if why := clearText(d.URL); why != "" {
		bad("url", "%s", why)
	}
	d.fits(kind, bad)
	if d.Secret != "" && d.SecretFile != "" {
		bad("secret", "give secret or secret_file, not both")
	}
	var err error
	if d.SecretFile != "" {
		if d.Secret, err = fromFile(d.SecretFile); err != nil {
			bad("secret_file", "%s", said(err))
		}
		d.SecretFile = ""
	} else if d.Secret, err = elsewhere(d.Secret); err != nil {
		bad("secret", "%s", said(err))
	}
	for _, of := range []struct {
		key    string
		values map[string]string
	}{{"tokens", d.Tokens}, {"headers", d.Headers}} {
		for _, name := range sorted(of.values) {
			if of.values[name], err = elsewhere(of.values[name]); err != nil {
				bad(of.key+"."+name, "%s", said(err))
			} else if of.values[name] == "" {
				bad(of.key+"."+name, "it has no value")
			}
		}
	}
	if d.CA != "" {
		if _, err := os.ReadFile(d.CA); err != nil {
			bad("ca", "the file can't be read")
		}
	}
}

// fits says which members a destination of kind lacks or can't have.
func (d *Destination) fits(kind string, bad func(key, why string, args ...any)) {
	if secret := d.Secret != "" || d.SecretFile != ""; kind == DestinationWebhook && !secret {
		bad("secret", "give the webhook's secret, whsec_…, or secret_file")
	} else if kind != DestinationWebhook && secret {
		bad("secret", "only a webhook has one")
	}
	if kind != DestinationWebhook && len(d.Headers) > 0 {
		bad("headers", "only a webhook has any")
	}
	if kind == DestinationRegion && len(d.Tokens) == 0 {
		bad("tokens", "give the token of a native source in that region for each tenant: tokens: {acme: file:…}")
	} else if kind != DestinationRegion && len(d.Tokens) > 0 {
		bad("tokens", "only another region has any")
	}
	if kind == DestinationRegion && d.Gzip {
		bad("gzip", "is for webhooks, folders and buckets")
	}
}

// clearText says why an address can't be one of plain HTTP.
func clearText(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "it is no address"
	}
	if u.User != nil {
		return "credentials are never part of it"
	}
	if u.Scheme == "http" || u.Scheme == "domicile+http" {
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return "plain HTTP is for this machine alone: give an address of https"
		}
	}
	return ""
}

// elsewhere returns v, or what it says where to find.
func elsewhere(v string) (string, error) {
	if name, ok := strings.CutPrefix(v, "env:"); ok {
		found := strings.TrimSpace(os.Getenv(name))
		if found == "" {
			return "", fault.New(fault.Invalid, "config.secret", "the environment has no %s", name)
		}
		return found, nil
	}
	if path, ok := strings.CutPrefix(v, "file:"); ok {
		return fromFile(path)
	}
	return v, nil
}

// mostSecretBytes bounds a file that holds one.
const mostSecretBytes = 64 << 10

// fromFile reads a secret that only its owner can read.
func fromFile(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() || st.Size() > mostSecretBytes {
		return "", fault.New(fault.Invalid, "config.secret", "the file %s can't be read", path).Because(err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return "", fault.New(fault.Invalid, "config.secret", "others can read the file %s: chmod 600", path)
	}
	b, err := os.ReadFile(path)
	s := strings.TrimSpace(string(b))
	if err != nil || s == "" {
		return "", fault.New(fault.Invalid, "config.secret", "the file %s can't be read, or is empty", path).Because(err)
	}
	return s, nil
}

// said is err for whoever wrote the file.
func said(err error) string {
	if f, ok := fault.As(err); ok {
		return f.Public
	}
	return "it can't be read"
}

func sorted[V any](m map[string]V) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkDestinations checks all of them, in order.
func (n *Node) checkDestinations(bad func(key, why string, args ...any)) {
	for _, recipient := range sorted(n.Destinations) {
		d := n.Destinations[recipient]
		d.check(func(key, why string, args ...any) {
			bad("destinations."+recipient+"."+key, "%s", fmt.Sprintf(why, args...))
		})
		n.Destinations[recipient] = d
	}
}
