package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

func recorded(t *testing.T) sweepRecord {
	t.Helper()
	var r sweepRecord
	if err := json.Unmarshal(recordedSweep, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// wrongIn counts the checks of a record that fail.
func wrongIn(r sweepRecord) int {
	s := &story{screen: &screen{}, doc: Document{Steps: []Step{{}}}}
	s.checkSweep(r)
	n := 0
	for _, c := range s.doc.Steps[0].Checks {
		if !c.OK {
			n++
		}
	}
	return n
}

// TestAnotherRecordFails alters what is recorded, and wants each alteration noticed.
func TestAnotherRecordFails(t *testing.T) {
	if n := wrongIn(recorded(t)); n > 0 {
		t.Fatalf("%d checks of the record fail", n)
	}
	set := recorded(t).Settings
	if want := fmt.Sprintf("entente-sim attack filter-sweep --guesses %d --held %d --quota %d", set.Guesses, set.Held, set.Quota); sweepCommand != want {
		t.Errorf("the story says %q, the record is of %q", sweepCommand, want)
	}
	for name, alter := range map[string]func(*sweepRecord){
		"filter":          func(r *sweepRecord) { r.Results.Filter.Recovered-- },
		"filter, charged": func(r *sweepRecord) { r.Results.Filter.Charged++ },
		"tags":            func(r *sweepRecord) { r.Results.Tags.Recovered++ },
		"control":         func(r *sweepRecord) { r.Results.Tags.Control.Found-- },
		"places":          func(r *sweepRecord) { r.Results.Questions.Charged++ },
		"questions":       func(r *sweepRecord) { r.Results.Questions.Recovered++ },
		"beyond":          func(r *sweepRecord) { r.Results.Questions.Beyond++ },
		"refusals":        func(r *sweepRecord) { r.Results.Questions.Refused = 0 },
		"days":            func(r *sweepRecord) { r.Results.Questions.Days = nil },
	} {
		r := recorded(t)
		alter(&r)
		if wrongIn(r) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// TestPublication: the tags of a list ascend, and only their own key finds its items.
func TestPublication(t *testing.T) {
	values, err := allListed()
	if err != nil {
		t.Fatal(err)
	}
	values = values[:100]
	p, err := newPublication(values)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.inputs) != 100 || len(p.list) < 100 || !slices.IsSortedFunc(p.list, slices.Compare) {
		t.Errorf("%d items, %d tags", len(p.inputs), len(p.list))
	}
	other, err := newTagKey(p.agreement)
	if err != nil {
		t.Fatal(err)
	}
	own, err := p.found(p.key)
	if err != nil || own != 100 {
		t.Errorf("the own key finds %d: %v", own, err)
	}
	if n, err := p.found(other); err != nil || n != 0 {
		t.Errorf("another key finds %d: %v", n, err)
	}
}
