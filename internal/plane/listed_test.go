package plane_test

import "testing"

// TestNobodyInAListIsForgotten: of a list of people, none may fall away because their number is not
// one; their own side's may be written as it likes.
func TestNobodyInAListIsForgotten(t *testing.T) {
	w := newWorld(t, "")
	const good = `{"type":"phone","value":"+353851230019","role":"sender"}`
	for name, c := range map[string]struct{ subjects, path string }{
		"a recipient's national number": {good + `,{"type":"phone","value":"086 111 2222","role":"recipient"}`, "subjects.1.value"},
		"an address without an @":       {good + `,` + good + `,{"type":"email","value":"nobody"}`, "subjects.2.value"},
		"nobody but them":               {`{"type":"phone","value":"12"}`, "subjects.0.value"},
		"the own side's short code":     {`{"type":"phone","value":"50123","role":"own"},` + good, ""},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := w.trySend(w.nat, "", `[{"id":"`+name+`","kind":"message","service":"messaging","subjects":[`+c.subjects+`],"data":{"body":"hi"}}]`)
			if err != nil {
				t.Fatal(err)
			}
			if c.path == "" {
				if res.Accepted != 1 || len(res.Refused) > 0 {
					t.Fatalf("got %+v, want it kept", res)
				}
				return
			}
			if res.Accepted != 0 || len(res.Refused) != 1 || res.Refused[0].Reason != "event.bad_identifier" || res.Refused[0].Path != c.path {
				t.Fatalf("got %+v, want it refused at %s", res, c.path)
			}
		})
	}
}
