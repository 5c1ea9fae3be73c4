package entry

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// log returns the log of a chain and the offsets at which its frames end.
func log(t testing.TB, c Chain, ss []Signed) (b []byte, ends []int) {
	t.Helper()
	b = LogHeader(c)
	for _, s := range ss {
		var err error
		if b, err = AppendFrame(b, s); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, len(b))
	}
	return b, ends
}

func read(b []byte, c Chain) (fs []Frame, err error) {
	for f, e := range ReadLog(bytes.NewReader(b), c) {
		if e != nil {
			return fs, e
		}
		fs = append(fs, f)
	}
	return fs, nil
}

func TestLogRoundTrip(t *testing.T) {
	g := five(t, Submitted)
	for n := range len(g.signed) + 1 {
		b, ends := log(t, Submitted, g.signed[:n])
		fs, err := read(b, Submitted)
		if err != nil || len(fs) != n {
			t.Fatalf("%d of %d entries, %v", len(fs), n, err)
		}
		for i, f := range fs {
			if f.Signed.Digest() != g.signed[i].Digest() || f.End != int64(ends[i]) {
				t.Errorf("entry %d ends at %d, want %d", i, f.End, ends[i])
			}
		}
	}
	if !strings.HasPrefix(string(LogHeader(Local)), "entente audit log 1 local\n") || Local.LogName() != "local.log" {
		t.Error("the header or the name of the local log changed")
	}
}

// Cutting a log anywhere must give the entries before the cut and say where the good
// part ends.
func TestTornLogAtEveryByte(t *testing.T) {
	g := five(t, Local)
	b, ends := log(t, Local, g.signed[:3])
	header := len(LogHeader(Local))
	for n := range len(b) {
		fs, err := read(b[:n], Local)
		good := 0 // offset at which the whole frames end
		if n >= header {
			good = header
		}
		whole := 0
		for _, e := range ends {
			if e <= n {
				good, whole = e, whole+1
			}
		}
		if len(fs) != whole {
			t.Fatalf("cut at %d: %d entries, want %d", n, len(fs), whole)
		}
		if n == good && n >= header {
			if err != nil {
				t.Fatalf("cut between frames at %d: %v", n, err)
			}
			continue
		}
		var l *LogError
		if !errors.As(err, &l) || !l.Torn || l.Offset != int64(good) {
			t.Fatalf("cut at %d: %v, want torn at %d", n, err, good)
		}
	}
}

func TestLogFaults(t *testing.T) {
	g := five(t, Local)
	b, ends := log(t, Local, g.signed[:2])
	at := func(i int, v byte) []byte {
		c := bytes.Clone(b)
		c[i] = v
		return c
	}
	for name, c := range map[string]struct {
		log    []byte
		offset int
		torn   bool
	}{
		"other chain":      {append(LogHeader(Submitted), b[len(LogHeader(Local)):]...), 0, false},
		"no log":           {[]byte(strings.Repeat("x", 100)), 0, false},
		"short and no log": {[]byte("x"), 0, false},
		"zeros after":      {append(bytes.Clone(b), make([]byte, 5000)...), ends[1], true},
		"few zeros after":  {append(bytes.Clone(b), 0, 0), ends[1], true},
		"zero length":      {append(bytes.Clone(b), 0, 0, 0, 0, 1), ends[1], false},
		"length bomb":      {at(ends[0], 0xff), ends[0], false},
		"length one off":   {at(ends[0]+3, b[ends[0]+3]-1), ends[0], false},
		"length too far":   {at(ends[0]+3, b[ends[0]+3]+1), ends[0], true},
		"body altered":     {at(ends[0]+4, 0x83), ends[0], false},
	} {
		var l *LogError
		_, err := read(c.log, Local)
		if !errors.As(err, &l) || l.Offset != int64(c.offset) || l.Torn != c.torn {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLogStopsWhenAsked(t *testing.T) {
	b, _ := log(t, Local, five(t, Local).signed)
	n := 0
	for range ReadLog(bytes.NewReader(b), Local) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestLogPassesReadErrorsOn(t *testing.T) {
	b, ends := log(t, Local, five(t, Local).signed)
	broken := errors.New("broken disk")
	for _, n := range []int{0, 10, len(LogHeader(Local)), ends[0], ends[0] + 2, ends[0] + 100} {
		r := io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(broken))
		var last error
		for _, err := range ReadLog(r, Local) {
			last = err
		}
		var l *LogError
		if !errors.Is(last, broken) || errors.As(last, &l) {
			t.Errorf("after %d bytes: %v", n, last)
		}
	}
	fs := 0
	for _, err := range ReadLog(iotest.OneByteReader(bytes.NewReader(b)), Local) {
		if err != nil {
			t.Fatal(err)
		}
		fs++
	}
	if fs != 5 {
		t.Errorf("%d entries byte by byte", fs)
	}
}

func TestAppendFrameLimit(t *testing.T) {
	s := Signed{Entry: make([]byte, MaxSigned), Signature: make([]byte, 10)}
	if _, err := AppendFrame(nil, s); err == nil {
		t.Error("an entry too long for a log was appended")
	}
}

func TestOpeningName(t *testing.T) {
	o := Opening{Label: "x", Nonce: make([]byte, 32), Body: []byte{}}
	n := OpeningName(o)
	if !strings.HasPrefix(n, OpeningsFolder+"/") || !strings.HasSuffix(n, ".cbor") || len(n) != len(OpeningsFolder)+1+64+5 {
		t.Errorf("name is %q", n)
	}
	if slices.Contains([]string{OpeningsFolder, ReceiptsFolder}, "") {
		t.Error("a folder has no name")
	}
}
