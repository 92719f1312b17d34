package plane_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/cloudevents"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/ingest/sendgrid"
	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/ingest/whatsapp"
	"domicile.dev/internal/plan"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"github.com/google/go-cmp/cmp"
)

// A place as devices give it.
const (
	secretLat = "53.349876"
	secretLng = "-6.260387"
)

// TestExactPlacesAreOnlyInCustomerContent brings a place through every adapter, once where people
// write to each other and once beside it, and looks for it in everything that is kept.
func TestExactPlacesAreOnlyInCustomerContent(t *testing.T) {
	here := strings.NewReplacer("LAT", secretLat, "LNG", secretLng)
	for _, tt := range []struct {
		adapter string
		beside  string // where no place may be
		content string // where one may
		decode  func([]byte, ingest.Env) (*ingest.Batch, error)
	}{
		{term.AdapterSegment, `{"userId":"ann","messageId":"m1","event":"A","context":{"location":{"latitude":LAT,"longitude":LNG},"traits":{"geo":"LAT,LNG"},"places":[{"lat":LAT,"lng":LNG}]}}`,
			`{"userId":"ann","messageId":"m2","event":"A","properties":{"lat":LAT,"lng":LNG}}`,
			func(b []byte, env ingest.Env) (*ingest.Batch, error) {
				env.Service = "cdp"
				return segment.Decode("/v1/track", b, env)
			}},
		{term.AdapterNative, `{"id":"m1","kind":"message","service":"messaging","subjects":[{"type":"user_id","value":"ann"}],"data":{"body":"hi","lat":LAT,"device":{"coordinates":[LNG,LAT]}}}`,
			`{"id":"m2","kind":"message","service":"messaging","subjects":[{"type":"user_id","value":"ann"}],"data":{"body":"hi","location":{"lat":LAT,"lng":LNG}}}`, func(b []byte, e ingest.Env) (*ingest.Batch, error) { return native.Decode("", b, e) }},
		{term.AdapterTwilio, `MessageSid=SM1&SmsMessageSid=SM1&From=%2B447700900101&To=%2B447700900001&Body=hi&DeviceLatitude=LAT&DeviceLongitude=LNG`,
			`MessageSid=SM2&SmsMessageSid=SM2&From=%2B447700900101&To=%2B447700900001&Body=hi&Latitude=LAT&Longitude=LNG`,
			func(b []byte, env ingest.Env) (*ingest.Batch, error) {
				return twilio.Decode("application/x-www-form-urlencoded", b, env)
			}},
		{term.AdapterSendGrid, `[{"email":"ann@example.com","event":"open","sg_event_id":"e1","timestamp":1767607220,"geo":{"latitude":"LAT","longitude":"LNG"}}]`, "", sendgrid.Decode},
		{term.AdapterWhatsApp, `{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"contacts":[{"wa_id":"447700900101","lat":LAT,"lng":LNG}],"messages":[{"from":"447700900101","id":"wamid.1","timestamp":"1767607220","type":"text","text":{"body":"hi"},"sender_position":"LAT,LNG"}]}}]}]}`,
			`{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"messages":[{"from":"447700900101","id":"wamid.2","timestamp":"1767607220","type":"location","location":{"latitude":LAT,"longitude":LNG}}]}}]}]}`, whatsapp.Decode},
		{term.AdapterCloudEvents, `{"specversion":"1.0","id":"e1","source":"/s","type":"t","geolocation":"LAT,LNG","data":{"subjects":[{"type":"user_id","value":"ann"}]}}`,
			"", // the example maps nothing of data
			func(b []byte, env ingest.Env) (*ingest.Batch, error) {
				env.Service = "custom"
				return cloudevents.Decode(http.Header{"Content-Type": {"application/cloudevents+json"}}, b, env)
			}},
	} {
		t.Run(tt.adapter, func(t *testing.T) {
			eachStore(t, func(t *testing.T, w *world) {
				w.rules = exampleRules(t)
				w.close()
				w.restart()
				w.now = time.Now()
				src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_" + tt.adapter, Adapter: tt.adapter, Trust: term.Server}
				w.accept(src, []byte(here.Replace(tt.beside)), tt.decode, plane.Result{Accepted: 1})
				w.accept(src, []byte(here.Replace(tt.beside)), tt.decode, plane.Result{Duplicate: 1}) // counted once
				someone := map[string]plane.Identifier{term.AdapterTwilio: {Type: term.Phone, Value: "+447700900101"}, term.AdapterWhatsApp: {Type: term.Phone, Value: "+447700900101"},
					term.AdapterSendGrid: {Type: term.Email, Value: "ann@example.com"}}[tt.adapter]
				if someone.Type == "" {
					someone = plane.Identifier{Type: term.UserID, Value: "ann"}
				}
				s := w.find(someone.Type, someone.Value)
				if kept := w.everything(s); strings.Contains(kept, secretLat[2:]) || strings.Contains(kept, secretLng[2:]) {
					t.Errorf("the place was kept: %s", kept)
				}
				found, dropped := w.violations(), w.counted("dropped", ingest.ReasonCoordinates)
				if dropped == 0 || len(found) == 0 {
					t.Fatalf("%d places were counted, in %d lines", dropped, len(found))
				}
				n := 0
				for _, v := range found {
					if v.What != ingest.FoundCoordinates || v.Done != ingest.DoneDropped || v.Source != src.ID || v.FirstAt.IsZero() || v.LastAt.IsZero() {
						t.Errorf("listed %+v", v)
					}
					n += v.N
				}
				if int64(n) != dropped {
					t.Errorf("%d are listed, %d counted", n, dropped)
				}
				if tt.content == "" {
					return
				}
				w.accept(src, []byte(here.Replace(tt.content)), tt.decode, plane.Result{Accepted: 1})
				if kept := w.everything(s); !strings.Contains(kept, secretLat) || !strings.Contains(kept, secretLng) {
					t.Errorf("what was written is gone: %s", kept)
				}
				if again := w.counted("dropped", ingest.ReasonCoordinates); again != dropped {
					t.Errorf("%d places were counted, want %d", again, dropped)
				}
			})
		})
	}
}

// everything is all that the store has of a person, opened, and what it has in the clear.
func (w *world) everything(s id.Subject) string {
	w.t.Helper()
	var all bytes.Buffer
	for _, r := range w.records(s) {
		fmt.Fprintf(&all, "%s %s %v %s\n", r.Kind, r.ClientID, r.Categories, r.Data)
	}
	stats, err := w.Stats(context.Background(), w.caller, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	refusals, err := w.Refusals(context.Background(), w.caller)
	if err != nil {
		w.t.Fatal(err)
	}
	fmt.Fprintf(&all, "%+v %+v %+v\n", stats, refusals, w.violations())
	err = filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secretLat[2:])) {
			fmt.Fprintf(&all, "%s has %s in the clear\n", path, secretLat[2:])
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all.String()
}

func (w *world) violations() []plane.Violation {
	w.t.Helper()
	list, err := w.Violations(context.Background(), w.caller)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) counted(outcome, reason string) (n int64) {
	w.t.Helper()
	s, err := w.Stats(context.Background(), w.caller, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range s.Counts {
		if c.Outcome == outcome && c.Reason == reason {
			n += c.N
		}
	}
	return n
}

// planned returns the kinds of the example programme under a plan.
func planned(t testing.TB, text string) ingest.Kinds {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(examples.Communications(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(examples.Communications(), name)
		files[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files["plans.yaml"] = &fstest.MapFile{Data: []byte(text)} // in place of the example's own
	p, err := programme.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	set, err := plan.Compile(p, exampleRules(t))
	if err != nil {
		t.Fatal(err)
	}
	return set.Kinds(plan.Source{Adapter: term.AdapterSegment})
}

// TestPlannedDataOnly sends what a plan has and what it doesn't under each of its settings, and reads
// what is kept, counted and listed.
func TestPlannedDataOnly(t *testing.T) {
	const text = `plans:
  - id: shop
    sources: [{adapter: segment}]
    SETTINGS
    events:
      - {kind: track, event: Order Completed, schema: {type: object, properties: {order_id: {type: string}, total: {type: number}}}}
`
	const batch = `{"batch":[
		{"type":"track","messageId":"m1","userId":"ann","event":"Order Completed","properties":{"order_id":"o1","total":1}},
		{"type":"track","messageId":"m2","userId":"ann","event":"Order Completed","properties":{"order_id":"o2","email":"ann@example.com","ann smith":7}},
		{"type":"track","messageId":"m3","userId":"ann","event":"Order Completed","properties":{"order_id":3}},
		{"type":"track","messageId":"m4","userId":"ann","event":"Called Ann Smith","properties":{"order_id":"o4"}}]}`
	for _, tt := range []struct {
		settings string
		want     plane.Result
		kept     map[string]string // client id → categories and data
		found    []string
		dropped  int64
	}{
		{"note: keeps all", plane.Result{Accepted: 4}, map[string]string{
			"m1": `{"order_id":"o1","total":1}`,
			"m2": `{"email":"ann@example.com","ann smith":7,"order_id":"o2"} unclassified`,
			"m3": `{"order_id":3} unclassified`,
			"m4": `{"order_id":"o4"} unclassified`},
			[]string{"1 * event unplanned_event unclassified ", "1 Order Completed properties.* unplanned_property unclassified ",
				"1 Order Completed properties.email unplanned_property unclassified contact_data/email_address", "1 Order Completed properties.order_id invalid unclassified "}, 0},
		{"unplanned_property: drop", plane.Result{Accepted: 4}, map[string]string{
			"m1": `{"order_id":"o1","total":1}`,
			"m2": `{"order_id":"o2"}`,
			"m3": `{"order_id":3} unclassified`,
			"m4": `{"order_id":"o4"} unclassified`},
			[]string{"1 * event unplanned_event unclassified ", "1 Order Completed properties.* unplanned_property dropped ",
				"1 Order Completed properties.email unplanned_property dropped contact_data/email_address", "1 Order Completed properties.order_id invalid unclassified "}, 2},
		{"unplanned_event: refuse\n    unplanned_property: refuse_event\n    invalid: refuse_event",
			plane.Result{Accepted: 1, Refused: []ingest.Refusal{{Index: 1, Reason: "plan.unplanned_property", Path: "properties.email"},
				{Index: 2, Reason: "plan.invalid", Path: "properties.order_id"}, {Index: 3, Reason: "plan.unplanned_event", Path: "event"}}},
			map[string]string{"m1": `{"order_id":"o1","total":1}`},
			[]string{"1 * event unplanned_event refused ", "1 Order Completed properties.* unplanned_property refused ",
				"1 Order Completed properties.email unplanned_property refused contact_data/email_address", "1 Order Completed properties.order_id invalid refused "}, 0},
	} {
		t.Run(tt.settings, func(t *testing.T) {
			eachStore(t, func(t *testing.T, w *world) {
				w.rules = exampleRules(t)
				w.close()
				w.restart()
				w.now = time.Now()
				b, err := segment.Decode("/v1/batch", []byte(batch), ingest.Env{ReceivedAt: w.now, Service: "cdp", Kinds: planned(t, strings.Replace(text, "SETTINGS", tt.settings, 1))})
				if err != nil {
					t.Fatal(err)
				}
				defer b.Release()
				got, err := w.Ingest(context.Background(), w.src, b)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(got, tt.want); diff != "" {
					t.Errorf("-got +want\n%s", diff)
				}
				kept := map[string]string{}
				for _, r := range w.records(w.find(term.UserID, "ann")) {
					kept[r.ClientID] = propertiesOf(t, r)
				}
				if diff := cmp.Diff(kept, tt.kept); diff != "" {
					t.Errorf("kept: -got +want\n%s", diff)
				}
				var found []string
				for _, v := range w.violations() {
					at := strings.Trim(v.Suggest.Category+"/"+v.Suggest.Element, "/")
					found = append(found, fmt.Sprintf("%d %s %s %s %s %s", v.N, v.Event, v.Path, v.What, v.Done, at))
					if v.Plan != "shop" || v.Source != w.src.ID {
						t.Errorf("listed %+v", v)
					}
				}
				if slices.Sort(found); !cmp.Equal(found, tt.found) {
					t.Errorf("found %q\nwant %q", found, tt.found)
				}
				if n := w.counted("dropped", plan.ReasonProperty); n != tt.dropped {
					t.Errorf("%d were counted as dropped, want %d", n, tt.dropped)
				}
				for _, r := range tt.want.Refused {
					if n := w.counted("refused", r.Reason); n != 1 {
						t.Errorf("%s was counted %d times", r.Reason, n)
					}
				}
				w.restart() // and all of it is still there
				if n := len(w.violations()); n != len(tt.found) {
					t.Errorf("%d are listed after a restart, want %d", n, len(tt.found))
				}
			})
		})
	}
}

// propertiesOf returns the properties of a record, and whether it has something unclassified.
func propertiesOf(t testing.TB, r plane.RecordView) string {
	t.Helper()
	_, after, ok := strings.Cut(string(r.Data), `"properties":`)
	if !ok {
		t.Fatalf("no properties in %s", r.Data)
	}
	end := strings.IndexByte(after, '}')
	out := after[:end+1]
	if slices.Contains(r.Categories, term.Unclassified) {
		out += " unclassified"
	}
	return out
}
