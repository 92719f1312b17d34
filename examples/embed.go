// Package examples holds programmes to copy.
package examples

import (
	"embed"
	"errors"
	"io"
	"io/fs"
	"slices"
)

//go:embed communications communications-2025 demo
var files embed.FS

// Communications returns the programme of a communications company, transcribed from public
// documents of 2021–2026; no company's statement. It is what `domicile up` runs without
// --programme.
func Communications() fs.FS {
	return folder("communications")
}

// Communications2025 returns the programme behind the notice of 2025-08-14, the version before that
// of Communications. It holds what the notice says, and maps no records.
func Communications2025() fs.FS { return folder("communications-2025") }

// Demo returns Communications with the flow that `domicile up --demo` adds.
func Demo() fs.FS { return beside{Communications(), folder("demo")} }

func folder(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic("examples: " + err.Error()) // its folders are embedded above
	}
	return sub
}

// beside is a folder with the files of another in it. A file that both have goes on where the first ends: so a
// translation gets the other's texts.
type beside struct{ first, second fs.FS }

// Open implements fs.FS.
func (b beside) Open(name string) (fs.File, error) {
	f, err := b.first.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return b.second.Open(name)
	}
	if rest, there := b.second.Open(name); err == nil && there == nil {
		return both{f, rest, io.MultiReader(f, rest)}, nil
	}
	return f, err
}

// both is a file that goes on in another.
type both struct {
	fs.File
	rest fs.File
	all  io.Reader
}

func (b both) Read(p []byte) (int, error) { return b.all.Read(p) }

func (b both) Close() error { return errors.Join(b.File.Close(), b.rest.Close()) }

// ReadDir implements fs.ReadDirFS.
func (b beside) ReadDir(name string) ([]fs.DirEntry, error) {
	one, err := fs.ReadDir(b.first, name)
	if err != nil {
		return fs.ReadDir(b.second, name)
	}
	two, err := fs.ReadDir(b.second, name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	two = slices.DeleteFunc(two, func(e fs.DirEntry) bool {
		return slices.ContainsFunc(one, func(x fs.DirEntry) bool { return x.Name() == e.Name() })
	})
	return append(one, two...), err
}
