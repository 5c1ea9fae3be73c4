package intake

import (
	"context"
	"slices"
	"strings"
	"testing"

	"entente/protocol/indicator"
)

// memorySink is a list in memory: what it has is merged, what is on its protection
// list is held.
type memorySink struct {
	protected map[string]bool // canonical values
	have      map[string]Record
	order     []int // lines, as they came
	batches   []int
	fail      error // returned from the nth batch on
	failAt    int
}

func (m *memorySink) Add(_ context.Context, batch []Record) (Added, error) {
	if m.fail != nil && len(m.batches) >= m.failAt {
		return Added{}, m.fail
	}
	if m.have == nil {
		m.have = map[string]Record{}
	}
	m.batches = append(m.batches, len(batch))
	var a Added
	for _, r := range batch {
		m.order = append(m.order, r.Line)
		key := string(r.Value.Element())
		switch _, known := m.have[key]; {
		case m.protected[r.Value.Canonical()] && !r.Handling.Shielded():
			a.Held++
			a.HeldLines = append(a.HeldLines, r.Line)
		case known:
			a.Duplicate++
			a.DuplicateLines = append(a.DuplicateLines, r.Line)
		default:
			a.New++
			m.have[key] = r
		}
	}
	return a, nil
}

// phoneOptions are those of a list of suspects' phones in Australia.
func phoneOptions() Options {
	return Options{
		Kind:     indicator.Phone,
		Handling: indicator.Handling{Category: indicator.Suspect, Purpose: "trafficking", Basis: "AU-TIP"},
		Defaults: indicator.Defaults{Country: "AU"},
	}
}

func importText(t testing.TB, text string, o Options, sink Sink) (Report, error) {
	t.Helper()
	return Import(t.Context(), "list.csv", strings.NewReader(text), int64(len(text)), o, sink)
}

// checkSums is the invariant of every complete report.
func checkSums(t testing.TB, r Report) {
	t.Helper()
	if r.Rows != r.Ready+r.Rejected+r.Held+r.Duplicates {
		t.Errorf("rows do not add up: %v", r)
	}
	byReason := 0
	for _, n := range r.Reasons {
		byReason += n
	}
	if byReason != r.Rejected {
		t.Errorf("%d rejected, but %d by reason", r.Rejected, byReason)
	}
	for _, row := range r.Examples {
		if row.Line < 1 || row.Reason == "" || row.Text == "" {
			t.Errorf("incomplete example %v", row)
		}
	}
	if r.Changed > r.Rows-r.Rejected || r.Shielded > r.Rows-r.Rejected || r.DuplicatesInFile > r.Rows-r.Rejected {
		t.Errorf("more changed, shielded or doubled rows than accepted ones: %v", r)
	}
}

// find returns the example of an outcome at a line.
func find(t testing.TB, r Report, o Outcome, line int) Row {
	t.Helper()
	i := slices.IndexFunc(r.Examples, func(row Row) bool { return row.Outcome == o && row.Line == line })
	if i < 0 {
		t.Fatalf("no %s row at line %d in %v", o, line, r.Examples)
	}
	return r.Examples[i]
}
