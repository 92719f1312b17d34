package app

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/objects"
	"domicile.dev/internal/flow/region"
	"domicile.dev/internal/flow/webhook"
	"domicile.dev/internal/flow/wire"
	"domicile.dev/internal/programme"
)

// OpenConnector opens the connector to where a recipient takes its deliveries. The caller closes it.
//
// Faults: NotFound "destination.none" when this node has no destination for the recipient: its flows
// stay idle; Invalid "destination.…" when the configuration's can't be used.
func (n *Node) OpenConnector(ctx context.Context, recipient string) (flow.Connector, error) {
	d, ok := n.Config.Destinations[recipient]
	if !ok {
		return nil, fault.New(fault.NotFound, "destination.none", "this node has no destination for %s", recipient).
			WithHint("give one under destinations in the node's configuration, or to domicile up: --destination " + recipient + "=URL")
	}
	return openConnector(ctx, &d)
}

// openConnector never returns a nil pointer in a flow.Connector.
func openConnector(ctx context.Context, d *config.Destination) (flow.Connector, error) {
	roots, err := rootsOf(d.CA)
	if err != nil {
		return nil, err
	}
	switch d.Kind() {
	case config.DestinationWebhook:
		c, err := webhook.Open(ctx, d.URL, d.Secret, webhook.Options{Headers: d.Headers, Gzip: d.Gzip, Roots: roots})
		if err != nil {
			return nil, err
		}
		return c, nil
	case config.DestinationObjects:
		c, err := objects.Open(ctx, d.URL, objects.Options{Gzip: d.Gzip, Wire: wire.Options{Roots: roots}})
		if err != nil {
			return nil, err
		}
		return c, nil
	case config.DestinationRegion:
		c, err := region.Open(ctx, d.URL, d.Tokens, region.Options{Roots: roots})
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	return nil, fault.New(fault.Invalid, "destination.bad_url", "the destination's address is of no kind that there is").
		WithHint("give https://…, file:///…, s3://… or domicile+https://…")
}

// rootsOf reads a PEM file of authorities; "" are the system's.
func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, "destination.bad_ca", "the destination's ca %s holds no certificates", file).
			WithHint("give a PEM file that this process may read").Because(err)
	}
	return pool, nil
}

// checkDestinations says which destinations can't be: of recipients that the programme doesn't declare,
// or that no connector takes. It opens none of them for long, and asks nobody.
func checkDestinations(ctx context.Context, all map[string]config.Destination, p *programme.Programme) error {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if p.Recipient(name) == nil {
			return fault.New(fault.Invalid, "destination.unknown_recipient", "the programme declares no recipient %s", name).
				WithHint("domicile programme show lists them; an address is for a recipient that is declared")
		}
		d := all[name]
		c, err := openConnector(ctx, &d)
		if err != nil {
			if f, ok := fault.As(err); ok {
				f.Public = "destination of " + name + ": " + f.Public
			}
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// UpDestination is a recipient of up.json: where its flows go, and what it verifies them with.
type UpDestination struct {
	Recipient string `json:"recipient"`
	URL       string `json:"url"`
	Secret    string `json:"secret,omitempty"` // of a webhook, "whsec_…"
}

// upDestinations makes destinations of what `domicile up` was told, "RECIPIENT=URL" each. A webhook keeps
// the secret that it had at the start before.
//
// Faults: Invalid "up.destination", "destination.…".
func upDestinations(ctx context.Context, told []string, before []UpDestination, p *programme.Programme) ([]UpDestination, map[string]config.Destination, error) {
	var list []UpDestination
	all := map[string]config.Destination{}
	for _, s := range told {
		recipient, to, ok := strings.Cut(s, "=")
		if !ok || recipient == "" || to == "" {
			return nil, nil, fault.New(fault.Invalid, "up.destination", "a destination is not of the form RECIPIENT=URL").
				WithHint("such as --destination partner=https://partner.example.com/hook")
		}
		if _, twice := all[recipient]; twice {
			return nil, nil, fault.New(fault.Invalid, "up.destination", "%s has two destinations", recipient).WithHint("give one for each recipient")
		}
		d := UpDestination{Recipient: recipient, URL: to}
		c := config.Destination{URL: to}
		switch c.Kind() {
		case config.DestinationWebhook:
			d.Secret = webhook.NewSecret()
			for _, old := range before {
				if _, err := webhook.ParseSecrets(old.Secret); old.Recipient == recipient && err == nil {
					d.Secret = old.Secret
				}
			}
			c.Secret = d.Secret
		case config.DestinationRegion:
			return nil, nil, fault.New(fault.Invalid, "up.destination", "another region needs tokens, which up can't be told").
				WithHint("give them to domicile serve: destinations in docs/configuration.md")
		}
		list = append(list, d)
		all[recipient] = c
	}
	return list, all, checkDestinations(ctx, all, p)
}

// readUpDestinations returns those of the up.json in dir.
func readUpDestinations(dir string) []UpDestination {
	var f UpFile
	if b, err := os.ReadFile(filepath.Join(dir, "up.json")); err == nil {
		_ = json.Unmarshal(b, &f) // a damaged one is written anew, with new secrets
	}
	return f.Destinations
}
