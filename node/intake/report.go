package intake

import (
	"fmt"
	"log/slog"
)

const (
	maxExamples  = 1000 // rows kept in full for each outcome
	leastForEach = 3    // rows kept for each reason even beyond maxExamples
	maxShown     = 256  // characters of a value that the report keeps
)

// Outcome is what became of a row.
type Outcome string

// The outcomes that the report shows rows of. A changed row also has one of the others
// or is ready; it is counted apart.
const (
	Rejected  Outcome = "rejected"
	Changed   Outcome = "changed"
	Held      Outcome = "held"
	Duplicate Outcome = "duplicate"
)

// Report tells the importing side what became of every row. Rows = Ready + Rejected +
// Held + Duplicates. Printed or logged it shows its counts only; its JSON form and
// WriteText show rows and are for the importing side alone.
type Report struct {
	File       string `json:"file"`
	Kind       string `json:"kind"`
	DryRun     bool   `json:"dry_run"`
	Rows       int    `json:"rows"`
	Ready      int    `json:"ready"`    // new in the list
	Rejected   int    `json:"rejected"` // by reason in Reasons
	Held       int    `json:"held"`     // for the protection desk
	Duplicates int    `json:"duplicates"`
	// DuplicatesInFile are rows whose value stood earlier in the file (all of them
	// ready, held or duplicates to the list's eyes).
	DuplicatesInFile int `json:"duplicates_in_file"`
	Changed          int `json:"changed"` // rows not rejected whose value was changed
	// Shielded are rows not rejected of a victim, a witness, a minor or a protected
	// person. They are in the list, but take no part in bulk matching.
	Shielded int `json:"shielded"`
	Blank    int `json:"blank"` // lines without content, not rows

	Columns map[string]string `json:"columns"` // field → header
	Ignored []string          `json:"ignored"` // headers of columns that were not read
	Reasons map[string]int    `json:"reasons"` // rejected rows by reason
	Changes map[string]int    `json:"changes"` // changes by code; a row can have several
	Texts   map[string]string `json:"texts"`   // what the codes of Reasons and Changes mean

	Examples Rows     `json:"examples"` // in file order within each outcome
	Omitted  int      `json:"omitted"`  // rows that Examples left out
	Warnings []string `json:"warnings"`
	// LikelyCountry is set if most rows look like another country's than the default.
	LikelyCountry *LikelyCountry `json:"likely_country,omitempty"`
}

// Row is one row of the report, for the importing side's eyes. Printed or logged it
// shows where and why, not what.
type Row struct {
	Outcome   Outcome `json:"outcome"`
	Line      int     `json:"line"`
	Column    int     `json:"column,omitempty"`    // 1 is the first; 0 if the whole row is meant
	Character int     `json:"character,omitempty"` // in the line, 1 is the first; for faults of the text form
	Header    string  `json:"header,omitempty"`    // of the column
	Reason    string  `json:"reason"`              // stable code
	// Also are further codes, of a cell that was changed in several ways.
	Also   []string `json:"also,omitempty"`
	Text   string   `json:"text"` // the reason in words, without the value
	Before string   `json:"before,omitempty"`
	After  string   `json:"after,omitempty"`
}

// LikelyCountry says which country's numbers a file seems to hold.
type LikelyCountry struct {
	Country string `json:"country"` // ISO 3166-1 alpha-2
	Fits    int    `json:"fits"`    // of the rows looked at
	// Also are others that fit nearly as well.
	Also         []string `json:"also,omitempty"`
	Default      string   `json:"default"`
	DefaultFits  int      `json:"default_fits"`
	RowsLookedAt int      `json:"rows_looked_at"`
}

// Format prints counts only, whatever the verb.
func (r Report) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "[report: %d rows, %d ready, %d changed, %d rejected, %d held, %d duplicates]",
		r.Rows, r.Ready, r.Changed, r.Rejected, r.Held, r.Duplicates)
}

// LogValue logs counts only.
func (r Report) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("rows", r.Rows), slog.Int("ready", r.Ready),
		slog.Int("changed", r.Changed), slog.Int("rejected", r.Rejected),
		slog.Int("held", r.Held), slog.Int("duplicates", r.Duplicates))
}

// Format prints where and why only, whatever the verb.
func (r Row) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "[line %d column %d: %s]", r.Line, r.Column, r.Reason)
}

// Rows are examples. Logged they show their number only; their JSON form is for own eyes.
type Rows []Row

// LogValue logs the number of rows.
func (r Rows) LogValue() slog.Value { return slog.IntValue(len(r)) }

// LogValue logs where and why only.
func (r Row) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }
