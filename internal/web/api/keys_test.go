package api_test

import (
	"encoding/json"
	"testing"
)

func TestKeysAreShownAndRotatedForTheOperator(t *testing.T) {
	w := newWorld(t)
	auth := "Bearer " + operatorToken
	var got struct {
		Epochs []struct {
			N           int
			DestroyedAt string `json:"destroyed_at"`
		}
		Index []struct {
			N, Moved int
			EndedAt  string `json:"ended_at"`
			Kept     bool
		}
		Rotating, Begun bool
		Left            int
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/api/v1/keys", 200}, {"POST", "/api/v1/keys:rotate-index", 202}} {
		got.Begun = false
		r := w.do(c.method, c.path, "", "Authorization", auth)
		if err := json.Unmarshal(r.body, &got); err != nil || r.status != c.status {
			t.Fatalf("%s: %d %s, %v", c.path, r.status, r.body, err)
		}
		if len(got.Epochs) != 2 || got.Epochs[0].DestroyedAt == "" || got.Epochs[1].DestroyedAt != "" {
			t.Errorf("%s: epochs %+v", c.path, got.Epochs)
		}
		if x := got.Index; len(x) != 2 || !x[0].Kept || x[0].EndedAt == "" || x[1].Kept || x[1].EndedAt != "" || x[1].Moved != 3 {
			t.Errorf("%s: index %+v", c.path, got.Index)
		}
		if !got.Rotating || got.Left != 7 || got.Begun != (c.method == "POST") {
			t.Errorf("%s: %+v", c.path, got)
		}
		if !w.plane.caller.Operator {
			t.Errorf("%s: asked as %+v", c.path, w.plane.caller)
		}
	}
}
