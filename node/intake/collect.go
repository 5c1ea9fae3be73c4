package intake

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"entente/protocol/indicator"
)

// collector takes outcomes in file order, feeds the sink and writes the report. It is
// for one goroutine.
type collector struct {
	o      Options
	sink   Sink
	size   int64
	l      *layout
	report Report
	kept   map[Outcome][]Row
	seen   map[uint64]int32 // element → line of its first row
	batch  []Record
	twin   map[int]int     // line of a row in the batch → line of an earlier row with its value
	absent []string        // never-with entries that are no members; few are kept
	others map[string]bool // keys of objects that are no field's; at most maxColumns
	places sampler
	digits digitColumn
}

func newCollector(name string, size int64, o Options, sink Sink) *collector {
	return &collector{
		o: o, sink: sink, size: size,
		report: Report{File: name, Kind: string(o.Kind), DryRun: o.DryRun, Columns: map[string]string{}, Ignored: []string{},
			Reasons: map[string]int{}, Changes: map[string]int{}, Texts: map[string]string{}, Examples: Rows{}, Warnings: []string{}},
		others: map[string]bool{}, kept: map[Outcome][]Row{}, seen: map[uint64]int32{}, twin: map[int]int{},
	}
}

// begin notes how the columns were read.
func (c *collector) begin(l *layout, blank int) {
	c.l = l
	c.report.Blank = blank
	c.report.Warnings = append(c.report.Warnings, l.warnings...)
	if l.keyed {
		return // what there is shows row by row
	}
	for f, i := range l.columns {
		if i >= 0 {
			c.report.Columns[definitions()[f].name] = printable(l.headers[i], shownHeader)
		}
	}
	for i, h := range l.headers {
		if !l.taken(i) && h != "" {
			c.report.Ignored = append(c.report.Ignored, printable(h, shownHeader))
		}
	}
}

// take counts the outcomes of one job and passes its records on.
func (c *collector) take(ctx context.Context, j *job) error {
	c.report.Blank += j.blank
	c.report.Rows += len(j.outcomes)
	for i := range j.outcomes {
		out := &j.outcomes[i]
		c.places.look(out, &j.rows[i])
		c.noteKeys(&j.rows[i])
		if out.problem != nil {
			c.rejected(out.problem)
			continue
		}
		c.accept(out)
		if len(c.batch) == sinkRows {
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
	}
	c.progress(j.consumed)
	return nil
}

// noteKeys notes which keys an object has.
func (c *collector) noteKeys(r *rawRow) {
	for f := range fieldCount {
		if r.keys>>f&1 == 1 {
			_, header := c.l.place(f)
			c.report.Columns[definitions()[f].name] = header
		}
	}
	for _, key := range r.unknown {
		key = printable(key, shownHeader)
		if c.others[key] || len(c.others) == maxColumns {
			continue
		}
		c.others[key] = true
		c.report.Ignored = append(c.report.Ignored, key)
		if handlingName(key) {
			c.report.Warnings = append(c.report.Warnings, fmt.Sprintf("key %q was not read, although it suggests handling data; map it with --column FIELD=%q if it holds any",
				key, key))
		}
	}
}

func (c *collector) progress(bytes int64) {
	if c.o.Progress != nil {
		c.o.Progress(Progress{Bytes: bytes, Total: c.size, Rows: c.report.Rows})
	}
}

func (c *collector) rejected(p *Row) {
	c.report.Rejected++
	c.report.Reasons[p.Reason]++
	if c.report.Texts[p.Reason] == "" {
		c.report.Texts[p.Reason] = cmp.Or(reasonText(p.Reason), p.Text)
	}
	c.keep(*p, c.report.Reasons[p.Reason])
}

// accept puts a record into the batch and notes its changes and its twin.
func (c *collector) accept(out *outcome) {
	rec := &out.record
	if len(out.changes) > 0 {
		c.report.Changed++
		c.changed(rec.Line, out.changes)
	}
	if rec.Handling.Shielded() {
		c.report.Shielded++
	}
	c.noteAbsent(rec.Handling.NeverWith)
	c.digits.look(rec.Original)
	if first, ok := c.seen[out.sum]; ok {
		c.report.DuplicatesInFile++
		c.twin[rec.Line] = int(first)
	} else {
		c.seen[out.sum] = int32(rec.Line)
	}
	c.batch = append(c.batch, *rec)
}

// noteAbsent remembers never-with entries that would protect nobody.
func (c *collector) noteAbsent(neverWith []string) {
	for _, m := range neverWith {
		if len(c.o.Members) > 0 && len(c.absent) < 10 && !slices.Contains(c.o.Members, m) && !slices.Contains(c.absent, m) {
			c.absent = append(c.absent, m)
		}
	}
}

func (c *collector) changed(line int, changes []change) {
	for _, ch := range changes {
		rarest := 0
		for _, w := range ch.what {
			c.report.Changes[w.Code]++
			c.report.Texts[w.Code] = w.Text
			if n := c.report.Changes[w.Code]; rarest == 0 || n < rarest {
				rarest = n
			}
		}
		if !c.wanted(Changed, rarest) {
			c.report.Omitted++
			continue
		}
		codes, texts := make([]string, len(ch.what)), make([]string, len(ch.what))
		for i, w := range ch.what {
			codes[i], texts[i] = w.Code, w.Text
		}
		column, header := c.l.place(ch.f)
		c.keep(Row{Outcome: Changed, Line: line, Column: column, Header: header,
			Reason: codes[0], Also: codes[1:], Text: strings.Join(texts, "; "), Before: shown(ch.before), After: shown(ch.after)}, rarest)
	}
}

// wanted tells whether the report keeps a row in full: the first ones of each outcome,
// and a few for each reason however late they come.
func (c *collector) wanted(o Outcome, ofReason int) bool {
	return len(c.kept[o]) < maxExamples || ofReason <= leastForEach
}

func (c *collector) keep(r Row, ofReason int) {
	if !c.wanted(r.Outcome, ofReason) {
		c.report.Omitted++
		return
	}
	c.kept[r.Outcome] = append(c.kept[r.Outcome], r)
}

// flush gives the batch to the sink and counts its answer.
func (c *collector) flush(ctx context.Context) error {
	if len(c.batch) == 0 {
		return nil
	}
	added := c.alone()
	if c.sink != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if added, err = c.sink.Add(ctx, c.batch); err != nil {
			return fmt.Errorf("add rows to the list: %w", err)
		}
		if added.New < 0 || added.Duplicate < 0 || added.Held < 0 || added.New+added.Duplicate+added.Held != len(c.batch) {
			return fmt.Errorf("add rows to the list: %d rows given, but %d counted", len(c.batch), added.New+added.Duplicate+added.Held)
		}
	}
	c.report.Ready += added.New
	c.report.Duplicates += added.Duplicate
	c.report.Held += added.Held
	c.examples(added)
	c.batch = c.batch[:0]
	clear(c.twin)
	return nil
}

// alone is what an empty list would answer: a value that came before is a duplicate.
func (c *collector) alone() Added {
	var a Added
	for _, rec := range c.batch {
		if _, twin := c.twin[rec.Line]; twin {
			a.DuplicateLines = append(a.DuplicateLines, rec.Line)
		}
	}
	a.Duplicate = len(a.DuplicateLines)
	a.New = len(c.batch) - a.Duplicate
	return a
}

// examples keeps rows that were held or merged.
func (c *collector) examples(a Added) {
	held, merged := sorted(a.HeldLines), sorted(a.DuplicateLines)
	for _, rec := range c.batch {
		row := Row{Line: rec.Line}
		row.Column, row.Header = c.l.place(fieldValue)
		if _, ok := slices.BinarySearch(held, rec.Line); ok {
			row.Outcome, row.Reason, row.Text = Held, "protection_list", "the value is on one of your own lists of victims, witnesses, minors or protected persons"
		} else if _, ok := slices.BinarySearch(merged, rec.Line); !ok {
			continue
		} else if first, twin := c.twin[rec.Line]; twin {
			row.Outcome, row.Reason, row.Text = Duplicate, "in_file", fmt.Sprintf("the same value as line %d", first)
		} else {
			row.Outcome, row.Reason, row.Text = Duplicate, "in_list", "already in the list"
		}
		if !c.wanted(row.Outcome, maxExamples) {
			c.report.Omitted++
			continue
		}
		row.Before, row.After = shown(rec.Original), shown(rec.Value.Canonical())
		c.keep(row, maxExamples)
	}
}

func sorted(lines []int) []int { return slices.Sorted(slices.Values(lines)) }

// finish empties the batch and completes the report.
func (c *collector) finish(ctx context.Context) error {
	if err := c.flush(ctx); err != nil {
		return err
	}
	likely, err := c.places.judge(ctx, c.o)
	if err != nil {
		return err
	}
	c.report.LikelyCountry = likely
	c.warn()
	for _, o := range []Outcome{Rejected, Held, Changed, Duplicate} {
		c.report.Examples = append(c.report.Examples, c.kept[o]...)
	}
	switch {
	case c.report.Rows == 0:
		return &FileError{Fault: FaultEmpty, Text: "the list is empty: there are column names, but no rows", Hint: "check that the right sheet was exported"}
	case c.report.Rejected == c.report.Rows:
		return &FileError{Fault: FaultAllRejected, Text: fmt.Sprintf("every one of the %d rows was rejected, most often because: %s", c.report.Rows, c.mostOften()),
			Hint: "see the report for each reason and what to do"}
	}
	return nil
}

// mostOften names the most frequent reason of rejection.
func (c *collector) mostOften() string {
	best := ""
	for reason, n := range c.report.Reasons {
		if m := c.report.Reasons[best]; n > m || n == m && reason < best {
			best = reason
		}
	}
	return c.report.Texts[best]
}

// warn adds what only the whole file shows.
func (c *collector) warn() {
	say := func(format string, a ...any) {
		c.report.Warnings = append(c.report.Warnings, fmt.Sprintf(format, a...))
	}
	if l := c.report.LikelyCountry; l != nil {
		or := ""
		if len(l.Also) > 0 {
			or = " (or " + strings.Join(l.Also, ", ") + ")"
		}
		say("most rows look like numbers of %s%s, not of the default country %s: of %d rows looked at, %d are possible in %s and %d in %s; if that is right, import the file with --default-country %s",
			l.Country, or, l.Default, l.RowsLookedAt, l.Fits, l.Country, l.DefaultFits, l.Default, l.Country)
	}
	if n := c.report.Changes["trunk_zero_missing"]; n > 0 {
		say("%s written without the leading 0 of the country: a spreadsheet may have dropped it; compare some with the source", count(n, "number"))
	}
	if n := c.digits.lost(); n > 0 && (c.o.Kind == indicator.Document || c.o.Kind == indicator.Account) {
		say("%s shorter than the others, and none begins with 0: a spreadsheet may have dropped leading zeros; export the column as text and compare", count(n, "number"))
	}
	if c.o.Kind == indicator.Face {
		say("a face that matches is a lead and no more; matching faces is for research alone until, for this model, error rates for each sex and origin are on file")
	}
	if c.o.Kind.Similar() {
		say("your lists of victims, witnesses, minors and protected persons are searched for equal values alone: a %s that stands there in another form is not held back", c.o.Kind)
	}
	if len(c.absent) > 0 {
		say("these entries under never with are no members of the federation and keep the row from nobody: %s; check how they are written", printable(strings.Join(c.absent, ", "), maxShown))
	}
	if c.report.Omitted > 0 {
		say("%s counted but not shown one by one", count(c.report.Omitted, "example"))
	}
}
