// Package examples holds programmes to copy.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed communications communications-2025
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

func folder(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic("examples: " + err.Error()) // its folders are embedded above
	}
	return sub
}
