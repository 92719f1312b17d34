package ingest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/scan"
	"github.com/google/go-cmp/cmp"
)

func TestPlaceOf(t *testing.T) {
	for want, names := range map[placeKind]string{
		oneAxis: "lat Lat LAT lng lon longitude Latitude home_lat homeLat homeLAT HOME_LAT pickup-longitude geo.lat latitudeE7 lat_e6 LatitudeE6 geoLat GPSLatitude latLng lat_lng",
		maybe:   "long Long so_long lat_long",
		bothAxes: "latlng LATLNG coordinates Coordinates geo geolocation geoLocation GPS userPosition location last_location bbox " +
			"deviceCoords",
		geohash: "geohash geo_hash GeoHash homeGeohash",
		noPlace: "flat plate latency translate salon along belong relation 7 e7 _ é locations latitudes dislocation colon sha256",
	} {
		for name := range strings.FieldsSeq(names) {
			if got := placeOf([]byte(name)); got != want {
				t.Errorf("placeOf(%s) = %d, want %d", name, got, want)
			}
		}
	}
	if placeOf(nil) != noPlace || placeOf([]byte("E7")) != noPlace {
		t.Error("nothing is a place")
	}
}

func TestExact(t *testing.T) {
	for _, tt := range []struct {
		kind    placeKind
		exact   string // values in JSON
		inexact string
	}{
		{oneAxis, `53.35|-6.26|"53.3498"|"53.30"|" -6.2603 "|0.00|533498000|-62603|533.4e-1|5.335e1|"+53.35"|"53°20'59\" N"|"53° 20′"|"53.3498,-6.2603"`,
			`53|53.3|-6|"53.3"|0|180|-180|true|null|"north"|"1.2.3"|""|"53.3, -6.3"|5.33e1|"53°"|1e999|12.34e30000`},
		{bothAxes, `"53.3498,-6.2603"|"53.35 -6.3"|"geo:53.3498,-6.26"|"POINT(-6.2603 53.3498)"|"(53.3498; -6.2603)"|"https://maps.example/?q=53.34,-6.26"|"Dublin 53.3498, -6.2603"`,
			`"Dublin"|"53.3,-6.3"|"53,-6"|53.3498|"version 1.25"|"1.25"|"12.25, 999.5"|"1500.25 2000.75"|"10.20.30.40"|""`},
		{geohash, `"gc7x3r"|"GC7X3R04"`, `"gc7x3"|"aaaaaaa"|123456|"gc7x3r gc7"`},
	} {
		for want, values := range map[bool]string{true: tt.exact, false: tt.inexact} {
			for v := range strings.SplitSeq(values, "|") {
				if got := exact(tt.kind, content([]byte(v)), v[0] == '"'); got != want {
					t.Errorf("%d: exact(%s) = %v, want %v", tt.kind, v, got, want)
				}
			}
		}
	}
}

// split splits data by rules in which content may hold places, and context may not.
func splitPlaces(t testing.TB, data string) (kept string, found []Finding) {
	t.Helper()
	k, err := Compile("s", "k", []Rule{{Path: "content", Category: "content", Precise: true}, {Path: "mixed.in", Category: "content", Precise: true},
		{Path: "mixed", Category: "device"}, {Path: "context", Category: "device"}, {Path: "context.location", Category: "device"}})
	if err != nil {
		t.Fatal(err)
	}
	b := NewBatch()
	defer b.Release()
	if err := b.Doc.ParseAll([]byte(data), scan.Limits{}); err != nil {
		t.Fatal(err)
	}
	e := b.Add(0)
	e.Kind = k
	if reason, _ := b.Split(e, 0); reason != "" {
		t.Fatal(reason)
	}
	var parts [][]byte
	for _, f := range e.Fragments {
		parts = append(parts, f.JSON)
	}
	merged, err := Merge(parts)
	if err != nil {
		t.Fatal(err)
	}
	return string(merged), e.Findings
}

func TestExactPlacesAreDropped(t *testing.T) {
	for _, tt := range []struct {
		name, sent, kept string
		paths            []string
	}{
		{"customer content keeps them", `{"content":{"lat":53.3498,"lng":-6.2603,"points":[{"lat":1.234}],"coordinates":[1.234,5.678]}}`,
			`{"content":{"lat":53.3498,"lng":-6.2603,"points":[{"lat":1.234}],"coordinates":[1.234,5.678]}}`, nil},
		{"coarse ones stay", `{"context":{"location":{"lat":53.3,"lng":-6,"city":"Dublin"}}}`, `{"context":{"location":{"lat":53.3,"lng":-6,"city":"Dublin"}}}`, nil},
		{"elsewhere they go", `{"context":{"location":{"latitude":53.3498,"longitude":-6.2603,"city":"Dublin"},"os":"x"}}`,
			`{"context":{"location":{"city":"Dublin"},"os":"x"}}`, []string{"context.location.latitude", "context.location.longitude"}},
		{"also of what nobody mapped", `{"lat":"53.3498","lon":"-6.26","a":1}`, `{"a":1}`, []string{"lat", "lon"}},
		{"one that is exact takes the other with it", `{"context":{"lat":53.3,"lng":-6.2603}}`, `{"context":{}}`, []string{"context.lat", "context.lng"}},
		{"nothing is left", `{"context":{"location":{"Latitude":53.3498}}}`, `{"context":{"location":{}}}`, []string{"context.location.Latitude"}},
		{"a text with both", `{"context":{"geo":"53.3498,-6.2603"}}`, `{"context":{}}`, []string{"context.geo"}},
		{"GeoJSON", `{"context":{"location":{"type":"Point","coordinates":[-6.2603,53.3498]}}}`, `{"context":{"location":{"type":"Point"}}}`, []string{"context.location.coordinates"}},
		{"a polygon", `{"context":{"coordinates":[[[-6.2603,53.3498],[1,2]]],"b":1}}`, `{"context":{"b":1}}`, []string{"context.coordinates"}},
		{"coarse GeoJSON", `{"context":{"coordinates":[-6.3,53.3]}}`, `{"context":{"coordinates":[-6.3,53.3]}}`, nil},
		{"inside a list", `{"context":{"track":[1,{"a":1,"lat":53.3498,"lng":-6.2603},{"lng":-6.2603 , "lat":53.3},{"lat":1.5}]}}`,
			`{"context":{"track":[1,{"a":1},{},{"lat":1.5}]}}`, []string{"context.*.lat", "context.*.lng"}},
		{"deeper inside a list", `{"x":[{"y":[{"z":{"geo":"53.3498,-6.2603","w":1}}],"coordinates":["53.3498","-6.26"]}]}`,
			`{"x":[{"y":[{"z":{"w":1}}]}]}`, []string{"*.*.*.geo", "*.coordinates"}},
		{"names with escapes", `{"context":{"l\u0061t":53.3498,"l":[{"l\u006eg":1.2345}]}}`, `{"context":{"l":[{}]}}`, []string{"context.*.lng", "context.lat"}},
		{"long is a longitude beside a latitude only", `{"context":{"long":1.234,"a":{"long":1.234,"lat":1}}}`, `{"context":{"long":1.234,"a":{}}}`, []string{"context.*.lat", "context.*.long"}},
		{"by the part that they would go to", `{"mixed":{"lat":1.234,"in":{"lat":1.234}}}`, `{"mixed":{"in":{"lat":1.234}}}`, []string{"mixed.lat"}},
		{"white space and commas", "{ \"lat\" : 1.234 , \"a\" : 1 ,\n\"lng\" : 1.234 , \"b\" : { \"gps\" : \"1.23 4.56\" } , \"geohash\":\"gc7x3r0\" }",
			"{ \"a\" : 1 ,\n\"b\" : { } }", []string{"*.gps", "geohash", "lat", "lng"}},
		{"other numbers stay", `{"context":{"version":"1.25.3","price":12.345,"ip":"203.0.113.7","screen":{"density":2.625},"latency":1.234,"list":[1.25,2.25]}}`,
			`{"context":{"version":"1.25.3","price":12.345,"ip":"203.0.113.7","screen":{"density":2.625},"latency":1.234,"list":[1.25,2.25]}}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kept, found := splitPlaces(t, tt.sent)
			if kept != tt.kept {
				t.Errorf("kept %s\nwant %s", kept, tt.kept)
			}
			var paths []string
			for _, f := range found {
				if f.What != FoundCoordinates || f.Done != DoneDropped {
					t.Errorf("found %+v", f)
				}
				paths = append(paths, f.Path)
			}
			if slices.Sort(paths); !cmp.Equal(paths, tt.paths) {
				t.Errorf("found %q, want %q", paths, tt.paths)
			}
		})
	}
}

// FuzzPlaces: whatever is cut, what is left is JSON, and nothing exact is found in it again.
func FuzzPlaces(f *testing.F) {
	for _, seed := range []string{`{"lat":1.234,"lng":1}`, `{"a":[{"lat":"1.234"},[{"geo":"1.23,4.56"}]],"coordinates":[[1.234,2]]}`, `{"l\u0061t":1.25,"x":{"LON":12345}}`,
		`{"context":{"location":{"latitude":53.3498}},"content":{"lat":1.25}}`, `{"a":1,"lat":1.25,"b":[],"geohash":"gc7x3r0","c":{}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		var d scan.Doc
		if d.ParseAll([]byte(data), scan.Limits{}) != nil || d.Nodes[0].Kind != scan.Object {
			return
		}
		kept, found := splitPlaces(t, data)
		if !json.Valid([]byte(kept)) {
			t.Fatalf("%q became %q", data, kept)
		}
		if len(found) == 0 {
			var had, has any
			if json.Unmarshal([]byte(data), &had) == nil && json.Unmarshal([]byte(kept), &has) == nil && !cmp.Equal(had, has) {
				t.Fatalf("%q became %q, and nothing was found", data, kept)
			}
		}
		if again, more := splitPlaces(t, kept); len(more) > 0 || len(again) != len(kept) {
			t.Fatalf("%q became %q and then %q: %+v", data, kept, again, more)
		}
	})
}

// BenchmarkPlaces is what looking for places costs an event of a browser.
func BenchmarkPlaces(b *testing.B) {
	const event = `{"timestamp":"2026-01-05T10:00:00.000Z","integrations":{"Segment.io":true},"userId":"user-ie-0001","anonymousId":"7d0d3d9e-55f2-4f0e-9d2b-5d8f6c1f0001","event":"Order Completed","type":"track","properties":{"order_id":"o-1001","total":42.5,"currency":"EUR","products":[{"sku":"sku-1","price":21.25},{"sku":"sku-2","price":21.25}]},"context":{"page":{"path":"/checkout","referrer":"","search":"","title":"Checkout","url":"https://shop.example.com/checkout"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64)","locale":"en-IE","library":{"name":"analytics.js","version":"npm:next-1.81.0"},"timezone":"Europe/Dublin","campaign":{"source":"newsletter","medium":"email"}},"messageId":"ajs-next-1767607200000-7d0d3d9e","sentAt":"2026-01-05T10:00:00.100Z"}`
	k, err := Compile("s", "k", []Rule{{Path: "properties", Category: "content", Precise: true}, {Path: "context", Category: "device"}})
	if err != nil {
		b.Fatal(err)
	}
	batch := NewBatch()
	if err := batch.Doc.ParseAll([]byte(event), scan.Limits{}); err != nil {
		b.Fatal(err)
	}
	e := batch.Add(0)
	e.Kind = k
	b.ReportAllocs()
	for b.Loop() {
		if cuts := batch.places(e, 0, nil); cuts != nil {
			b.Fatal(cuts)
		}
	}
}
