// Package objects brings deliveries to a recipient as objects, one for each, in a folder or in a bucket
// that speaks S3's protocol: flow/tenant/YYYY/MM/DD/seq-id.ndjson, and beside it a manifest of the same
// name that ends in .json, written after it.
package objects

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/wire"
)

// Options tunes a Connector. The zero value is right for most.
type Options struct {
	// Gzip compresses objects; their names end in .ndjson.gz then.
	Gzip bool
	// Wire tunes how a bucket is asked.
	Wire wire.Options
}

// store keeps objects whole or not at all. put overwrites.
type store interface {
	put(ctx context.Context, o object) error
	close() error
}

// object is one to keep.
type object struct {
	name        string // with slashes, relative
	contentType string
	body        []byte
	minimumTLS  string
}

// Connector is a flow.Connector.
type Connector struct {
	store store
	gzip  bool
	gate  wire.Gate
}

var _ flow.Connector = (*Connector)(nil)

// Open returns a connector to target: "file:///folder", which is made unless it is there, or
// "s3://bucket?region=…", with endpoint=…, prefix=…/, use_path_style=true and profile=… as it needs them. It
// asks the bucket nothing yet.
//
// Fault: Invalid "destination.bad_url".
func Open(ctx context.Context, target string, opt Options) (*Connector, error) {
	scheme, _, _ := strings.Cut(target, ":")
	var s store
	var err error
	switch scheme {
	case "file":
		s, err = openFolder(target)
	case "s3":
		s, err = openBucket(ctx, target, opt.Wire)
	default:
		err = badURL("the address is neither file:///folder nor s3://bucket")
	}
	if err != nil {
		return nil, err
	}
	return &Connector{store: s, gzip: opt.Gzip}, nil
}

func badURL(what string) *fault.Error {
	return fault.New(fault.Invalid, "destination.bad_url", "%s", what).
		WithHint("give file:///folder, or s3://bucket?region=eu-west-1 with endpoint=https://… for other services than AWS and prefix=folder/ within a bucket; credentials are never in it")
}

// Deliver implements flow.Connector. The object is durable when it returns. Another attempt at the same
// delivery overwrites it: its folder is of the day of the first.
func (c *Connector) Deliver(ctx context.Context, d *flow.Delivery) error {
	return c.gate.Run(ctx, func(ctx context.Context) error {
		base, err := name(d)
		if err != nil {
			return err
		}
		o := object{name: base + ".ndjson", contentType: "application/x-ndjson", body: d.Body, minimumTLS: d.MinimumTLS}
		if c.gzip {
			o.name, o.contentType, o.body = o.name+".gz", "application/gzip", wire.Gzip(d.Body)
		}
		m, err := json.MarshalIndent(manifestOf(d, o), "", "  ")
		if err != nil {
			return fmt.Errorf("encode a manifest: %w", err)
		}
		if err := c.store.put(ctx, o); err != nil {
			return err
		}
		return c.store.put(ctx, object{name: base + ".json", contentType: "application/json", body: append(m, '\n'), minimumTLS: d.MinimumTLS})
	})
}

// Close implements flow.Connector. It cuts what attempts there are and waits for them.
func (c *Connector) Close() error {
	c.gate.Close()
	return c.store.close()
}

// word is what may be a folder or a part of a name: ids, which never begin with a dot.
var word = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// name returns where d lies, without the ending. Names of one flow and tenant sort as they were decided.
func name(d *flow.Delivery) (string, error) {
	begun := d.BegunAt
	if begun.IsZero() {
		begun = d.DecidedAt
	}
	of := d.Flow
	if d.Kind != "" {
		of = "notices"
	}
	for _, part := range []string{of, d.Tenant, d.ID} {
		if !word.MatchString(part) {
			return "", fault.New(fault.Invalid, "destination.bad_name", "the delivery's ids can't be the name of an object")
		}
	}
	if d.Kind != "" { // no order, and below a name that a flow may have: its numbers make those other names
		return fmt.Sprintf("notices/%s/%s/%s", d.Tenant, begun.UTC().Format("2006/01/02"), d.ID), nil
	}
	return fmt.Sprintf("%s/%s/%s/%012d-%s", d.Flow, d.Tenant, begun.UTC().Format("2006/01/02"), d.Seq, d.ID), nil
}

// manifest says where an object comes from and on what decision. It holds nothing about people: no
// digest of the object either, by which somebody could find out whether it is about whom they think.
type manifest struct {
	Version   int       `json:"version"`
	ID        string    `json:"id"`
	Notice    string    `json:"notice,omitempty"`
	Flow      string    `json:"flow"`
	Tenant    string    `json:"tenant"`
	Region    string    `json:"region"`
	Recipient string    `json:"recipient"`
	Purpose   string    `json:"purpose"`
	Form      string    `json:"form"`
	Entry     string    `json:"entry"`
	Programme string    `json:"programme"`
	Sequence  uint64    `json:"sequence"`
	Records   int       `json:"records"`
	DecidedAt time.Time `json:"decided_at"`
	Object    string    `json:"object"`
	Bytes     int       `json:"bytes"`
}

func manifestOf(d *flow.Delivery, o object) manifest {
	return manifest{Version: 1, ID: d.ID, Notice: d.Kind, Flow: d.Flow, Tenant: d.Tenant, Region: d.Region, Recipient: d.Recipient, Purpose: d.Purpose, Form: d.Form,
		Entry: d.Entry, Programme: d.Programme, Sequence: d.Seq, Records: d.Count, DecidedAt: d.DecidedAt.UTC(), Object: o.name, Bytes: len(o.body)}
}
