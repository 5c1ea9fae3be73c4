package intake

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// shownEach is how many examples the text gives for a reason; the JSON form has more.
const shownEach = 2

// WriteText writes the report in plain words: what became of the rows, an example of
// each reason with what to do about it. It holds values of rows and is for the
// importing side alone. Control characters in cells are written as escapes.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	title := "Import of "
	if r.DryRun {
		title = "Check of "
	}
	fmt.Fprintf(&b, "%s%s (%s): %s\n", title, printable(r.File, maxShown), r.Kind, count(r.Rows, "row"))
	ready := "new in the list"
	if r.DryRun {
		ready = "would be new in the list; nothing was stored"
	}
	fmt.Fprintf(&b, "  ready      %8d  %s\n", r.Ready, ready)
	fmt.Fprintf(&b, "  duplicates %8d  already in the list or earlier in the file; merged\n", r.Duplicates)
	fmt.Fprintf(&b, "  held       %8d  kept back for the protection desk\n", r.Held)
	fmt.Fprintf(&b, "  rejected   %8d  not imported; correct them and import the file again\n", r.Rejected)
	fmt.Fprintf(&b, "  changed    %8d  of the rows that are not rejected: written in the common form\n", r.Changed)
	if r.Shielded > 0 {
		fmt.Fprintf(&b, "  shielded   %8d  of the rows that are not rejected: victims, witnesses, minors, protected persons; never matched in bulk\n", r.Shielded)
	}
	if r.Blank > 0 {
		fmt.Fprintf(&b, "%s without content passed over.\n", count(r.Blank, "line"))
	}
	r.writeColumns(&b)
	for _, warning := range r.Warnings {
		fmt.Fprintf(&b, "\nWARNING: %s.\n", warning)
	}
	r.writeReasons(&b, "Rejected", Rejected, r.Reasons)
	r.writeReasons(&b, "Held for the protection desk", Held, nil)
	r.writeReasons(&b, "Changed", Changed, r.Changes)
	r.writeReasons(&b, "Duplicates", Duplicate, nil)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (r Report) writeColumns(b *strings.Builder) {
	for _, f := range slices.Sorted(maps.Keys(r.Columns)) {
		fmt.Fprintf(b, "Column %q read as %s.\n", r.Columns[f], strings.ReplaceAll(f, "_", " "))
	}
	if len(r.Ignored) > 0 {
		fmt.Fprintf(b, "Columns not read: %s.\n", strings.Join(r.Ignored, ", "))
	}
}

// writeReasons writes one paragraph a reason, the most frequent first.
func (r Report) writeReasons(b *strings.Builder, title string, o Outcome, counts map[string]int) {
	byReason := map[string][]Row{}
	for _, row := range r.Examples {
		if row.Outcome != o {
			continue
		}
		for _, reason := range append([]string{row.Reason}, row.Also...) {
			byReason[reason] = append(byReason[reason], row)
		}
	}
	if len(byReason) == 0 {
		return
	}
	total := func(reason string) int { return max(counts[reason], len(byReason[reason])) }
	reasons := slices.SortedFunc(maps.Keys(byReason), func(x, y string) int {
		return cmp.Or(total(y)-total(x), strings.Compare(x, y))
	})
	fmt.Fprintf(b, "\n%s\n", title)
	for _, reason := range reasons {
		rows := byReason[reason]
		heading := cmp.Or(r.Texts[reason], headings()[reason], rows[0].Text)
		if counts != nil {
			fmt.Fprintf(b, "- %s: %s\n", count(total(reason), "row"), heading)
		} else {
			fmt.Fprintf(b, "- %s\n", heading)
		}
		for _, row := range rows[:min(len(rows), shownEach)] {
			fmt.Fprintf(b, "    %s\n", row.describe(heading))
		}
		if advice := advise(o, reason); advice != "" {
			fmt.Fprintf(b, "    What to do: %s.\n", advice)
		}
	}
}

// describe is one line: where, the value before and after, and what the heading does
// not say.
func (r Row) describe(heading string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d", r.Line)
	if r.Column > 0 {
		fmt.Fprintf(&b, ", column %d", r.Column)
		if r.Header != "" {
			fmt.Fprintf(&b, " (%s)", r.Header)
		}
	}
	if r.Character > 0 {
		fmt.Fprintf(&b, ", character %d", r.Character)
	}
	if r.Before != "" {
		fmt.Fprintf(&b, ": %s", printable(r.Before, maxShown+1))
	}
	if r.After != "" && r.After != r.Before {
		fmt.Fprintf(&b, " → %s", printable(r.After, maxShown+1))
	}
	if r.Outcome != Changed && r.Text != heading {
		fmt.Fprintf(&b, " (%s)", r.Text)
	}
	return b.String()
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// advise says what a person does about rows of a reason. Reasons whose sentence already
// says it need none.
func advise(o Outcome, reason string) string {
	switch o {
	case Held:
		return "tell your protection desk; it decides, and until then the value takes no part in any round"
	case Rejected:
		if a, ok := advice()[reason]; ok {
			return a
		}
		return "correct the cell in the source, export it again and import the file again; rows that are already in the list are merged"
	}
	return ""
}

// headings are the sentences of reasons whose rows say something of their own.
func headings() map[string]string {
	return map[string]string{"in_file": "the same value stands earlier in the file", "in_list": "the value is already in the list"}
}

func advice() map[string]string {
	return map[string]string{
		reasonRagged:         "look for a separator inside a cell without quotation marks, or a missing one, in that line",
		reasonQuoteOpen:      "close the quotation mark, or delete it; the following lines were read on their own",
		reasonStrayQuote:     `delete the quotation mark, or write it twice ("") inside a quoted cell`,
		reasonFieldTooLong:   "look for a missing line end or a pasted document in that line",
		reasonRowTooLong:     "look for a missing line end or a quotation mark that is never closed",
		reasonCategory:       "use one of the known categories, or leave the cell empty for the category of the list",
		reasonBadFlag:        "write yes or no; the row was not imported, because the person may need protection",
		reasonBadDate:        "write the date as 2026-01-31",
		reasonBadHandling:    "correct the handling data in that line",
		reasonObject:         "write one object on one line, with nothing behind it",
		reasonKeyTwice:       "leave one of them out",
		reasonObjectForm:     "write text or a number; variants, never_with and codes can be lists of texts, a vector is a list of numbers",
		"model_missing":      "import the file again with --model, or add a column called model",
		"birth_missing":      "add a column called born with at least the year, or leave the person out: a name alone matches many",
		"birth_ambiguous":    "import the file again with --date-order, or write dates as 1990-05-17",
		"birth_calendar":     "import the file again with --calendar, or correct the year",
		"empty":              "fill in the cell or delete the line",
		"spreadsheet_damage": "the digits are lost in this file: export the column as text from the source system",
		"stop_value":         "nothing, if it is a placeholder or a hotline; else ask for the person's own value",
		"country_missing":    "import the file again with --default-country, or add a column called country",
		"issuer_missing":     "import the file again with a default issuer, or add a column called issuer",
		"platform_missing":   "import the file again with a default platform, or add a column called platform",
		"scheme_missing":     "import the file again with a default scheme, or add a column called scheme",
		"several_values":     "give each value a line of its own",
		"too_long":           "look for two numbers in one cell or a digit too many",
		"too_short":          "look for missing digits; a spreadsheet may have dropped leading zeros",
	}
}
