package intake

import (
	"context"
	"fmt"
	"log/slog"

	"entente/protocol/indicator"
)

// Options says how a file is to be read.
type Options struct {
	Kind     indicator.Kind
	Handling indicator.Handling // for rows that do not state their own
	Defaults indicator.Defaults // such as the country of numbers written without one
	// Columns maps a field ("value", "country", "expires" …) to the header of its
	// column; fields that are not in it are found by their usual names.
	Columns map[string]string
	Comma   rune // ',', ';' or '\t'; 0 finds it from the header
	// Members are the ids of the federation's members, if known: never-with entries that
	// name none of them protect nobody, and the report warns of them.
	Members []string
	// DryRun marks the report as a check. The caller then gives no sink, or one that
	// it rolls back: with it, duplicates in the list and held rows are counted too.
	DryRun bool
	// Progress, if set, is called from Import's goroutine, at least once; Bytes and
	// Rows never decrease. It must not block.
	Progress func(Progress)
	// Workers is the number of rows parsed at once; 0 means all cores. The report
	// does not depend on it.
	Workers int
}

// Progress is how far an import has come.
type Progress struct {
	Bytes int64 // of the file, handled
	Total int64 // size of the file; 0 or less if unknown
	Rows  int
}

// Record is one row that can enter a list. It prints nothing of itself.
type Record struct {
	Value    indicator.Value
	Original string // the cell as it was written; own eyes only
	Handling indicator.Handling
	Line     int // where the row begins; unique in the file
}

// Sink takes the records of a list, in file order, from one goroutine. It must not
// keep the batch, and must not change what a Handling refers to: rows share it. The
// counts of its answer must add up to the length of the batch.
type Sink interface {
	Add(ctx context.Context, batch []Record) (Added, error)
}

// Added says what a sink did with a batch.
type Added struct {
	New       int // now in the list
	Duplicate int // already in the list, or earlier in the file; merged
	Held      int // kept back for the protection desk
	// Lines of the held and duplicate rows, for the report's examples.
	HeldLines, DuplicateLines []int
}

// Format prints the line only, whatever the verb: a record holds an indicator.
func (r Record) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "[record of line %d]", r.Line) }

// LogValue logs the line only.
func (r Record) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// MarshalJSON writes the line only.
func (r Record) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `{"line":%d}`, r.Line), nil }
