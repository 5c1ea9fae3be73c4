package demo

import (
	"fmt"
	"reflect"
)

// Document is what one telling did, for programs.
type Document struct {
	// Verified is true only if the story was told to its end, every check held and
	// every round brought what was planted.
	Verified bool    `json:"verified"`
	Notice   string  `json:"notice"`
	Seconds  float64 `json:"seconds"` // wall time from setting up the nodes to the last step
	Rounds   []Round `json:"rounds"`
	Steps    []Step  `json:"steps"`
}

// Round is one round with what was planted for it. Each pair of fields has the same
// shape; keys are member identifiers.
type Round struct {
	ID        string `json:"round"`
	Title     string `json:"title"`
	Proposer  string `json:"proposer"`
	Responder string `json:"responder"`
	Kind      string `json:"kind"`
	Learn     string `json:"learn"`  // us, them or both, from the proposer's side
	Result    string `json:"result"` // which or count

	// Hits are the shared indicators that each side came to know, canonical and
	// ascending; a side that learns none has an empty array.
	Hits     map[string][]string `json:"hits"`
	Expected map[string][]string `json:"expected"`
	// Counts are the counts that each side came to know.
	Counts         map[string]string `json:"counts"`
	ExpectedCounts map[string]string `json:"expected_counts"`
	// States are how the round ended on each side: done, refused …
	States         map[string]string `json:"states"`
	ExpectedStates map[string]string `json:"expected_states"`
}

// right reports whether the round brought what was planted.
func (r Round) right() bool {
	return reflect.DeepEqual(r.Hits, r.Expected) && reflect.DeepEqual(r.Counts, r.ExpectedCounts) &&
		reflect.DeepEqual(r.States, r.ExpectedStates)
}

// Step is one screen of the story.
type Step struct {
	Number int     `json:"number"` // from 1
	Title  string  `json:"title"`
	Checks []Check `json:"checks"`
}

// Check compares one thing that the story shows with its truth.
type Check struct {
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
	OK   bool   `json:"ok"`
}

// check notes a comparison under the current step, and says so on the screen if it
// does not hold.
func (s *story) check(what string, want, got any) {
	c := Check{What: what, Want: fmt.Sprint(want), Got: fmt.Sprint(got)}
	c.OK = c.Want == c.Got
	step := &s.doc.Steps[len(s.doc.Steps)-1]
	step.Checks = append(step.Checks, c)
	if !c.OK {
		s.screen.say("!! This differs from what was planted. %s: expected %s, got %s.", c.What, c.Want, c.Got)
	}
}

// finish decides whether all of it held. A story without checks or rounds shows nothing.
func (d *Document) finish() {
	checks := 0
	d.Verified = len(d.Rounds) > 0
	for _, r := range d.Rounds {
		d.Verified = d.Verified && r.right()
	}
	for _, s := range d.Steps {
		checks += len(s.Checks)
		for _, c := range s.Checks {
			d.Verified = d.Verified && c.OK
		}
	}
	d.Verified = d.Verified && checks > 0
}

// checks counts the comparisons.
func (d *Document) checks() int {
	n := 0
	for _, s := range d.Steps {
		n += len(s.Checks)
	}
	return n
}
