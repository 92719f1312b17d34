package flow

import (
	"domicile.dev/internal/fault"
)

// State is where a flow stands for one tenant.
type State string

// States.
const (
	Idle    State = "idle"    // declared and never started: nothing leaves
	Running State = "running" // reads, decides, delivers
	Paused  State = "paused"  // the operator stopped it where it stands
	Halted  State = "halted"  // a decision denies the whole flow; it goes on by itself when that changes
	Parked  State = "parked"  // the recipient doesn't take a batch: the operator says retry or skip
)

// Verb is what changes a state.
type Verb string

// Verbs. The operator's first; the others are the engine's own.
const (
	Start  Verb = "start"
	Pause  Verb = "pause"
	Resume Verb = "resume"
	Replay Verb = "replay" // sets the cursor back or on; what is there is decided anew
	Retry  Verb = "retry"
	Skip   Verb = "skip"

	halt Verb = "halt"
	goOn Verb = "go_on"
	park Verb = "park"
)

// next has every move there is. One that isn't in it doesn't exist.
var next = map[State]map[Verb]State{
	Idle:    {Start: Running},
	Running: {Pause: Paused, Replay: Running, halt: Halted, park: Parked},
	Paused:  {Resume: Running, Replay: Paused},
	Halted:  {Pause: Paused, Replay: Halted, goOn: Running, halt: Halted}, // halted for other reasons
	Parked:  {Pause: Paused, Replay: Running, Retry: Running, Skip: Running},
}

// After returns the state that follows, and false when there is no such move.
func (s State) After(v Verb) (State, bool) {
	to, ok := next[s][v]
	return to, ok
}

// allows lists the operator's verbs that a state has, in order.
func (s State) allows() (verbs []string) {
	for _, v := range []Verb{Start, Pause, Resume, Replay, Retry, Skip} {
		if _, ok := next[s][v]; ok {
			verbs = append(verbs, string(v))
		}
	}
	return verbs
}

func (s State) refuse(v Verb) error {
	return fault.New(fault.Conflict, "flow.state", "the flow is %s: it can't %s", s, v).With("state", string(s)).With("verbs", s.allows()).
		WithHint("see where it stands with GET /api/v1/flows/{flow}")
}
