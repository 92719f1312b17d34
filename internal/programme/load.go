package programme

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// Load reads every *.yaml file in fsys and its folders, in order of path, as one programme.
// Names that begin with a dot are passed over, and so are *.law.yaml, *.register.yaml and *.test.yaml.
//
// It is strict: the error is a Faults with every fault of every file when there is any, and then
// there is no Programme. Another error means that a file couldn't be read.
//
// Format: docs/formats/programme.md, version 1.
func Load(fsys fs.FS) (*Programme, error) {
	files, faults, err := list(fsys)
	if err != nil {
		return nil, err
	}
	var roots []*node
	total := 0
	for _, name := range files {
		src, err := read(fsys, name)
		if err != nil {
			return nil, err
		}
		if total += len(src); total > maxBytes {
			faults = append(faults, Fault{File: name, Line: 1, Column: 1, Code: CodeTooLarge, Message: fmt.Sprintf("the programme has more than %d bytes", maxBytes)})
			break
		}
		root, fs := parseFile(name, src)
		faults = append(faults, fs...)
		if root != nil {
			roots = append(roots, root)
		}
	}
	if len(files) == 0 && len(faults) == 0 {
		faults = append(faults, Fault{File: ".", Code: CodeEmpty, Message: "there is no .yaml file in this folder", Suggestion: "copy one of the folders under examples/"})
	}
	return assemble(roots, faults)
}

// FromJSON reads a programme back from its canonical JSON, a section at a time: each is as large as a file may be.
// Errors are Load's.
func FromJSON(src []byte) (*Programme, error) {
	var sections map[string]json.RawMessage
	if err := json.Unmarshal(src, &sections); err != nil {
		return nil, fmt.Errorf("read a programme's JSON: %w", err)
	}
	var roots []*node
	var faults Faults
	for _, key := range slices.Sorted(maps.Keys(sections)) {
		one, err := json.Marshal(map[string]json.RawMessage{key: sections[key]})
		if err != nil {
			return nil, fmt.Errorf("read a programme's JSON: %w", err)
		}
		root, fs := parseFile(key+".json", one)
		if faults = append(faults, fs...); root != nil {
			roots = append(roots, root)
		}
	}
	return assemble(roots, faults)
}

// assemble makes a programme of its files.
func assemble(roots []*node, faults Faults) (*Programme, error) {
	if len(roots) == 0 {
		return nil, faults
	}
	// A file that is no YAML hides what it declares: what others say of it can't be judged then.
	complete := len(faults) == 0
	d := newDecoder()
	p := d.programme(roots)
	if complete {
		d.resolve()
		d.check(p)
	} else {
		d.faults = slices.DeleteFunc(d.faults, func(f Fault) bool { return f.Code == CodeMissing && f.Path == "" })
	}
	if faults = append(faults, d.faults...); len(faults) > 0 {
		faults.sort()
		return nil, faults[:min(len(faults), maxFaults)]
	}
	p.buildIndex()
	p.keepPositions(d)
	p.keepTexts(d)
	p.index.schemas = d.schemas
	p.Hash = hash(p)
	return p, nil
}

// list returns the programme's files in order of path.
func list(fsys fs.FS) (files []string, faults Faults, err error) {
	err = fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
		case e.IsDir():
		case path.Ext(name) == ".yml":
			faults = append(faults, Fault{File: name, Line: 1, Column: 1, Code: CodeSyntax, Message: "files of a programme end in .yaml", Suggestion: "rename it to " + strings.TrimSuffix(name, "yml") + "yaml"})
		case besides(name):
		case path.Ext(name) == ".yaml":
			files = append(files, name)
		}
		if len(files) > maxFiles {
			faults = append(faults, Fault{File: name, Line: 1, Column: 1, Code: CodeTooLarge, Message: fmt.Sprintf("there are more than %d files", maxFiles)})
			return fs.SkipAll
		}
		return nil
	})
	slices.Sort(files)
	if err != nil {
		return nil, nil, fmt.Errorf("list the programme: %w", err)
	}
	return files, faults, nil
}

// besides says whether a file lies beside the programme and is no part of it: the operator's own
// laws, a register, cases for programme test.
func besides(name string) bool {
	for _, suffix := range []string{".law.yaml", ".register.yaml", ".test.yaml"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// read returns the file, or one byte more than may be read of it.
func read(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close()
	b, err := readUpTo(f, maxFileBytes+1)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}
