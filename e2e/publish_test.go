package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const newcomer = `recipients:
  - id: sp-27
    name: Newcomer Ireland
    class: third_party_service_providers
    roles: [processor]
    locations: [IE]
    sub_processor: {services: [all], subject_matter: messages, nature: screening in Dublin, region_selectable: none, group_company: false, section: third_party}
`

// A sub-processor is announced from the command line: its address is permanent, a tenant objects, and the letter of a
// reader waits, since domicile up has no relay.
func TestANewcomerIsAnnounced(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		say := func(want int, args ...string) string {
			t.Helper()
			out, errs, code := w.run("", append(append([]string{"notice"}, args...), "--up", w.dir, "--region", "ie1")...)
			if code != want {
				t.Fatalf("notice %s: exit %d: %s%s", args, code, out, errs)
			}
			return out + errs
		}
		if out := say(0, "versions"); !strings.Contains(out, "notice-2025-08-14") || !strings.Contains(out, "notice-2026-04-09") || !strings.Contains(out, "before this region") {
			t.Errorf("versions: %s", out)
		}
		if out := say(1, "publish"); !strings.Contains(out, "neither the notice nor the list") {
			t.Errorf("publish: %s", out)
		}
		if out := say(1, "object", "sp-01"); !strings.Contains(out, "the time to object was over") {
			t.Errorf("object: %s", out)
		}
		subscribe := func() {
			form := url.Values{"address": {"reader@example.net"}, "list": {"sub_processors"}}.Encode()
			w.region("ie1").send(t, "POST", "/privacy/subscriptions", header{"Content-Type": "application/x-www-form-urlencoded"}, []byte(form)).want(t, 303)
		}
		subscribe()
		w.stop()
		dir := filepath.Join(w.root, "programme")
		if err := os.CopyFS(dir, os.DirFS("../examples/communications")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "more.yaml"), []byte(newcomer), 0o600); err != nil {
			t.Fatal(err)
		}
		w.args = append(w.args, "--programme", dir)
		w.start()
		if out := say(0, "publish"); !strings.Contains(out, "v3") || !strings.Contains(out, "Newcomer Ireland is new on the list") {
			t.Errorf("publish: %s", out)
		}
		if out := say(0, "sub-processors"); !strings.Contains(out, "sp-27") || !strings.Contains(out, "announced") {
			t.Errorf("sub-processors: %s", out)
		}
		if out := say(0, "object", "sp-27"); !strings.Contains(out, "led_") {
			t.Errorf("object: %s", out)
		}
		which := regexp.MustCompile(`obj_\w+`).FindString(say(0, "objections", "--all"))
		if out := say(0, "objections"); which == "" || !strings.Contains(out, which) || !strings.Contains(out, "open, holds its flows") {
			t.Errorf("objections: %s", out)
		}
		if out := say(2, "objections", "settle", which, "--keep", "--lift", "tenant_agreed"); !strings.Contains(out, "--lift REASON or --keep") {
			t.Errorf("settled both ways: %s", out)
		}
		for _, settled := range [][]string{{"--keep", "kept 2", "holds its flows"}, {"--lift=tenant_agreed", "lifted 2", "tenant_agreed"}} {
			if out := say(0, "objections", "settle", which, settled[0]); !strings.Contains(out, which) || !strings.Contains(out, settled[1]) || !strings.Contains(out, settled[2]) {
				t.Errorf("settle %s: %s", settled[0], out)
			}
		}
		if out := say(0, "object", "sp-27"); !strings.Contains(out, "led_") { // again: it is still in time
			t.Errorf("object: %s", out)
		}
		if out := say(0, "object", "sp-27", "--withdraw"); !strings.Contains(out, "led_") {
			t.Errorf("withdraw: %s", out)
		}
		if out := say(0, "told", "v3"); !strings.Contains(out, "everybody was told") { // nobody confirmed yet
			t.Errorf("told: %s", out)
		}
		if out := say(1, "told", "v9"); !strings.Contains(out, "no such version") {
			t.Errorf("told: %s", out)
		}
		for _, path := range []string{"/privacy/sub-processors/v3", "/privacy/sub-processors.atom", "/privacy/notice.feed.json", "/privacy/sub-processors.csv"} {
			w.region("ie1").send(t, "GET", path, nil, nil).want(t, 200)
		}
		if log := w.readLog(); strings.Contains(log, "reader@") {
			t.Error("the log has an address")
		}
	})
}
