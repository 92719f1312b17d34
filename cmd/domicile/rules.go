package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// rules is a programme with what lies beside it: laws, a register and policies of the operator's.
type rules struct {
	fsys     fs.FS
	p        *programme.Programme
	book     *law.Book
	reg      *register.Register
	policies *decision.Policies
}

// openRules reads the folder, the built-in example when dir is "". registerFile takes the place of the
// register beside the programme.
func openRules(dir, registerFile string) (*rules, error) {
	p, err := openProgramme(dir)
	if err != nil {
		return nil, faulty("programme", err)
	}
	r := &rules{fsys: examples.Communications(), p: p}
	if dir != "" {
		r.fsys = os.DirFS(dir)
	}
	if r.book, err = law.Load(r.fsys); err != nil {
		return nil, faulty("law", err)
	}
	if r.policies, err = decision.LoadPolicies(r.fsys); err != nil {
		return nil, err
	}
	if r.reg, err = r.openRegister(registerFile); err != nil {
		return nil, faulty("register", err)
	}
	return r, nil
}

// faulty names the first fault of a file; all of them are for programme check and --json.
func faulty(what string, err error) error {
	var faults programme.Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		return err
	}
	f := fault.New(fault.Invalid, what+".faulty", "%s", faults[0].File+": "+faults[0].Message).With("faults", faults)
	if faults[0].Line > 0 {
		f.Public = programme.Position{File: faults[0].File, Line: faults[0].Line}.String() + ": " + faults[0].Message
	}
	return f.WithHint(faults[0].Suggestion)
}

func (r *rules) openRegister(file string) (*register.Register, error) {
	if file != "" {
		src, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.New(fault.Invalid, "register.unreadable", "%s can't be read", file)
		}
		return register.Parse(path.Base(file), src)
	}
	names, err := r.beside(".register.yaml")
	switch {
	case err != nil:
		return nil, err
	case len(names) > 1:
		return nil, fault.New(fault.Invalid, "register.several", "there are several registers: %s", strings.Join(names, ", ")).WithHint("name one by --register")
	case len(names) == 0:
		return nil, nil
	}
	src, err := fs.ReadFile(r.fsys, names[0])
	if err != nil {
		return nil, err
	}
	return register.Parse(names[0], src)
}

// beside returns the files of the folder that end so, in order.
func (r *rules) beside(suffix string) (names []string, err error) {
	err = fs.WalkDir(r.fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && name != "." && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case !e.IsDir() && strings.HasSuffix(name, suffix):
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// engine compiles them, with mechanisms or rules of law struck.
func (r *rules) engine(without []string) (*decision.Engine, error) {
	return decision.NewWithout(r.p, r.book, r.reg, r.policies, without)
}

// onDay is noon UTC of the day, now when there is none.
func onDay(s string) (time.Time, error) {
	if s == "" {
		return time.Now(), nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, fault.New(fault.Invalid, "call.bad_date", "%s is no date", s).WithHint("write YYYY-MM-DD")
	}
	return t.Add(12 * time.Hour), nil
}

// besideFaults are what is wrong with the files beside a programme: laws, registers, cases, policies.
func besideFaults(dir string) (all programme.Faults, err error) {
	r := &rules{fsys: os.DirFS(dir)}
	collect := func(err error) error {
		var faults programme.Faults
		if !errors.As(err, &faults) {
			return err
		}
		all = append(all, faults...)
		return nil
	}
	if _, err = law.Load(r.fsys); collect(err) != nil {
		return nil, err
	}
	if _, err := decision.LoadPolicies(r.fsys); err != nil {
		f, ok := fault.As(err)
		if !ok {
			return nil, err
		}
		all = append(all, policyFault(f))
	}
	for _, kind := range []struct {
		suffix string
		parse  func(name string, src []byte) error
	}{
		{".register.yaml", func(name string, src []byte) error { _, err := register.Parse(name, src); return err }},
		{decision.SuiteSuffix, func(name string, src []byte) error { _, err := decision.ParseSuite(name, src); return err }},
	} {
		names, err := r.beside(kind.suffix)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			src, err := fs.ReadFile(r.fsys, name)
			if err != nil {
				return nil, err
			}
			if err := collect(kind.parse(name, src)); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// policyFault gives a fault of a Cedar file the shape of the others.
func policyFault(f *fault.Error) programme.Fault {
	file, rest, _ := strings.Cut(f.Public, " ")
	out := programme.Fault{File: file, Code: programme.CodeSyntax, Message: rest, Suggestion: f.Hint}
	if name, line, ok := strings.Cut(file, ":"); ok {
		if out.File = name; f.Reason != "policy.faulty" {
			out.Code = programme.CodeBadValue
		}
		if n, err := strconv.Atoi(line); err == nil {
			out.Line, out.Column = n, 1
		}
	}
	if f.Err != nil {
		out.Message += ": " + f.Err.Error()
	}
	return out
}
