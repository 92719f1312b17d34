package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const exampleProgrammes = "../../examples/"

func TestNoticeRenderAndDiff(t *testing.T) {
	for format, want := range map[string]string{"html": "<!doctype html>", "markdown": "# Privacy Notice", "json": `"id": "notice-2026-04-09"`} {
		e, out := programmeEnv(t, false)
		if err := (&noticeRenderCmd{Format: format}).Run(e); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, without %q", format, err, want)
		}
	}
	e, out := programmeEnv(t, true)
	if err := (&noticeDiffCmd{Old: exampleProgrammes + "communications-2025", New: exampleProgrammes + "communications"}).Run(e); err != nil {
		t.Fatal(err)
	}
	var d struct {
		From, To struct{ Purposes int }
		Changes  []struct{ What string }
	}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil || d.From.Purposes != 25 || d.To.Purposes != 8 || len(d.Changes) == 0 {
		t.Errorf("%v: %+v", err, d)
	}
}

func TestNoticeOfAFaultyProgrammeIsAWrongCall(t *testing.T) {
	for _, dir := range []string{kitProgrammes + "/faults/several", "no-such-folder"} {
		e, out := programmeEnv(t, false)
		if got := exitCodeOf((&noticeRenderCmd{Dir: dir}).Run(e)); got != exitWrong || out.Len() > 0 {
			t.Errorf("render %s: exit %d, printed %d bytes", dir, got, out.Len())
		}
		if got := exitCodeOf((&noticeDiffCmd{Old: exampleProgrammes + "communications", New: dir}).Run(e)); got != exitWrong || out.Len() > 0 {
			t.Errorf("diff %s: exit %d, printed %d bytes", dir, got, out.Len())
		}
	}
}
