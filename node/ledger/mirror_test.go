package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/replay"
)

func TestMirrorSurvivesAndProves(t *testing.T) {
	w := federation(t, 4, 4)
	entries := append(w.begin(), w.sealed(1, 1), w.sealed(2, 2))
	file := filepath.Join(t.TempDir(), "ledger")
	m := w.open(file)
	half := len(entries) / 2
	if out, err := m.Append(entries[:half]...); err != nil || len(out) != half {
		t.Fatal(len(out), err)
	}
	before, err := m.Checkpoint(uint64(half))
	must(t, err)
	must(t, m.Close())
	m = w.open(file)
	defer func() { must(t, m.Close()) }()
	if out, err := m.Append(entries[half:]...); err != nil || len(out) != len(entries)-half {
		t.Fatal(len(out), err)
	}
	size := uint64(len(entries))
	c, err := m.Checkpoint(size)
	must(t, err)
	for i, b := range entries {
		p, err := m.Inclusion(uint64(i), size)
		must(t, err)
		must(t, c.CheckInclusion(p, uint64(i), checkpoint.Leaf(b)))
	}
	p, err := m.Consistency(uint64(half), size)
	must(t, err)
	must(t, c.CheckConsistency(p, uint64(half), before.Root))
	if _, err := m.Checkpoint(size + 1); !errors.Is(err, ErrNotHeld) {
		t.Errorf("a tree that is not held: %v", err)
	}
	got, err := m.Entries(3, 4, 1<<20)
	if err != nil || len(got) != 4 || !bytes.Equal(got[0], entries[3]) {
		t.Errorf("%d entries, %v", len(got), err)
	}
	if got, err = m.Entries(3, 4, 1); err != nil || len(got) != 1 {
		t.Errorf("%d entries within a byte, %v", len(got), err)
	}
	if got, err = m.Entries(size, 4, 1<<20); err != nil || len(got) != 0 {
		t.Errorf("%d entries beyond the end, %v", len(got), err)
	}
}

// What is not admitted is not held, and what came before it is.
func TestMirrorRefuses(t *testing.T) {
	w := federation(t, 4, 4)
	m := w.mirror(w.begin()...)
	good, after := w.sealed(1, 1), w.sealed(1, 2)
	bad := bytes.Clone(after)
	bad[len(bad)-1] ^= 1
	out, err := m.Append(good, bad, after)
	if err == nil || len(out) != 1 || !strings.Contains(err.Error(), "entry 18") {
		t.Errorf("%d entries in, %v", len(out), err)
	}
	if out, err = m.Append(after); err != nil || len(out) != 1 || out[0].Index != 18 {
		t.Errorf("%d entries in, %v", len(out), err)
	}
}

// Whatever byte of the file's content is changed, the mirror does not open.
func TestDamagedMirror(t *testing.T) {
	w := federation(t, 4, 4)
	entries := w.begin()
	whole := filepath.Join(t.TempDir(), "ledger")
	m := w.open(whole)
	_, err := m.Append(entries...)
	must(t, err)
	must(t, m.Close())
	for what, change := range map[string]func(tx *bbolt.Tx) error{
		"entry": func(tx *bbolt.Tx) error {
			b := bytes.Clone(tx.Bucket([]byte(entriesBucket)).Get(place(5)))
			b[20] ^= 1
			return tx.Bucket([]byte(entriesBucket)).Put(place(5), b)
		},
		"entry gone": func(tx *bbolt.Tx) error { return tx.Bucket([]byte(entriesBucket)).Delete(place(5)) },
		"first gone": func(tx *bbolt.Tx) error { return tx.Bucket([]byte(entriesBucket)).Delete(place(0)) },
		"hash":       func(tx *bbolt.Tx) error { return tx.Bucket([]byte(hashesBucket)).Put(place(7), make([]byte, 32)) },
		"hash gone":  func(tx *bbolt.Tx) error { return tx.Bucket([]byte(hashesBucket)).Delete(place(7)) },
		"last hash short": func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(hashesBucket)).Put(place(checkpoint.Stored(uint64(len(entries)-1))), []byte{1})
		},
		"foreign key": func(tx *bbolt.Tx) error { return tx.Bucket([]byte(entriesBucket)).Put([]byte("x"), entries[0]) },
	} {
		b, err := os.ReadFile(whole)
		must(t, err)
		file := filepath.Join(t.TempDir(), "ledger")
		must(t, os.WriteFile(file, b, 0o600))
		db, err := bbolt.Open(file, 0o600, nil)
		must(t, err)
		must(t, db.Update(change))
		must(t, db.Close())
		if m, err := OpenMirror(t.Context(), file, w.genesis); err == nil {
			t.Errorf("%s: opened", what)
			must(t, m.Close())
		}
	}
	other := federation(t, 5, 4)
	if _, err := OpenMirror(t.Context(), whole, other.genesis); err == nil {
		t.Error("the mirror of another federation was opened")
	}
}

func TestCosigning(t *testing.T) {
	w := federation(t, 4, 4) // 3 sequencers, 3 cosigners
	entries := w.begin()
	m := w.mirror(entries...)
	size := uint64(len(entries))
	signer := w.signer(m, 3)
	offered := w.signed(m, size, []int{0, 1, 2}, nil)
	got, err := signer.Cosign(offered)
	must(t, err)
	c, err := m.Checkpoint(size)
	must(t, err)
	must(t, got.Verify(c, w.keys[3].Public()))
	if _, err := signer.Cosign(offered); err != nil {
		t.Errorf("once more: %v", err)
	}
	if _, err := signer.Cosign(w.signed(m, size-2, []int{0, 1, 2}, nil)); err != nil {
		t.Errorf("an older one of the same tree: %v", err)
	}
	if c, s, err := signer.Sequence(size); err != nil || c.Size != size || s.Verify(c, w.keys[3].Public()) != nil || s.Role != checkpoint.Sequencer {
		t.Errorf("as sequencer: %+v, %v", c, err)
	}

	other := federation(t, 4, 4)
	fork := other.mirror(append(other.begin(), other.sealed(1, 9))...)
	more := w.mirror(append(entries, w.sealed(2, 1))...)
	foreign := w.signed(m, size, []int{0, 1, 2}, nil)
	foreign.Text = bytes.Replace(foreign.Text, []byte("/1\n"), fmt.Appendf(nil, "/2/%s/%064x\n", name(0), 1), 1)
	for name, test := range map[string]struct {
		offered checkpoint.Signed
		want    error
	}{
		"another tree":    {other.signed(fork, size, []int{0, 1, 2}, nil), ErrConflict}, // of the same entries with other signatures
		"not held":        {w.signed(more, size+1, []int{0, 1, 2}, nil), ErrNotHeld},
		"another term":    {foreign, ErrTerm},
		"not sequenced":   {w.signed(m, size, []int{0, 1}, nil), nil},
		"no sequencers":   {w.signed(m, size, nil, []int{0, 1, 2}), nil},
		"no checkpoint":   {checkpoint.Signed{Text: []byte("x")}, nil},
		"wrong signature": {change(w.signed(m, size, []int{0, 1, 2}, nil)), nil},
	} {
		_, err := signer.Cosign(test.offered)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.now = w.now.Add(-MaxSkew - time.Second)
	if _, err := signer.Cosign(offered); !errors.Is(err, ErrClock) {
		t.Errorf("a ledger from the future: %v", err)
	}
	w.now = w.now.Add(24 * time.Hour)
	if _, err := signer.Cosign(offered); err != nil {
		t.Errorf("a ledger without ticks for a day: %v", err)
	}
}

func change(s checkpoint.Signed) checkpoint.Signed {
	s.Signatures[2].MLDSA44[7] ^= 1
	return s
}

// A signer whose mirror was swapped for another tree signs nothing: not even what it could.
func TestSignerRemembers(t *testing.T) {
	w := federation(t, 4, 4)
	entries := w.begin()
	m := w.mirror(append(entries, w.sealed(1, 1))...)
	size := uint64(len(entries)) + 1
	if _, err := w.signer(m, 3).Cosign(w.signed(m, size, []int{0, 1, 2}, nil)); err != nil {
		t.Fatal(err)
	}
	var note []byte
	must(t, m.db.View(func(tx *bbolt.Tx) error {
		note = bytes.Clone(tx.Bucket([]byte(signedBucket)).Get([]byte{byte(checkpoint.Cosigner)}))
		return nil
	}))
	for what, text := range map[string][]byte{"another tree": note, "damaged": []byte("x")} {
		again := federation(t, 4, 4)
		fork := again.mirror(append(again.begin(), again.sealed(1, 2))...)
		must(t, fork.db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(signedBucket)).Put([]byte{byte(checkpoint.Cosigner)}, text)
		}))
		for _, at := range []uint64{size, size - 1} {
			if _, err := again.signer(fork, 3).Cosign(again.signed(fork, at, []int{0, 1, 2}, nil)); !errors.Is(err, ErrSigned) {
				t.Errorf("%s, at %d entries: %v", what, at, err)
			}
		}
	}
}

// A change of the committee is final under the old rules before anybody signs beyond it.
func TestBoundaries(t *testing.T) {
	w := federation(t, 4, 4)
	m := w.mirror(w.begin()...)
	_, err := m.Append(append(w.propose(entry.Suspend, entry.Concerned{Member: name(2)}, 0, 1, 3), w.sealed(1, 1))...)
	must(t, err)
	var end uint64
	must(t, m.State(func(s *replay.State) { end, _ = s.Boundary(0) }))
	if end == 0 {
		t.Fatal("there is no boundary")
	}
	signer := w.signer(m, 3)
	beyond := w.signed(m, end+1, []int{0, 1, 3}, []int{0, 1, 3})
	if _, err := signer.Cosign(beyond); !errors.Is(err, ErrBoundary) {
		t.Errorf("beyond the change: %v", err)
	}
	if err := m.Finalise(beyond); !errors.Is(err, ErrBoundary) {
		t.Errorf("final beyond the change: %v", err)
	}
	if err := m.Finalise(w.signed(m, end, []int{0, 1, 2}, []int{0, 3})); err == nil {
		t.Error("two of four made a checkpoint final")
	}
	if _, err := signer.Cosign(w.signed(m, end, []int{0, 1, 2}, nil)); err != nil {
		t.Errorf("at the change: %v", err)
	}
	must(t, m.Finalise(w.signed(m, end, []int{0, 1, 2}, []int{0, 2, 3}))) // the suspended one still counts
	if _, err := signer.Cosign(beyond); err != nil {
		t.Errorf("beyond the change, when it is final: %v", err)
	}
	if err := m.Finalise(w.signed(m, end+1, []int{0, 1, 3}, []int{0, 2, 3})); err == nil {
		t.Error("a suspended member counted")
	}
	must(t, m.Finalise(beyond))
	_, err = m.Append(w.sealed(1, 2))
	must(t, err)
	must(t, m.Finalise(w.signed(m, end+2, []int{0, 1, 3}, []int{0, 1, 3})))
	must(t, m.Finalise(beyond)) // older than what is kept: nothing to do
	kept, err := m.Final()
	if err != nil || len(kept) != 2 {
		t.Fatalf("%d final checkpoints are kept, %v", len(kept), err)
	}
	for i, want := range []uint64{end, end + 2} {
		if c, err := kept[i].Checkpoint(); err != nil || c.Size != want {
			t.Errorf("final checkpoint %d is of %d entries, %v", i, c.Size, err)
		}
	}
}

// After a failed write nothing is signed or said: the state may be ahead of the file.
func TestMirrorThatCannotWrite(t *testing.T) {
	w := federation(t, 4, 4)
	entries := w.begin()
	m := w.mirror(entries...)
	signer, offered := w.signer(m, 3), w.signed(m, uint64(len(entries)), []int{0, 1, 2}, nil)
	must(t, m.db.Close())
	if _, err := m.Append(w.sealed(1, 1)); err == nil {
		t.Error("appended to a closed file")
	}
	if _, err := signer.Cosign(offered); err == nil {
		t.Error("signed without a file")
	}
	if _, err := m.Checkpoint(1); err == nil {
		t.Error("told of a tree without a file")
	}
}
