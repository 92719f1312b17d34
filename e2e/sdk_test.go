package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sdk runs the script with the key and host of the source and returns what it printed.
func sdk(t *testing.T, script, host, key, person string) (sent []struct{ Type, MessageID string }, failures []string, ok bool) {
	t.Helper()
	cmd := exec.Command("node", filepath.Join("sdk", script))
	cmd.Env = append(os.Environ(), "HOST="+host, "WRITE_KEY="+key, "PERSON="+person)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var got struct {
		Sent     []struct{ Type, MessageID string }
		Failures []string
	}
	if jsonErr := json.Unmarshal(out, &got); jsonErr != nil {
		t.Fatalf("the SDK's script: %v\n%s(needs Node.js and web/node_modules: scripts/setup)", err, out)
	}
	return got.Sent, got.Failures, err == nil
}

// The published Node SDK works as it is: what it sends is there under the ids that it gave.
func segmentNodeSDK(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1, us1 := w.region("ie1"), w.region("us1")
		person := newCanaries().text("person")
		sent, failures, ok := sdk(t, "segment-node.mjs", ie1.URL, ie1.Sources["segment"].WriteKey, person)
		if !ok || len(sent) != 6 {
			t.Fatalf("sent %v, failures %v", sent, failures)
		}
		words := map[string]string{"track": `"Viewed"`, "identify": `"Dublin"`, "page": `"Privacy"`, "screen": `"Settings"`, "group": `"Globex"`, "alias": `"anon-`}
		for _, s := range sent {
			rs := ie1.byClientID(t, s.MessageID)
			if len(rs) != 1 || rs[0].Kind != s.Type || !strings.Contains(string(rs[0].Data), words[s.Type]) {
				t.Errorf("%s is read back as %d records: %+v", s.Type, len(rs), rs)
			}
		}
		subject := ie1.find(t, "email", person+"@sdk.example")
		var kinds []string
		for _, r := range ie1.records(t, subject) {
			kinds = append(kinds, r.Kind)
		}
		if slices.Sort(kinds); !slices.Equal(kinds, []string{"alias", "group", "identify", "page", "screen", "track"}) {
			t.Errorf("the person's records are %v, want one of each kind", kinds)
		}
		t.Run("with the key of another region", func(t *testing.T) {
			_, failures, ok := sdk(t, "segment-node.mjs", us1.URL, ie1.Sources["segment"].WriteKey, person+"x")
			if ok || len(failures) == 0 {
				t.Error("the SDK takes the events as delivered")
			}
			if n := accepted(t, us1); n != 0 {
				t.Errorf("us1 accepted %d", n)
			}
		})
	})
}
