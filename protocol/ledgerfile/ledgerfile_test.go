package ledgerfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
)

func file(t testing.TB, k Kind, contents ...string) []byte {
	t.Helper()
	b := k.Header()
	var err error
	for _, c := range contents {
		if b, err = k.AppendFrame(b, []byte(c)); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// read is what a file holds, and why it cannot be read on.
func read(k Kind, b []byte) (out []Frame, err error) {
	for f, err := range k.Read(bytes.NewReader(b)) {
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
	return out, nil
}

func TestFrames(t *testing.T) {
	for _, k := range []Kind{Entries, Checkpoints, Terms} {
		b := file(t, k, "one", "two", strings.Repeat("3", 5000))
		got, err := read(k, b)
		if err != nil || len(got) != 3 || string(got[1].Content) != "two" || got[1].Offset != int64(len(k.Header()))+7 {
			t.Errorf("%s: %d frames, %v", k, len(got), err)
		}
		if got, err := read(k, k.Header()); err != nil || len(got) != 0 {
			t.Errorf("%s: %d frames of none, %v", k, len(got), err)
		}
		most, _ := k.limits()
		if _, err := k.AppendFrame(nil, make([]byte, most+1)); err == nil {
			t.Errorf("%s: a frame too long is written", k)
		}
		if _, err := k.AppendFrame(nil, nil); err == nil {
			t.Errorf("%s: an empty frame is written", k)
		}
		for i := range b { // cut anywhere else than behind a frame, it is refused there
			got, err := read(k, b[:i])
			whole := i == len(k.Header()) || i == len(k.Header())+7 || i == len(k.Header())+14
			var e *Error
			if whole != (err == nil) || err != nil && (!errors.As(err, &e) || e.Offset > int64(i)) {
				t.Fatalf("%s cut at %d: %d frames, %v", k, i, len(got), err)
			}
		}
	}
	if _, err := read(Entries, file(t, Checkpoints)); err == nil {
		t.Error("a file of checkpoints is read as one of entries")
	}
	for _, err := range Entries.Read(iotest.ErrReader(os.ErrPermission)) {
		if !errors.Is(err, os.ErrPermission) {
			t.Errorf("a reader that fails: %v", err)
		}
	}
}

func TestFilesAreBounded(t *testing.T) {
	b, content := Entries.Header(), make([]byte, entry.MaxSigned)
	for Entries.Fits(int64(len(b)), content) {
		b, _ = Entries.AppendFrame(b, content)
	}
	if _, err := read(Entries, b); err != nil {
		t.Errorf("%d bytes: %v", len(b), err)
	}
	b, _ = Entries.AppendFrame(b, content)
	if _, err := read(Entries, b); err == nil {
		t.Errorf("%d bytes are read", len(b))
	}
}

func TestNames(t *testing.T) {
	for _, n := range []uint64{0, 7, 123456, checkpoint.MaxSize} {
		if got, ok := ParseEntriesName(EntriesName(n)); !ok || got != n || len(EntriesName(n)) != 14 {
			t.Errorf("%d is named %s and read as %d", n, EntriesName(n), got)
		}
	}
	for _, s := range []string{"", "0", "0000000000000", "000000000000000", "+0000000000001", "00000000000 1", "0000000000000a"} {
		if _, ok := ParseEntriesName(s); ok {
			t.Errorf("%q is read", s)
		}
	}
}

func TestManifest(t *testing.T) {
	m := Manifest{Origin: checkpoint.Origin{Federation: [32]byte{1, 2}, Term: 1}, Entries: 100_000, Period: Period{First: 20454, Last: 20543}}
	b := m.Text()
	if got, err := ParseManifest(b); err != nil || got != m {
		t.Errorf("%+v, %v", got, err)
	}
	if !m.Holds(20454*86_400_000) || m.Holds(20544*86_400_000) || !m.Holds(20544*86_400_000-1) || m.First.String() != "2026-01-01" {
		t.Errorf("%s to %s hold other times", m.First, m.Last)
	}
	for i := range b { // no other byte anywhere is read as the same
		for _, with := range []byte{' ', '\n', '0', 'x'} {
			other := bytes.Clone(b)
			other[i] = with
			if got, err := ParseManifest(other); err == nil && got == m && with != b[i] {
				t.Errorf("%q is read as %+v", other, got)
			}
		}
		if _, err := ParseManifest(b[:i]); err == nil {
			t.Errorf("%q is read", b[:i])
		}
	}
	for from, to := range map[string]string{
		"entries 100000": "entries 0", "100000": "0100000", "entries": "Entries", "first 2026-01-01": "first 2026-04-01",
		"2026-03-31": "2026-02-30", "2026-01-01": "1969-01-01", "export 1": "export 2", "last 2026-03-31\n": "last 2026-03-31\n\n",
	} {
		if _, err := ParseManifest([]byte(strings.Replace(string(b), from, to, 1))); err == nil {
			t.Errorf("%q in place of %q is read", to, from)
		}
	}
}

// FuzzRead: no bytes bring a reader down, what it reads is written back as it was, and it
// sets aside no more than the file has and one frame may have.
func FuzzRead(f *testing.F) {
	enormous := binary.BigEndian.AppendUint32(Entries.Header(), 1<<31)
	for _, b := range [][]byte{
		file(f, Entries, "one", "two"), file(f, Checkpoints, "one", strings.Repeat("2", 300)), Entries.Header(), enormous,
		binary.BigEndian.AppendUint32(Checkpoints.Header(), checkpoint.MaxSigned), nil,
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range []Kind{Entries, Checkpoints, Terms} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			frames, err := read(k, b)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > uint64(64*len(b))+checkpoint.MaxSigned+1<<20 {
				t.Errorf("%d bytes take %d bytes of memory", len(b), n)
			}
			again := k.Header()
			for _, one := range frames {
				again, _ = k.AppendFrame(again, one.Content)
			}
			if err == nil && !bytes.Equal(again, b) || len(frames) > 0 && !bytes.HasPrefix(b, again) {
				t.Errorf("%d frames are not what was read", len(frames))
			}
		}
		if m, err := ParseManifest(b); err == nil && !bytes.Equal(m.Text(), b) {
			t.Errorf("manifest %+v is not what was read", m)
		}
	})
}
