package audit

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"
	"testing/fstest"

	"entente/protocol/entry"
)

// rotate has both chains hand over to the keys of a seed, and writes the card that names them.
func (f *folder) rotate(seed byte) {
	f.t.Helper()
	transport := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed ^ 0x80}, 32))
	for _, c := range []entry.Chain{entry.Local, entry.Submitted} {
		s, h, err := f.author.Rotate(f.heads[c], c, key(f.t, seed), transport, f.now)
		if err != nil {
			f.t.Fatal(err)
		}
		f.keep(c, s, h)
	}
	f.author.Key = key(f.t, seed)
	if _, kept := f.files["member.first.json"]; !kept {
		f.files["member.first.json"] = f.files["member.json"]
	}
	f.json("member.json", card(f.t, f.author.Member, seed))
}

// A chain is checked under each key from the entry on that hands over to it; the roster that all
// signed, and what was signed under it, stay right.
func TestKeysThatWereReplaced(t *testing.T) {
	f := joined(t)
	f.rotate(7)
	f.add(entry.Local, entry.Decision, nil)
	f.sealHead()
	f.rotate(8)
	f.sealHead()
	if r := f.check(f.copy()); !r.OK || len(r.Notes) > 0 || r.Receipts != 1 {
		t.Fatalf("right and reported as %+v", r)
	}
	for name, c := range map[string]struct {
		disturb func(fstest.MapFS)
		want    string
	}{
		"no first card":         {func(m fstest.MapFS) { delete(m, "member.first.json") }, "names other keys than the card"},
		"first card of another": {func(m fstest.MapFS) { other(t, m, "ID", 2); m["member.first.json"] = f.files["member.first.json"] }, "is the card of another member"},
		"a key that was never":  {func(m fstest.MapFS) { other(t, m, "AU", 9) }, "names a key that the submitted chain has never gone over to"},
		"first card unreadable": {func(m fstest.MapFS) { m["member.first.json"].Data[40] ^= 1 }, "member.first.json"},
		"the cards exchanged": {func(m fstest.MapFS) {
			m["member.json"], m["member.first.json"] = m["member.first.json"], m["member.json"]
		}, "names other keys than the card"},
		"the hand-over left out": {cutOut(t, f, entry.Local, entry.KeyRotated), "local.log"},
	} {
		files := f.copy()
		c.disturb(files)
		if r := f.check(files); len(r.Faults) == 0 || !strings.Contains(r.Faults[0].String(), c.want) {
			t.Errorf("%s: %v", name, r.Faults)
		}
	}
	// Until the last change is final the card names the key before.
	files := f.copy()
	other(t, files, "AU", 7)
	if r := f.check(files); !r.OK {
		t.Errorf("the card of the time before: %v", r.Faults)
	}
}

// cutOut takes the first entry of a kind out of a log.
func cutOut(t *testing.T, f *folder, c entry.Chain, k entry.Kind) func(fstest.MapFS) {
	t.Helper()
	out, done := entry.LogHeader(c), false
	for frame, err := range entry.ReadLog(bytes.NewReader(f.files[c.LogName()].Data), c) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := frame.Signed.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == k && !done {
			done = true
			continue
		}
		if out, err = entry.AppendFrame(out, frame.Signed); err != nil {
			t.Fatal(err)
		}
	}
	return func(m fstest.MapFS) { m[c.LogName()] = &fstest.MapFile{Data: out} }
}
