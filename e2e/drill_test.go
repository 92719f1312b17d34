package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// drilled is the rule of law that a court takes away, and drillLimit how fast the drill says what that means.
const (
	drilled    = "eu-us-dpf"
	drillLimit = 2 * time.Second
)

// The drill of a court ruling names exactly the flows that halt once the ruling is there: what the plan says before, a
// region that runs without the rule does.
func TestTheDrillIsTrue(t *testing.T) {
	dir := exampleCopy(t)
	onBothStores(t, func(t *testing.T, kind string) {
		ruled := filepath.Join(t.TempDir(), "programme")
		if err := os.CopyFS(ruled, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, kind, withArgs("--programme", ruled), toFiles(t))
		stops, moves := w.drill(t, ruled)
		for _, f := range w.flows(t) {
			w.flow(t, f.region, "start", f.ID)
		}
		w.everyKind(t, "before")
		w.settled(t)
		for _, f := range w.flows(t) {
			if f.halted() {
				t.Errorf("%s halts while the rule stands: %+v", f.ID, f.Reasons)
			}
		}
		w.stop()
		strikeRule(t, ruled)
		w.start()
		w.everyKind(t, "after")
		w.settled(t)
		var halted []string
		for _, f := range w.flows(t) {
			if f.halted() {
				halted = append(halted, f.ID)
			}
			if said := moves[f.ID]; f.Form != said && (f.Form != "none" || said != "denied") {
				t.Errorf("%s may leave as %s, and the drill said %s", f.ID, f.Form, said)
			}
		}
		slices.Sort(halted)
		if !slices.Equal(halted, stops) || len(stops) == 0 {
			t.Errorf("halted are %q, and the drill named %q", halted, stops)
		}
		// The ruling is set aside: what halted goes on by itself.
		w.stop()
		if err := os.Remove(filepath.Join(ruled, "eu.law.yaml")); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.eventually("all flows to go on", func() error {
			for _, f := range w.flows(t) {
				if f.halted() {
					return fmt.Errorf("%s is halted", f.ID)
				}
			}
			return nil
		})
	})
}

// exampleCopy is the example programme in a folder of its own.
func exampleCopy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "programme")
	if err := os.CopyFS(dir, os.DirFS("../examples/communications")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// toFiles gives every recipient of a flow a folder to write to.
func toFiles(t *testing.T) setting {
	return func(w *world) {
		for _, to := range []string{"sp-01", "sp-11", "sp-13", "sp-15", "sp-26"} {
			w.args = append(w.args, "--destination", to+"=file://"+filepath.Join(w.root, "out", to))
		}
	}
}

// strikeRule puts an operator's own profile beside the programme in which the rule has ended.
func strikeRule(t *testing.T, dir string) {
	t.Helper()
	law, err := os.ReadFile("../internal/law/profiles/eu.yaml")
	if err != nil {
		t.Fatal(err)
	}
	head, tail, found := strings.Cut(string(law), "- id: "+drilled+"\n")
	if !found {
		t.Fatalf("the law has no rule %s", drilled)
	}
	tail = strings.Replace(tail, "from: 2023-07-10\n", "from: 2023-07-10\n    until: "+time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)+"\n", 1)
	if err := os.WriteFile(filepath.Join(dir, "eu.law.yaml"), []byte(head+"- id: "+drilled+"\n"+tail), 0o600); err != nil {
		t.Fatal(err)
	}
}

// drill asks what falls without the rule: the flows that stop, sorted, and the form in which each may leave.
func (w *world) drill(t *testing.T, dir string) (stops []string, is map[string]string) {
	t.Helper()
	cmd := exec.Command(exe, "programme", "plan", dir, "--without", drilled, "--json")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(w.root, "home")}
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	// Its own time: what others take of the machine meanwhile says nothing of the drill.
	if took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); took > drillLimit {
		t.Errorf("the drill took %v", took)
	}
	var plan struct {
		Stops   int
		Changes []struct{ Flow, What, Is string }
	}
	if err := json.Unmarshal(out, &plan); err != nil || cmd.ProcessState.ExitCode() != 3 {
		t.Fatalf("plan: exit %d: %s", cmd.ProcessState.ExitCode(), out)
	}
	is = map[string]string{}
	for _, c := range plan.Changes {
		if is[c.Flow] = c.Is; c.What == "stops" {
			stops = append(stops, c.Flow)
		}
	}
	slices.Sort(stops)
	if plan.Stops != len(stops) {
		t.Errorf("%d stop, and %q are named", plan.Stops, stops)
	}
	return stops, is
}

// listedFlow is a flow as `flow list --json` has it.
type listedFlow struct {
	ID, Form, State string
	Reasons         []struct{ Code string }
	Tenants         []struct {
		Tenant, State, Error string
		LagPositions         uint64 `json:"lag_positions"`
		Sent, Denied         map[string]int64
	}
	region string
}

// halted says whether the flow stands for every tenant, for want of a decision.
func (f *listedFlow) halted() bool {
	for _, t := range f.Tenants {
		if t.State != "halted" {
			return false
		}
	}
	return len(f.Tenants) > 0
}

// flows lists the flows out of all regions.
func (w *world) flows(t *testing.T) (all []listedFlow) {
	t.Helper()
	for _, r := range w.up.Regions {
		out, errs, code := w.run("", "flow", "list", "--up", w.dir, "--region", r.ID, "--json")
		var got struct{ Flows []listedFlow }
		if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
			t.Fatalf("flow list: exit %d: %s%s", code, out, errs)
		}
		for _, f := range got.Flows {
			f.region = r.ID
			all = append(all, f)
		}
	}
	return all
}

// flow orders a flow.
func (w *world) flow(t *testing.T, region, verb, flow string) {
	t.Helper()
	if out, errs, code := w.run("", "flow", verb, flow, "--up", w.dir, "--region", region); code != 0 {
		t.Fatalf("flow %s %s: exit %d: %s%s", verb, flow, code, out, errs)
	}
}

// everyKind sends something of every kind that a flow of the example carries, into every region.
func (w *world) everyKind(t *testing.T, when string) {
	t.Helper()
	for _, r := range w.up.Regions {
		id := func(x string) string { return x + "-" + when + "-" + r.ID }
		someone := []m{{"type": "phone", "value": "+353851234567", "role": "sender"}, {"type": "phone", "value": "+353851234568", "role": "recipient"}}
		r.native(t,
			m{"id": id("m"), "service": "messaging", "kind": "message", "subjects": someone, "data": m{"from": "+353851234567", "to": "+353851234568", "body": "hello"}},
			m{"id": id("c"), "service": "voice", "kind": "call", "subjects": someone, "data": m{"from": "+353851234567", "to": "+353851234568", "status": "completed"}},
			m{"id": id("s"), "service": "voice", "kind": "call.status", "subjects": someone, "data": m{"from": "+353851234567", "to": "+353851234568", "status": "ringing"}},
			m{"id": id("v"), "service": "verify", "kind": "verification", "subjects": someone[1:], "data": m{"to": "+353851234568", "channel": "rcs"}},
			m{"id": id("f"), "service": "flex", "kind": "task", "subjects": someone[:1], "data": m{"TaskAttributes": "hello"}})
		for _, call := range []string{"track", "page", "screen"} {
			r.segment(t, "/v1/"+call, m{"userId": "u", "messageId": id(call), "event": "Seen", "name": "Home", "context": m{"ip": "198.51.100.7", "userAgent": "UA",
				"consent": m{"categoryPreferences": m{"Advertising": true, "DataSharing": true}}}})
		}
	}
}

// settled waits until every flow has done what it does with what is there: it halts, or has nothing behind, or counts.
func (w *world) settled(t *testing.T) {
	t.Helper()
	w.eventually("the flows to settle", func() error {
		for _, f := range w.flows(t) {
			for _, x := range f.Tenants {
				switch {
				case x.State == "halted", f.Form == "aggregated":
				case x.State != "running" || x.Error != "" || x.LagPositions > 0:
					return fmt.Errorf("%s for %s: %s %s, %d behind", f.ID, x.Tenant, x.State, x.Error, x.LagPositions)
				}
			}
		}
		return nil
	})
}
