package intake

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/protocol/indicator"
)

// handling completes the options' handling data with the row's own. What a row states
// wins, but flags and codes only add: a cell cannot lift a protection that holds for
// the whole file.
func (c *converter) handling(r *rawRow) (indicator.Handling, []change, *Row) {
	h := c.o.Handling
	stated := false
	for f := fieldCategory; f < fieldCount; f++ {
		stated = stated || strings.TrimSpace(r.cells[f]) != ""
	}
	if !stated {
		return h, nil, nil
	}
	override(&h.Offence, r.cells[fieldOffence])
	override(&h.Purpose, r.cells[fieldPurpose])
	override(&h.Basis, r.cells[fieldBasis])
	override(&h.CaseReference, r.cells[fieldCase])
	override(&h.SourceEvaluation, strings.ToUpper(r.cells[fieldSource]))
	override(&h.InformationEvaluation, r.cells[fieldInformation])
	h.NeverWith = union(h.NeverWith, strings.ToUpper(r.cells[fieldNeverWith])) // as member ids are
	h.Codes = union(h.Codes, strings.ToUpper(r.cells[fieldCodes]))
	if text := strings.ToLower(strings.TrimSpace(r.cells[fieldCategory])); text != "" {
		category, err := indicator.ParseCategory(text)
		if err != nil {
			return h, nil, c.problem(r, fieldCategory, reasonCategory, fmt.Sprintf("no known category; they are %v", indicator.Categories()))
		}
		h.Category = category
	}
	for _, flag := range []struct {
		f  field
		is *bool
	}{{fieldMinor, &h.Minor}, {fieldProtected, &h.Protected}} {
		yes, ok := parseFlag(r.cells[flag.f])
		if !ok {
			return h, nil, c.problem(r, flag.f, reasonBadFlag, "neither yes nor no")
		}
		*flag.is = *flag.is || yes
	}
	changes, problem := c.dates(r, &h)
	if problem != nil {
		return h, nil, problem
	}
	if err := h.Validate(); err != nil {
		return h, nil, c.invalid(r, err)
	}
	return h, changes, nil
}

// invalid is the report's row for handling data out of range. The error begins with the
// field, which is looked up to name the column.
func (c *converter) invalid(r *rawRow, err error) *Row {
	name, _, _ := strings.Cut(err.Error(), ":")
	if f, ok := fieldNamed(strings.ReplaceAll(name, " ", "_"), c.o.Kind); ok && c.l.columns[f] >= 0 {
		return c.problem(r, f, reasonBadHandling, err.Error())
	}
	return &Row{Outcome: Rejected, Line: r.line, Reason: reasonBadHandling, Text: err.Error()}
}

func (c *converter) dates(r *rawRow, h *indicator.Handling) ([]change, *Row) {
	var changes []change
	for _, d := range []struct {
		f field
		t *time.Time
	}{{fieldFirstObserved, &h.FirstObserved}, {fieldLastObserved, &h.LastObserved}, {fieldExpires, &h.Expires}} {
		text := strings.TrimSpace(r.cells[d.f])
		if text == "" {
			continue
		}
		t, note, fault := parseDate(text)
		if fault != "" {
			return nil, c.problem(r, d.f, reasonBadDate, fault)
		}
		if note.Code != "" {
			changes = append(changes, change{f: d.f, what: []indicator.Change{note}, before: text, after: t.Format(time.DateOnly)})
		}
		*d.t = t
	}
	return changes, nil
}

// union adds the entries of a cell, which are separated by spaces or punctuation, to
// what holds for the file. It never changes the slice it is given.
func union(have []string, cell string) []string {
	out := have
	for _, s := range strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(" ,;|/\t\r\n", r) }) {
		if !slices.Contains(out, s) {
			out = append(slices.Clip(out), s)
		}
	}
	return out
}

// parseFlag reads yes and no as people write them; an empty cell is no.
func parseFlag(cell string) (yes, ok bool) {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "yes", "y", "true", "t", "1", "x", "ya", "oui", "sí", "si", "ใช่", "có", "是", "نعم":
		return true, true
	case "", "no", "n", "false", "f", "0", "-", "tidak", "non", "ไม่", "ไม่ใช่", "không", "否", "لا":
		return false, true
	}
	return false, false
}

// buddhistOffset is the difference between the Thai and the Gregorian year.
const buddhistOffset = 543

// gregorian rewrites the first year of the Buddhist era in a date. It works on the
// text because the two calendars have their leap days in different years.
func gregorian(text string) (string, bool) {
	for i := 0; i+4 <= len(text); i++ {
		run := 0
		for i+run < len(text) && text[i+run] >= '0' && text[i+run] <= '9' {
			run++
		}
		if year, err := strconv.Atoi(text[i:min(i+4, i+run)]); err == nil && (run == 4 || run == 8) &&
			year >= 1900+buddhistOffset && year <= 2199+buddhistOffset {
			return text[:i] + strconv.Itoa(year-buddhistOffset) + text[i+4:], true
		}
		i += run
	}
	return text, false
}

// parseDate reads a date whose day and month cannot be confused. note is set if it was
// altered; fault says why it was refused.
func parseDate(text string) (t time.Time, note indicator.Change, fault string) {
	text, buddhist := gregorian(text)
	if buddhist {
		note = indicator.Change{Code: "buddhist_year", Text: "year of the Buddhist era written as year of the common era"}
	}
	for _, format := range []string{time.DateOnly, time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006/01/02", "2006.01.02", "20060102",
		"2.1.2006", "2 Jan 2006", "2 January 2006", "2-Jan-2006", "Jan 2, 2006", "January 2, 2006"} {
		if t, err := time.Parse(format, text); err == nil {
			if t.Year() < 1900 || t.Year() > 2199 {
				return t, note, "the year is out of range"
			}
			return t.UTC(), note, ""
		}
	}
	switch {
	case strings.Count(text, "/") == 2 || strings.Count(text, "-") == 2:
		return t, note, "day and month can be confused, or the date does not exist; write it as 2026-01-31"
	case strings.Trim(text, "0123456789") == "":
		return t, note, "a spreadsheet's day number; give the column a date format such as 2026-01-31"
	}
	return t, note, "not a date; write it as 2026-01-31"
}
