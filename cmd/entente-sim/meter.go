package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// meter shows progress on standard error: a line that renews itself on a terminal, a line
// every ten percent elsewhere, with the time that is left by the speed so far.
type meter struct {
	w        io.Writer
	terminal bool
	what     string
	began    time.Time
	last     time.Time
	percent  int
}

func newMeter(w io.Writer) *meter {
	m := &meter{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		m.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return m
}

// set tells how far a part of the work is. Another name begins another part.
func (m *meter) set(what string, done, total int) {
	now := time.Now()
	if what != m.what {
		m.end()
		m.what, m.began, m.last, m.percent = what, now, time.Time{}, 0
	}
	if total <= 0 || done > total {
		return
	}
	percent := done * 100 / total
	switch {
	case m.terminal && (now.Sub(m.last) > 200*time.Millisecond || done == total):
		fmt.Fprintf(m.w, "\r%s: %3d %%%s          ", m.what, percent, m.left(done, total, now))
	case !m.terminal && percent >= m.percent+10:
		fmt.Fprintf(m.w, "%s: %d %%%s\n", m.what, percent, m.left(done, total, now))
		m.percent = percent - percent%10
	default:
		return
	}
	m.last = now
}

func (m *meter) left(done, total int, now time.Time) string {
	span := now.Sub(m.began)
	if span < time.Second || done == total {
		return ""
	}
	return ", about " + time.Duration(float64(span)*float64(total-done)/float64(done)).Round(time.Second).String() + " left"
}

// end closes the line.
func (m *meter) end() {
	if m.terminal && !m.last.IsZero() {
		fmt.Fprintln(m.w)
	}
	m.last = time.Time{}
}
