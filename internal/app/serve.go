package app

import (
	"context"
	"errors"
	"fmt"
	"net"

	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
)

// ServeNode runs one node until ctx ends, then drains and closes it. ready is called with the
// address once it answers.
func ServeNode(ctx context.Context, c *config.Node, opt Options, ready func(addr string)) error {
	flush, err := startTracing(ctx, opt.Log, opt.OTLP, c.Region, opt.Version)
	if err != nil {
		return fmt.Errorf("start tracing: %w", err)
	}
	defer flush()
	n, err := Open(ctx, c, opt)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return errors.Join(fault.New(fault.Conflict, "serve.port_taken", "%s can't be opened", c.Listen).
			WithHint("stop what uses it, or listen elsewhere").Because(err), n.Close())
	}
	ready(l.Addr().String())
	return errors.Join(n.Serve(ctx, l), n.Close())
}
