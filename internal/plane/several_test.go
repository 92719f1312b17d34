package plane_test

import (
	"encoding/json"
	"testing"
)

// What was sent to several people is sealed for each of them, and read as it was sent while they live.
func TestWhatSeveralPeopleWereSentIsReadOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		a, b, c := "+353209150001", "+353209150002", "+353209150003"
		w.send(w.nat, "", `{"id":"x1","kind":"message","service":"messaging","subjects":[{"type":"phone","value":"`+a+`","role":"recipient"},`+
			`{"type":"phone","value":"`+b+`","role":"recipient"},{"type":"phone","value":"`+c+`","role":"recipient"}],"data":{"body":"to all","status":"sent"}}`)
		for _, phone := range []string{a, b, c} {
			got := w.records(w.find("phone", phone))
			var data map[string]any
			if len(got) != 1 || json.Unmarshal(got[0].Data, &data) != nil || data["body"] != "to all" || data["status"] != "sent" || got[0].ClientID != "x1" {
				t.Errorf("%+v", got)
			}
		}
		w.erase(w.find("phone", a))
		if got := w.records(w.find("phone", b)); len(got) != 1 || string(got[0].Data) != `{"body":"to all","status":"sent"}` {
			t.Errorf("after one of them was erased: %+v", got)
		}
	})
}
