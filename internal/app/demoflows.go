package app

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/tenant"
)

// demoRegion is the one whose flows the demo starts.
const demoRegion = "ie1"

// demoGrace is how soon after its end the demo counts a window: it is one node, and hardly loaded.
const demoGrace = 5 * time.Second

// demoFlow is a flow that the demo starts, and how its page tells of it.
type demoFlow struct {
	id, to, title, says, wait string
	show                      int // records on the page; 0 for counts, all of the newest
}

// demoFlows returns one flow of each form, as far as the programme declares them.
func demoFlows(p *programme.Programme) (list []demoFlow) {
	for _, f := range []demoFlow{
		{id: "message_screening", show: 2, title: "Clear", says: "Messages as they were sent, to whoever screens them for unwanted messaging.",
			wait: "The first message comes within seconds."},
		{id: "event_analytics", show: 2, title: "Pseudonymised", says: "What people do on a site, to analytics: only of those who consent. Devices are pseudonyms of this recipient and purpose, addresses are cut, texts are gone.",
			wait: "The first event of somebody who consents comes within seconds."},
		{id: "demo_event_counts", title: "Aggregated", says: "Counts by the minute, and none about fewer than ten people.",
			wait: "The first whole minute is counted shortly after it is over."},
	} {
		for _, declared := range p.Flows {
			if declared.ID == f.id && declared.From == demoRegion {
				f.to = declared.To
				list = append(list, f)
			}
		}
	}
	return list
}

// demoDestinations points the demo's recipients at base, those that were told to go elsewhere left out.
func demoDestinations(flows []demoFlow, base string, told []string) []string {
	all := slices.Clone(told)
	for _, f := range flows {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, f.to+"=") }) {
			all = append(all, f.to+"="+base+"/demo/"+f.to)
		}
	}
	return all
}

// newDemoRecipient returns what stands for the recipients of the flows.
func newDemoRecipient(p *programme.Programme, flows []demoFlow, secrets []UpDestination) *demoRecipient {
	d := &demoRecipient{programme: p.Hash, region: demoRegion, since: time.Now().UTC(), names: map[string]string{}, flows: flows, secrets: map[string]string{}, got: map[string]*demoGot{}}
	for _, f := range flows {
		d.names[f.to] = p.Recipient(f.to).Name
	}
	for _, s := range secrets {
		d.secrets[s.Recipient] = s.Secret
	}
	return d
}

// startDemoFlows starts the flows as an operator would. What was started at an earlier start, and paused
// since, is left as it is.
func (n *Node) startDemoFlows(ctx context.Context, flows []demoFlow) error {
	for _, f := range flows {
		_, err := n.Flows.Do(ctx, tenant.Operator, flow.Order{Flow: f.id, Verb: flow.Start})
		if err != nil && fault.KindOf(err) != fault.Conflict {
			return fmt.Errorf("start %s: %w", f.id, err)
		}
	}
	return nil
}

// loopback is a region's URL as this machine reaches it.
func loopback(l net.Listener) string { return "http://" + l.Addr().String() }
