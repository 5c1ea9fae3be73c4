package intake

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// explain completes the refusal of a header: what was found, and what to do. The first
// line is quoted only if it is sure to hold names; without a header it is data.
func (r *reader) explain(err error, headers []string, line int, o Options) error {
	e, ok := errors.AsType[*FileError](err)
	if !ok {
		return err
	}
	e.Line = line
	e.Found = headers
	if e.Fault != FaultMissingColumn {
		return e
	}
	named := slices.ContainsFunc(headers, func(h string) bool { return weigh(h, o) > 0 }) &&
		!slices.ContainsFunc(headers, manyDigits)
	if !named {
		e.Text += fmt.Sprintf("; the line has %d columns and does not look like column names", len(headers))
		e.Hint = fmt.Sprintf("add a first line with the names of the columns, such as %s", valueName(o.Kind))
	} else {
		shown := make([]string, len(headers))
		for i, h := range headers {
			shown[i] = fmt.Sprintf("%q", printable(h, shownHeader))
		}
		e.Text += "; found " + strings.Join(shown, ", ")
		e.Hint = fmt.Sprintf("call one of them %s, or say which it is with --column value=HEADER", valueName(o.Kind))
		if h, ok := nearest(headers, o); ok {
			e.Hint = fmt.Sprintf("if it is %q, say so with --column value=%q", printable(h, shownHeader), printable(h, shownHeader))
		}
	}
	var w row
	for range maxHeaderRun {
		at := r.line
		if r.next(&w) != nil {
			break
		}
		below := make([]string, len(w.cells))
		for i, c := range w.cells {
			below[i] = strings.TrimSpace(string(c.text))
		}
		if _, err := newLayout(below, o); err == nil {
			e.Hint = fmt.Sprintf("line %d looks like the column names: delete the lines above it", at)
			break
		}
	}
	return e
}

// leastMisspelt is the number of letters below which a header resembles too much.
const leastMisspelt = 4

// nearest returns the header that most resembles a usual name of the value: one that
// contains it as a word, or is at most two letters from it.
func nearest(headers []string, o Options) (string, bool) {
	strong, _ := valueNames(o.Kind)
	best, distance := "", 3
	for _, h := range headers {
		name := fold(h)
		for _, s := range strong {
			if strings.Contains(" "+name+" ", " "+s+" ") {
				return h, true
			}
			if d := editDistance(name, s, distance); d < distance && utf8.RuneCountInString(name) >= leastMisspelt && utf8.RuneCountInString(s) > 2*d {
				best, distance = h, d
			}
		}
	}
	return best, best != ""
}

// editDistance is the number of letters to insert, delete or replace, or limit if that
// is not smaller.
func editDistance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) >= limit || len(y)-len(x) >= limit {
		return limit
	}
	before := make([]int, len(y)+1)
	for j := range before {
		before[j] = j
	}
	for i, c := range x {
		now := make([]int, len(y)+1)
		now[0] = i + 1
		for j, d := range y {
			cost := 1
			if c == d {
				cost = 0
			}
			now[j+1] = min(before[j]+cost, before[j+1]+1, now[j]+1)
		}
		before = now
	}
	return min(before[len(y)], limit)
}
