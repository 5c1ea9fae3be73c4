package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// show writes a result as JSON, or as text through the given function.
func (a *app) show(v any, text func(w io.Writer)) error {
	if a.output == "json" {
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// say tells a person something that is no result.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }

// row writes one line of a table.
func row(w io.Writer, cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = fmt.Sprint(c)
	}
	fmt.Fprintln(w, strings.Join(text, "\t"))
}

// meter shows progress on standard error: a line that renews itself on a terminal,
// a line every ten percent elsewhere.
type meter struct {
	w        io.Writer
	what     string
	terminal bool
	began    time.Time
	first    int64 // what was done when it began, so that a resumed round is honest
	last     time.Time
	percent  int64
}

func (a *app) meter(what string) *meter {
	f, ok := a.err.(*os.File)
	terminal := false
	if ok {
		info, err := f.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return &meter{w: a.err, what: what, terminal: terminal, first: -1, percent: -10}
}

// set tells how far it is, in bytes.
func (m *meter) set(done, total int64) {
	now := time.Now()
	if total <= 0 || done > total {
		return
	}
	if m.first < 0 {
		m.first, m.began = done, now
	}
	percent := done * 100 / total
	switch {
	case m.terminal && (now.Sub(m.last) > 200*time.Millisecond || done == total):
		fmt.Fprintf(m.w, "\r%s: %3d %%, %s of %s%s   ", m.what, percent, size(done), size(total), m.left(done, total, now))
	case !m.terminal && percent >= m.percent+10:
		fmt.Fprintf(m.w, "%s: %d %%, %s of %s%s\n", m.what, percent, size(done), size(total), m.left(done, total, now))
		m.percent = percent - percent%10
	default:
		return
	}
	m.last = now
}

// left estimates the time from the speed so far.
func (m *meter) left(done, total int64, now time.Time) string {
	moved, span := done-m.first, now.Sub(m.began)
	if moved <= 0 || span < time.Second || done == total {
		return ""
	}
	return ", about " + time.Duration(float64(span)*float64(total-done)/float64(moved)).Round(time.Second).String() + " left"
}

// end closes the line.
func (m *meter) end() {
	if m.terminal && !m.last.IsZero() {
		fmt.Fprintln(m.w)
	}
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

// when writes a time for people.
func when(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04")
}
