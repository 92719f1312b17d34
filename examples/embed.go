// Package examples holds programmes to copy.
package examples

import (
	"embed"
	"errors"
	"io/fs"
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

// beside is a folder with the files of another in it, under names of their own.
type beside struct{ first, second fs.FS }

// Open implements fs.FS.
func (b beside) Open(name string) (fs.File, error) {
	f, err := b.first.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return b.second.Open(name)
	}
	return f, err
}

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
	return append(one, two...), err
}
