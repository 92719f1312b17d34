package main

import (
	"errors"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
)

// noticeCmd makes the public documents of programmes, and publishes them on a node.
type noticeCmd struct {
	Render noticeRenderCmd `cmd:"" help:"Print the notice that a programme declares."`
	Diff   noticeDiffCmd   `cmd:"" help:"Say what changed between the notices of two programmes, and what of it is material."`

	Texts noticeTextsCmd `cmd:"" help:"Print what of a programme has to be translated, as a file to fill in."`

	Publish       noticePublishCmd       `cmd:"" help:"Publish the running programme's notice and list of sub-processors; subscribers are told."`
	Versions      noticeVersionsCmd      `cmd:"" help:"List what was published."`
	Told          noticeToldCmd          `cmd:"" help:"List who was told of a version, and when."`
	SubProcessors noticeSubProcessorsCmd `cmd:"" help:"List sub-processors that were announced, and until when one may object."`
	Objections    noticeObjectionsCmd    `cmd:"" help:"List objections to sub-processors, and settle them."`
	Object        noticeObjectCmd        `cmd:"" help:"Object to a sub-processor, or withdraw that."`
}

type noticeRenderCmd struct {
	Dir    string `arg:"" optional:"" help:"The programme's folder; the built-in example when it is left out."`
	Format string `short:"f" enum:"html,markdown,json" default:"markdown" help:"One of ${enum}."`

	Language string `help:"A language that the programme is translated into. Default: its own." placeholder:"TAG"`
}

type noticeDiffCmd struct {
	Old    string `arg:"" help:"The folder of the older programme."`
	New    string `arg:"" help:"The folder of the newer one."`
	Format string `short:"f" enum:"html,markdown,json" default:"markdown" help:"One of ${enum}."`

	Language string `help:"A language that both are translated into. Default: the newer one's own." placeholder:"TAG"`
}

// Run prints the difference. That two versions differ is no bad answer: it exits 0.
func (c *noticeDiffCmd) Run(e *env) error {
	before, err := goodProgramme(c.Old)
	if err != nil {
		return err
	}
	after, err := goodProgramme(c.New)
	if err != nil {
		return err
	}
	if after, err = inLanguage(after, c.Language); err != nil {
		return err
	}
	if before, err = inLanguage(before, after.Language()); err != nil && c.Language != "" {
		return err
	}
	return writeDocument(e, notice.Compare(before, after), c.Format)
}

// written is a document that can be written in each format.
type written interface {
	HTML() ([]byte, error)
	Markdown() []byte
	JSON() ([]byte, error)
}

// Run prints the document; --json is --format json.
func (c *noticeRenderCmd) Run(e *env) error {
	p, err := goodProgramme(c.Dir)
	if err != nil {
		return err
	}
	if p, err = inLanguage(p, c.Language); err != nil {
		return err
	}
	return writeDocument(e, notice.New(p), c.Format)
}

func writeDocument(e *env, d written, format string) (err error) {
	var b []byte
	switch {
	case format == "json" || e.json:
		b, err = d.JSON()
	case format == "html":
		b, err = d.HTML()
	default:
		b = d.Markdown()
	}
	if err != nil {
		return err
	}
	if _, err := e.out.Write(b); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// goodProgramme loads the programme of a folder; one with faults is a wrong call.
func goodProgramme(dir string) (*programme.Programme, error) {
	p, err := openProgramme(dir)
	var faults programme.Faults
	if errors.As(err, &faults) {
		return nil, fault.New(fault.Invalid, "programme.faulty", "the programme has %d faults", len(faults)).
			WithHint("domicile programme check lists them")
	}
	return p, err
}
