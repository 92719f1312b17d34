package api

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/web/guard"
)

// export streams all that is held of a person. Nothing is sent before the first record is there, so
// a refusal is a problem like any other; a failure after that cuts the connection.
func (a *API) export(w http.ResponseWriter, r *http.Request, c *call) error {
	s, err := parseSubject(c.subject)
	if err != nil {
		return err
	}
	in, err := query(r.URL, "format", "purpose")
	if err != nil {
		return err
	}
	purpose, err := parsePurpose(in.Get("purpose"))
	if err != nil {
		return err
	}
	c.caller = c.caller.Accessing()
	out := &lateWriter{w: w}
	switch in.Get("format") {
	case "", "ndjson":
		out.contentType, out.name = "application/x-ndjson", "records.ndjson"
		err = a.exportLines(out, r, c, s, purpose)
	case "zip":
		out.contentType, out.name = "application/zip", "export.zip"
		err = a.exportZIP(out, r, c, s, purpose)
	default:
		return fault.New(fault.Invalid, "request.bad_format", "format is ndjson or zip")
	}
	if err != nil && out.stream != nil {
		guard.Note(w, err)
		panic(http.ErrAbortHandler) // the client must not take half for all
	}
	return err
}

// lateWriter sends the head of the answer with its first byte.
type lateWriter struct {
	w                 http.ResponseWriter
	contentType, name string
	stream            *guard.Streamer
}

func (l *lateWriter) Write(b []byte) (int, error) {
	l.start()
	return l.stream.Write(b)
}

func (l *lateWriter) start() {
	if l.stream != nil {
		return
	}
	h := l.w.Header()
	h.Set("Content-Type", l.contentType)
	h.Set("Content-Disposition", `attachment; filename="`+l.name+`"`)
	l.stream = guard.Stream(l.w)
	l.w.WriteHeader(http.StatusOK)
}

// exportLines writes one record a line.
func (a *API) exportLines(out *lateWriter, r *http.Request, c *call, s id.Subject, purpose string) error {
	lines := bufio.NewWriterSize(out, 32<<10)
	if _, err := a.service.Export(r.Context(), c.caller, s, purpose, lineWriter(lines)); err != nil {
		return err
	}
	out.start() // a person of whom there is nothing
	return lines.Flush()
}

// lineWriter returns what writes a record as a line to w.
func lineWriter(w io.Writer) func(RecordView) error {
	var line []byte
	return func(v RecordView) error {
		line = append(appendRecord(line[:0], &v), '\n')
		_, err := w.Write(line)
		return err
	}
}

// manifest is the last file of an export.
type manifest struct {
	Format      string           `json:"format"`
	Subject     string           `json:"subject"`
	Region      string           `json:"region"`
	Programme   string           `json:"programme"`
	GeneratedAt time.Time        `json:"generated_at"`
	Purpose     string           `json:"purpose,omitempty"`
	Records     int64            `json:"records"`
	Counts      map[string]int64 `json:"counts"`
	Files       []manifestFile   `json:"files"`
}

type manifestFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// exportZIP writes records.ndjson, subject.json, recordings and attachments and, last, the manifest with what the files hash to.
func (a *API) exportZIP(out *lateWriter, r *http.Request, c *call, s id.Subject, purpose string) error {
	now := a.opt.Now().UTC().Truncate(time.Millisecond)
	z := zip.NewWriter(out)
	m := manifest{Format: "domicile/export/1", Subject: s.String(), Region: a.opt.Region, Programme: a.opt.Programme(), GeneratedAt: now,
		Purpose: purpose, Counts: map[string]int64{}}
	records := &zipFile{z: z, name: "records.ndjson", at: now}
	write := lineWriter(records)
	var media []recordMedia
	if _, err := a.service.Export(r.Context(), c.caller, s, purpose, func(v RecordView) error {
		m.Records++
		for _, one := range v.Media {
			media = append(media, recordMedia{v.ID, one.ID})
		}
		m.Counts[v.Service+"/"+v.Kind]++
		return write(v)
	}); err != nil {
		return err
	}
	view, err := a.service.Profile(r.Context(), c.caller, s, purpose)
	if err != nil {
		return fmt.Errorf("show subject for export: %w", err)
	}
	subject := &zipFile{z: z, name: "subject.json", at: now}
	if err := writeJSON(subject, subjectOf(view)); err != nil {
		return err
	}
	all := []*zipFile{records, subject}
	for _, one := range media {
		f, err := a.exportMedia(z, r, c, one, purpose, now)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	for _, f := range all {
		if err := f.open(); err != nil { // one without a record is there, and empty
			return err
		}
		m.Files = append(m.Files, manifestFile{Name: f.name, Bytes: f.bytes, SHA256: hex.EncodeToString(f.hash.Sum(nil))})
	}
	if err := writeJSON(&zipFile{z: z, name: "manifest.json", at: now}, m); err != nil {
		return err
	}
	return z.Close()
}

// recordMedia names a recording or attachment.
type recordMedia struct {
	record id.Record
	media  id.Media
}

// exportMedia streams a recording or attachment into the archive, under its id: records.ndjson says
// what it is.
func (a *API) exportMedia(z *zip.Writer, r *http.Request, c *call, of recordMedia, purpose string, at time.Time) (*zipFile, error) {
	content, err := a.service.OpenMedia(r.Context(), c.caller, of.record, of.media, purpose)
	if err != nil {
		return nil, fmt.Errorf("open %s for export: %w", of.media, err)
	}
	defer func() { _ = content.Close() }()
	f := &zipFile{z: z, name: "media/" + of.media.String(), at: at, stored: true}
	if _, err := io.Copy(f, content); err != nil {
		return nil, fmt.Errorf("export %s: %w", of.media, err)
	}
	return f, nil
}

// zipFile is one file of an archive, made at its first byte.
type zipFile struct {
	stored bool // as it is: recordings and pictures are packed already
	z      *zip.Writer
	name   string
	at     time.Time
	w      io.Writer
	hash   hash.Hash
	bytes  int64
}

func (f *zipFile) open() (err error) {
	if f.w == nil {
		method := zip.Deflate
		if f.stored {
			method = zip.Store
		}
		f.hash = sha256.New()
		f.w, err = f.z.CreateHeader(&zip.FileHeader{Name: f.name, Method: method, Modified: f.at})
	}
	return err
}

func (f *zipFile) Write(b []byte) (int, error) {
	if err := f.open(); err != nil {
		return 0, err
	}
	n, err := f.w.Write(b)
	f.hash.Write(b[:n])
	f.bytes += int64(n)
	return n, err
}

func writeJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
