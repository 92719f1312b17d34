// Package examples holds programmes to copy.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed communications
var files embed.FS

// Communications returns the programme of a communications company, transcribed from public
// documents of 2021–2026; no company's statement. It is what `domicile up` runs without
// --programme.
func Communications() fs.FS {
	sub, err := fs.Sub(files, "communications")
	if err != nil {
		panic("examples: " + err.Error()) // the folder is embedded above
	}
	return sub
}
