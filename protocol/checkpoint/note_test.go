package checkpoint

import (
	"strings"
	"testing"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// The library of the standard's authors takes every line of a note.
func TestNoteConvincesAnotherVerifier(t *testing.T) {
	c, keys := seats(t, 5, 3)
	p := at(t, grown(t, 9, 9, 0), 9)
	text, err := c.Note(signed(p, keys, []int{2, 0, 1}, []int{3, 4, 0, 1}))
	must(t, err)
	var known []note.Verifier
	for _, role := range []Role{Sequencer, Cosigner} {
		for id, seat := range c.Seats {
			for i, k := range VerifierKeys(federation, id, role, seat.Key) {
				open := formats.NewVerifierForCosignatureV1
				if role == Sequencer && i == 0 {
					open = note.NewVerifier
				}
				v, err := open(k)
				must(t, err)
				known = append(known, v)
			}
		}
	}
	n, err := note.Open([]byte(text), note.VerifierList(known...))
	if err != nil || len(n.Sigs) != 14 || len(n.UnverifiedSigs) != 0 {
		t.Fatalf("%v in\n%s", err, text)
	}
	if parsed, err := Parse([]byte(n.Text)); err != nil || parsed != p {
		t.Errorf("%+v, %v", parsed, err)
	}
	for _, s := range n.Sigs[6:] {
		if at, err := formats.CoSigV1Timestamp(s); err != nil || !at.Equal(noon) {
			t.Errorf("%s was signed at %v, %v", s.Name, at, err)
		}
	}
	if lines := strings.Split(text, "\n"); !strings.Contains(lines[4], "/M00/sequencer ") || !strings.Contains(lines[10], "/M00 ") {
		t.Errorf("the lines are out of order:\n%s", text)
	}
	if _, err := c.Note(Signed{Text: []byte("x\n")}); err == nil {
		t.Error("a note of no checkpoint was written")
	}
	if _, err := (Committee{}).Note(signed(p, keys, upTo(1), nil)); err == nil {
		t.Error("a note with a stranger was written")
	}
}
