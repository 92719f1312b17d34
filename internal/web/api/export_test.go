package api_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/web/api"
)

func TestExportLinesAreRecords(t *testing.T) {
	w := newWorld(t)
	r := w.do("GET", "/api/v1/subjects/"+sub+"/export?purpose=consent", "")
	if r.status != 200 || r.header.Get("Content-Type") != "application/x-ndjson" || w.plane.query.Purpose != "consent" {
		t.Fatalf("%d, %v, purpose %q", r.status, r.header, w.plane.query.Purpose)
	}
	lines := strings.Split(strings.TrimSuffix(string(r.body), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines for 2 records: %q", len(lines), lines)
	}
	page := w.do("GET", "/api/v1/subjects/"+sub+"/records", "").json(t)
	for i, want := range page["records"].([]any) {
		var got any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("line %d (-export +records):\n%s", i, diff)
		}
	}
}

func TestExportOfNothingIsEmpty(t *testing.T) {
	w := newWorld(t)
	w.plane.records = nil
	if r := w.do("GET", "/api/v1/subjects/"+sub+"/export", ""); r.status != 200 || len(r.body) != 0 {
		t.Errorf("%d %q, want 200 and nothing", r.status, r.body)
	}
	files, m := unzip(t, w.do("GET", "/api/v1/subjects/"+sub+"/export?format=zip", ""))
	if len(files) != 3 || m["records"] != 0.0 {
		t.Errorf("%d files, manifest %v", len(files), m)
	}
}

// unzip returns the files of an export and its manifest, of which it checks the hashes.
func unzip(t *testing.T, r reply) (map[string][]byte, map[string]any) {
	t.Helper()
	if r.status != 200 || r.header.Get("Content-Type") != "application/zip" {
		t.Fatalf("%d %v", r.status, r.header)
	}
	z, err := zip.NewReader(bytes.NewReader(r.body), int64(len(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
	var m map[string]any
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil {
		t.Fatal(err)
	}
	listed, _ := m["files"].([]any)
	if len(listed) != len(files)-1 {
		t.Errorf("the manifest lists %d files of %d", len(listed), len(files)-1)
	}
	for _, l := range listed {
		f := l.(map[string]any)
		body := files[f["name"].(string)]
		if sum := sha256.Sum256(body); f["sha256"] != hex.EncodeToString(sum[:]) || f["bytes"] != float64(len(body)) {
			t.Errorf("%s is not what the manifest says", f["name"])
		}
	}
	return files, m
}

func TestExportZIPSaysWhatIsInIt(t *testing.T) {
	w := newWorld(t)
	files, m := unzip(t, w.do("GET", "/api/v1/subjects/"+sub+"/export?format=zip", ""))
	delete(m, "files")
	want := map[string]any{"format": "domicile/export/1", "subject": sub, "region": "ie1", "programme": "sha256:00", "generated_at": "2026-03-01T12:30:00.123Z",
		"records": 2.0, "counts": map[string]any{"cdp/track": 2.0}}
	if diff := cmp.Diff(m, want); diff != "" {
		t.Errorf("manifest (-got +want):\n%s", diff)
	}
	if string(files["records.ndjson"]) != string(w.do("GET", "/api/v1/subjects/"+sub+"/export", "").body) {
		t.Error("the ZIP has other records than the lines")
	}
	var got, shown any
	if err := json.Unmarshal(files["subject.json"], &got); err != nil {
		t.Fatal(err)
	}
	shown = w.do("GET", "/api/v1/subjects/"+sub, "").json(t)
	if diff := cmp.Diff(got, shown); diff != "" {
		t.Errorf("subject (-got +want):\n%s", diff)
	}
}

// A person who is erased while their export runs leaves half a file, which must not look whole.
func TestExportThatIsCutOffLooksIt(t *testing.T) {
	for _, format := range []string{"ndjson", "zip"} {
		w := newWorld(t)
		big := aRecord(1)
		big.Data = []byte(`{"x":"` + strings.Repeat("y", 100<<10) + `"}`)
		w.plane.records, w.plane.cutAt = []api.RecordView{big, big}, 1
		if r, err := w.send("GET", "/api/v1/subjects/"+sub+"/export?format="+format, ""); err == nil && r.status == 200 {
			t.Errorf("%s: a cut export reads as a whole one of %d bytes", format, len(r.body))
		}
	}
}
