package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// truth is what was planted in the files, worked out by hand and not by the code that
// it judges.
type truth struct {
	lists    map[string]int64 // items of each list, by file
	wanted   counts           // of the messy file
	rejected tally            // its rejected rows by reason
	held     string           // the value that is held for the protection desk
	overlaps map[string]int   // values that stand in Australia's messy file and in another
	plan     planned
	// Rounds in the order in which they are run.
	phones, count, papers, persons, refused outcome
	title                                   string // of Thailand's rule that refuses
	receipts                                map[string]int
}

// counts of an import. Rows are the sum of all but changed.
type counts struct{ rows, ready, merged, held, rejected, changed int }

func (c counts) String() string {
	return fmt.Sprintf("%d rows: %d ready, %d merged, %d held, %d rejected; %d changed", c.rows, c.ready, c.merged, c.held, c.rejected, c.changed)
}

// tally is a number for each reason.
type tally map[string]int

func (t tally) String() string {
	parts := []string{}
	for _, reason := range slices.Sorted(maps.Keys(t)) {
		parts = append(parts, fmt.Sprintf("%s %d", reason, t[reason]))
	}
	return strings.Join(parts, ", ")
}

// planned is what the plan of the main round must say.
type planned struct {
	items    int64
	class    int
	excluded tally
}

// outcome is what a round must bring to each side.
type outcome struct {
	hits   map[string][]string
	counts map[string]string
	states map[string]string
}

// shared are the phones that Australia and Indonesia both list and may match. In both
// files, but never a hit, are a victim's, a minor's, and one that Australia never
// matches with Indonesia.
func shared() []string {
	return []string{
		"+12125550142", "+14155550171",
		"+447700900123", "+447700900404", "+447700900777",
		"+61491570006", "+61491570156", "+61491570157", "+61491570158",
		"+61491571266", "+61491573770", "+61491576801",
	}
}

// protected is how many numbers stand in both files and must never be a hit.
const protected = 3

func theTruth() truth {
	done := map[string]string{au: "done", id: "done"}
	return truth{
		lists: map[string]int64{
			"au-protected.csv": 4, "au-wanted.csv": 127, "au-papers.csv": 24,
			"id-watch.csv": 139, "id-papers.csv": 20, "th-watch.csv": 73, "au-names.csv": 10, "id-names.csv": 10,
		},
		wanted: counts{rows: 136, ready: 127, merged: 2, held: 1, rejected: 6, changed: 129},
		rejected: tally{
			"spreadsheet_damage": 1, "stop_value": 2, "several_values": 1, "not_a_number": 1, "too_short": 1,
		},
		held:     "+61491570159",
		overlaps: map[string]int{id: len(shared()) + protected, th: 3},
		plan:     planned{items: 125, class: 128, excluded: tally{"shielded": 1, "never_with": 1}},
		phones: outcome{
			hits: map[string][]string{au: shared(), id: shared()}, counts: map[string]string{}, states: done,
		},
		count: outcome{
			hits: map[string][]string{au: {}, id: {}}, counts: map[string]string{au: "12", id: "12"}, states: done,
		},
		papers: outcome{
			hits:   map[string][]string{au: {"UTO:K7300915", "UTO:L4410027", "UTO:M5528816", "UTO:P1090443"}, id: {}},
			counts: map[string]string{}, states: done,
		},
		// In each list besides: somebody with the same name and another birthday, and somebody with
		// the same birthday and another name.
		persons: outcome{
			hits: map[string][]string{
				au: {"1979-11-30|natalia kuznetsova", "1985-03-12|mohammed al-sayed hussein", "1988-06-17|somchai srisuk"},
				id: {"1979-11-30|наталья кузнецова", "1985-03-12|محمد السيد حسين", "1988-06-17|สมชาย ศรีสุข"},
			},
			counts: map[string]string{}, states: done,
		},
		refused: outcome{
			hits: map[string][]string{au: {}, th: {}}, counts: map[string]string{}, states: map[string]string{au: "refused", th: "refused"},
		},
		title:    operationTitle,
		receipts: map[string]int{au: 4, id: 4, th: 0},
	}
}
