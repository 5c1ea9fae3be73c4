package audit

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"entente/protocol/entry"
)

// head is the high-water file of a folder.
func (f *folder) head() string {
	s := headHeader + "\n"
	for _, c := range []entry.Chain{entry.Local, entry.Submitted} {
		h := f.heads[c]
		s += fmt.Sprintf("%s %d %x\n", c, h.Sequence, h.Digest[:])
	}
	return s
}

func TestHighWater(t *testing.T) {
	f := joined(t)
	now := f.head()
	older := strings.Replace(now, "local 5", "local 4", 1)
	newer := strings.Replace(now, "local 5", "local 6", 1)
	for name, c := range map[string]struct {
		text        string
		fault, note string
	}{
		"as it is":        {now, "", ""},
		"no entries yet":  {headHeader + "\n", "", ""},
		"one chain":       {now[:strings.Index(now, "submitted")], "", ""},
		"log behind":      {newer, "", "local.log ends at entry 5, but the node has written up to entry 6"},
		"another digest":  {older, "head: entry 4 of the local chain is another one in local.log", ""},
		"empty":           {"", "form", ""},
		"other header":    {strings.Replace(now, "1", "2", 1), "form", ""},
		"no line end":     {strings.TrimSuffix(now, "\n"), "form", ""},
		"leading zero":    {strings.Replace(now, "local 5", "local 05", 1), "form", ""},
		"negative":        {strings.Replace(now, "local 5", "local -5", 1), "form", ""},
		"two spaces":      {strings.Replace(now, "local 5", "local  5", 1), "form", ""},
		"unknown chain":   {strings.Replace(now, "local", "global", 1), "form", ""},
		"chain twice":     {strings.Replace(now, "submitted", "local", 1), "form", ""},
		"capital hex":     {strings.ToUpper(now), "form", ""},
		"short digest":    {strings.TrimSuffix(now, now[len(now)-3:]) + "\n", "form", ""},
		"trailing line":   {now + "\n", "form", ""},
		"longer than all": {now + strings.Repeat("x", maxHead), "more than", ""},
	} {
		f.files["head"] = &fstest.MapFile{Data: []byte(c.text)}
		r := f.check(f.files)
		if (c.fault == "") != r.OK || !r.OK && !strings.Contains(r.Faults[0].String(), c.fault) {
			t.Errorf("%s: faults %v", name, r.Faults)
		}
		if (c.note == "") != (len(r.Notes) == 0) || c.note != "" && !strings.Contains(r.Notes[0], c.note) {
			t.Errorf("%s: notes %v", name, r.Notes)
		}
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add([]byte(headHeader + "\nlocal 5 " + strings.Repeat("0a", 32) + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		marks, err := parseHead(b)
		if err != nil {
			return
		}
		n := 0
		for c, m := range marks {
			if line := fmt.Sprintf("\n%s %d %x\n", c, m.sequence, m.digest[:]); strings.Contains(string(b), line) {
				n++
			}
		}
		if n != len(marks) || n > 2 {
			t.Errorf("%d of %d chains stand in %q", n, len(marks), b)
		}
	})
}
