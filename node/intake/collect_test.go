package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What a sink holds or merges is shown with the reason, in file order.
func TestHeldAndMerged(t *testing.T) {
	sink := &memorySink{protected: map[string]bool{"+61255500002": true, "+61255500003": true}}
	if _, err := importText(t, "phone\n(02) 5550 0001\n", phoneOptions(), sink); err != nil {
		t.Fatal(err)
	}
	in := "phone,minor\n(02) 5550 0001,\n(02) 5550 0002,\n(02) 5550 0003,yes\n(02) 5550 0004,\n(02) 5550 0004,\n(02) 5550 0002,\n"
	r, err := importText(t, in, phoneOptions(), sink)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, r)
	if r.Ready != 2 || r.Duplicates != 2 || r.Held != 2 || r.DuplicatesInFile != 2 || r.Shielded != 1 {
		t.Errorf("%v, %d in the file, %d shielded", r, r.DuplicatesInFile, r.Shielded)
	}
	var got []string
	for _, row := range r.Examples {
		if row.Outcome == Held || row.Outcome == Duplicate {
			got = append(got, fmt.Sprintf("%s %d %s", row.Outcome, row.Line, row.Reason))
		}
	}
	want := []string{"held 3 protection_list", "held 7 protection_list", "duplicate 2 in_list", "duplicate 6 in_file"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A sink that does not say which lines it held or merged is counted all the same.
func TestSinkWithoutLines(t *testing.T) {
	r, err := importText(t, "phone\n(02) 5550 0001\n(02) 5550 0002\n", phoneOptions(), silent{})
	if err != nil || r.Held != 1 || r.Duplicates != 1 {
		t.Errorf("%v, %v", r, err)
	}
}

type silent struct{ Sink }

func (silent) Add(_ context.Context, batch []Record) (Added, error) {
	return Added{Held: len(batch) / 2, Duplicate: len(batch) - len(batch)/2}, nil
}

// The error for a list without a good row names the most frequent reason, and among
// equal ones always the same.
func TestAllRejectedNamesTheReason(t *testing.T) {
	for in, want := range map[string]string{
		"abc\n6.14E+10\n6.15E+10\n": "a spreadsheet rounded",
		"abc\nabd\n6.15E+10\n":      "not a number",
		"abc\n6.15E+10\n":           "not a number", // n before s
		"\"a\n\"b\n":                "quotation mark",
	} {
		r, err := importText(t, "phone\n"+in, phoneOptions(), nil)
		e, ok := errors.AsType[*FileError](err)
		if !ok || e.Fault != FaultAllRejected || !strings.Contains(e.Text, want) {
			t.Errorf("%q: %v", in, err)
		}
		checkSums(t, r)
		if len(r.Examples) != r.Rejected {
			t.Errorf("%q: report has %d of %d rows", in, len(r.Examples), r.Rejected)
		}
	}
}

// The list of a victim unit is shielded as a whole; that is its purpose, not a finding.
func TestShieldedFile(t *testing.T) {
	o := phoneOptions()
	o.Handling.Category = "victim"
	r, err := importText(t, "phone\n(02) 5550 0001\n(02) 5550 0002\n", o, nil)
	if err != nil || r.Ready != 2 || r.Shielded != 2 || r.Held != 0 {
		t.Errorf("%v, %d shielded, %v", r, r.Shielded, err)
	}
}

func TestLeadingZeroWarning(t *testing.T) {
	r, err := importText(t, "phone\n255500001\n0255500002\n255500003\n", phoneOptions(), nil)
	if err != nil || r.Changes["trunk_zero_missing"] != 2 || !strings.Contains(strings.Join(r.Warnings, "\n"), "2 numbers written without the leading 0") {
		t.Errorf("%v, %q, %v", r.Changes, r.Warnings, err)
	}
}

func TestOmittedAreCounted(t *testing.T) {
	var b strings.Builder
	b.WriteString("phone\n")
	for range maxExamples + 500 {
		b.WriteString("(02) 5550 0001\n")
	}
	r, err := importText(t, b.String(), phoneOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// One row is ready, all are changed and all but one are duplicates.
	if r.Omitted != 500+499 || !strings.Contains(strings.Join(r.Warnings, "\n"), "999 examples counted but not shown") {
		t.Errorf("%d omitted, %q", r.Omitted, r.Warnings)
	}
}
