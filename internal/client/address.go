package client

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"domicile.dev/internal/fault"
)

// Up is what `domicile up` writes into its directory: where its regions are and what opens them.
type Up struct {
	Version   int      `json:"version"`
	Programme string   `json:"programme"`
	Regions   []Region `json:"regions"`

	dir string
}

// Region is one region of Up.
type Region struct {
	ID       string                     `json:"id"`
	URL      string                     `json:"url"`
	Data     string                     `json:"data"`
	Tenant   string                     `json:"tenant"`
	APIToken string                     `json:"api_token"`
	Sources  map[string]json.RawMessage `json:"sources"`
}

// ReadUp reads DIR/up.json.
func ReadUp(dir string) (*Up, error) {
	b, err := os.ReadFile(filepath.Join(dir, "up.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Invalid, "up.missing", "there is no up.json in %s", dir).WithHint("start the regions with domicile up --dir " + dir)
	} else if err != nil {
		return nil, fault.New(fault.Invalid, "up.unreadable", "up.json in %s cannot be read", dir).Because(err)
	}
	u := &Up{dir: dir}
	if err := json.Unmarshal(b, u); err != nil || u.Version != 1 || len(u.Regions) == 0 {
		return nil, fault.New(fault.Invalid, "up.malformed", "up.json in %s is not of version 1", dir).Because(err).
			WithHint("start the regions anew with domicile up --dir " + dir)
	}
	return u, nil
}

// Region returns the region called id, the first when id is empty.
func (u *Up) Region(id string) (Region, error) {
	var ids []string
	for _, r := range u.Regions {
		if id == "" || r.ID == id {
			return r, nil
		}
		ids = append(ids, r.ID)
	}
	return Region{}, fault.New(fault.Invalid, "up.no_region", "%s has no region %s", filepath.Join(u.dir, "up.json"), id).
		WithHint("it has " + strings.Join(ids, ", "))
}

// Key returns the key of the source called name: a write key or, of a native source, a token.
func (r Region) Key(name string) (string, error) {
	var s struct {
		WriteKey string `json:"write_key"`
		Token    string `json:"token"`
	}
	if err := json.Unmarshal(r.Sources[name], &s); err != nil || s.WriteKey+s.Token == "" {
		return "", fault.New(fault.Invalid, "up.no_source", "region %s has no source %s", r.ID, name).
			WithHint("it has " + strings.Join(slices.Sorted(maps.Keys(r.Sources)), ", "))
	}
	return s.WriteKey + s.Token, nil
}

// Tenant returns a client with the token of a region's tenant.
func (u *Up) Tenant(r Region, hc *http.Client) (*Client, error) { return New(r.URL, r.APIToken, hc) }

// Operator returns a client with the token of a region's operator, which lies in its data
// directory.
func (u *Up) Operator(r Region, hc *http.Client) (*Client, error) {
	path := filepath.Join(u.dir, r.ID, "operator.token")
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "operator.missing", "the operator's token of region %s cannot be read", r.ID).Because(err).
			WithHint("it is in " + path)
	}
	return New(r.URL, strings.TrimSpace(string(b)), hc)
}
