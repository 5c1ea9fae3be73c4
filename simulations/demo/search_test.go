package demo

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"entente/protocol/indicator"
)

func parsed(t *testing.T, kind indicator.Kind, raw string) listed {
	t.Helper()
	v, _, err := indicator.Parse(kind, raw, indicator.Defaults{Country: au, Issuer: "UTO"})
	if err != nil {
		t.Fatal(err)
	}
	return listed{v, raw}
}

// TestSearchFindsEveryForm hides each form of a value, one at a time, at every place
// where a piece can end.
func TestSearchFindsEveryForm(t *testing.T) {
	phone, paper := parsed(t, indicator.Phone, "(0491) 570-156"), parsed(t, indicator.Document, "L 441 0027")
	h := newHunt([]listed{phone, paper})
	s256, s1, m5 := sha256.Sum256(phone.value.Element()), sha1.Sum([]byte("+61491570156")), md5.Sum([]byte("61491570156"))
	p256 := sha256.Sum256([]byte("UTO:L4410027"))
	for name, c := range map[string]struct {
		value int
		form  string
	}{
		"as written": {0, "(0491) 570-156"}, "canonical": {0, "+61491570156"}, "digits": {0, "61491570156"}, "national": {0, "0491570156"},
		"element": {0, string(phone.value.Element())}, "SHA-256": {0, string(s256[:])}, "cut SHA-256": {0, string(s256[:10])},
		"SHA-1 in hex": {0, hex.EncodeToString(s1[:])}, "MD5 in capitals": {0, strings.ToUpper(hex.EncodeToString(m5[:]))},
		"MD5": {0, string(m5[:])}, "SHA-1 in base64": {0, base64.StdEncoding.EncodeToString(s1[:])},
		"passport": {1, "UTO:L4410027"}, "number": {1, "L4410027"}, "its digits": {1, "4410027"}, "its SHA-256": {1, string(p256[:])},
	} {
		for _, around := range [][2]string{{"", ""}, {"x", ""}, {"", "x"}, {"\x00\x01", "\xff\xff\xff\xff"}} {
			got := h.in([][]byte{[]byte("other"), []byte(around[0] + c.form + around[1])})
			if len(got) != 1 || got[c.value] != 1 {
				t.Errorf("%s within %q: found %v", name, around, got)
			}
		}
		if got := h.in([][]byte{[]byte(c.form[:len(c.form)/2]), []byte(c.form[len(c.form)/2:])}); name == "as written" && len(got) > 0 {
			t.Errorf("%s: two pieces are taken for one", name)
		}
	}
}

func TestSearchFindsNothingElse(t *testing.T) {
	all, err := allListed()
	if err != nil {
		t.Fatal(err)
	}
	h := newHunt(all)
	noise := make([]byte, 1<<20)
	rand.Read(noise)
	for name, b := range map[string][]byte{
		"nothing": nil, "short": []byte("+61"), "chance": noise, "a near number": []byte("+61491570155"),
		"a keyed hash": bytes.Repeat([]byte{7}, 64),
	} {
		if got := h.in([][]byte{b}); len(got) > 0 {
			t.Errorf("%s: found %d values", name, len(got))
		}
	}
	got := h.in([][]byte{[]byte("+61491570156 and +61491570156")})
	for i, places := range got {
		if v := all[i].value.Canonical(); v != "+61491570156" || places != 2 {
			t.Errorf("found %s in %d places", v, places)
		}
	}
	if len(got) != 4 { // Australia's file has it twice, the partners' once each
		t.Errorf("found %d entries of 4", len(got))
	}
}

// TestRecorder writes and reads through a tap from two goroutines.
func TestRecorder(t *testing.T) {
	r := &recorder{}
	ours, theirs := io.Pipe()
	stream := r.tap(id, struct {
		io.Reader
		io.Writer
	}{ours, theirs})
	text := strings.Repeat("a line of the round\n", 100)
	var both sync.WaitGroup
	both.Go(func() {
		for b := range strings.Lines(text) {
			if _, err := stream.Write([]byte(b)); err != nil {
				t.Error(err)
			}
		}
		if err := theirs.Close(); err != nil {
			t.Error(err)
		}
	})
	both.Go(func() {
		if got, err := io.ReadAll(stream); err != nil || string(got) != text {
			t.Errorf("read %d bytes: %v", len(got), err)
		}
	})
	both.Wait()
	r.plant(th, []byte("something"))
	pieces := r.with(id)
	if len(pieces) != 2 || string(pieces[0]) != text || string(pieces[1]) != text || size(pieces) != 2*len(text) {
		t.Errorf("recorded %d pieces of %d bytes", len(pieces), size(pieces))
	}
	if contains(pieces, "something") || !contains(r.with(th), "something") || contains(r.with(au), "") {
		t.Error("the recording of one member holds another's")
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", width+20)
	for name, c := range map[string]struct{ text, first, rest, want string }{
		"empty":            {"", "", "", "\n"},
		"one word":         {"word", "  a ", "    ", "  a word\n"},
		"spaces":           {" two \n words ", "", "", "two words\n"},
		"exactly":          {strings.Repeat("a ", width/2-1) + "bb", "", "", strings.Repeat("a ", width/2-1) + "bb\n"},
		"one too many":     {strings.Repeat("a ", width/2-1) + "bbb", "", ">", strings.TrimSpace(strings.Repeat("a ", width/2-1)) + "\n>bbb\n"},
		"a long word":      {"a " + long + " b", "", "", "a\n" + long + "\nb\n"},
		"runes, not bytes": {strings.Repeat("é", width-2) + " é", "", "", strings.Repeat("é", width-2) + " é\n"},
	} {
		if got := wrap(c.text, c.first, c.rest); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// failing is a terminal that is gone after some bytes.
type failing struct{ left int }

var errGone = errors.New("gone")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errGone
	}
	return len(p), nil
}

func TestScreen(t *testing.T) {
	var b bytes.Buffer
	s := &screen{w: &b}
	s.heading(1, 2, "Title")
	s.gap()
	s.say("%d words", 2)
	s.gap()
	s.table([]string{"A", "B"}, []string{"aa", "b"})
	s.gap()
	s.item("label", "text")
	s.line("end")
	want := "── 1 of 2 ── Title " + strings.Repeat("─", width-len("-- 1 of 2 -- Title ")) + "\n\n2 words\n\n  A   B\n  aa  b\n\n  label              text\nend\n"
	if got := strings.TrimPrefix(b.String(), "\n"); got != want || s.err != nil {
		t.Errorf("%q, want %q; %v", got, want, s.err)
	}
	gone := &screen{w: &failing{left: 3}}
	gone.line("ab")
	gone.line("cd")
	gone.line("ef")
	if !errors.Is(gone.err, errGone) {
		t.Errorf("the error is %v", gone.err)
	}
	silent := &screen{}
	silent.say("nobody hears")
	if silent.err != nil {
		t.Error(silent.err)
	}
}
