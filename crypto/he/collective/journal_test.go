package collective

import (
	"bytes"
	"crypto/rand"
	"errors"
	"maps"
	"testing"
	"testing/iotest"
)

var errDisk = errors.New("disk is full")

// ask has holder 1 of a group share.
func ask(m *members, s *Sum, active ...uint8) ([]byte, error) {
	return m.holders[1].Share(s.Masks(), active, m.journals[1], rand.Reader)
}

// reload is what a holder that stopped finds in its store.
func reload(t *testing.T, m *members, secret []byte) {
	t.Helper()
	h, err := m.params.LoadHolder(m.group, 1, m.journals[1].life, secret)
	if err != nil {
		t.Fatal(err)
	}
	m.holders[1] = h
}

// TestOneShare: the same request gets the stored bytes again, and no other gets any, before
// and after the holder starts again with a key that it should have erased.
func TestOneShare(t *testing.T) {
	m := newMembers(t, Group{points(3), 2}, 20)
	secret := m.holders[1].Secret()
	s, other := m.sum(t, []int32{1}), m.sum(t, []int32{2})
	first, err := ask(m, s, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, life := range []string{"running", "started again", "and again"} {
		again, err := ask(m, s, 1, 2)
		if err != nil || !bytes.Equal(first, again) {
			t.Errorf("%s: the same request gets other bytes: %v", life, err)
		}
		if _, err := ask(m, s, 1, 3); !errors.Is(err, ErrShared) {
			t.Errorf("%s: another set: %v", life, err)
		}
		if _, err := ask(m, other, 1, 2); !errors.Is(err, ErrShared) {
			t.Errorf("%s: another sum: %v", life, err)
		}
		if reload(t, m, secret); life == "started again" {
			reload(t, m, nil) // erased as it should be
		}
	}
	// What comes back is the journal's, not a calculation: a marked share comes back marked.
	for k, e := range m.journals[1].entries {
		e.Share = bytes.Clone(e.Share)
		e.Share[0] ^= 1
		m.journals[1].entries[k] = e
		if again, err := ask(m, s, 1, 2); err != nil || !bytes.Equal(again, e.Share) {
			t.Errorf("the share was calculated again: %v", err)
		}
	}
	if h := m.holders[2]; h.Secret() == nil {
		t.Error("a holder that has not shared has no key")
	}
}

// TestOneShareUnderAReference makes a second key under the same reference, as with a record
// that was put back: a holder that has shared under the first does not under the second.
func TestOneShareUnderAReference(t *testing.T) {
	first, second := newMembers(t, Group{points(3), 2}, 23), newMembers(t, Group{points(2), 2}, 23)
	second.journals = first.journals
	if first.key.Digest() == second.key.Digest() {
		t.Fatal("the keys are one")
	}
	if _, err := ask(first, first.sum(t, []int32{1}), 1, 2); err != nil {
		t.Fatal(err)
	}
	if b, err := ask(second, second.sum(t, []int32{1}), 1, 2); !errors.Is(err, ErrShared) || b != nil {
		t.Errorf("a second key is opened: %v", err)
	}
	other := newMembers(t, Group{points(2), 2}, 24) // another reference is another matter
	other.journals = first.journals
	if _, err := ask(other, other.sum(t, []int32{1}), 1, 2); err != nil {
		t.Errorf("another reference: %v", err)
	}
}

// TestKeyIsErased: after its share a holder has no key left.
func TestKeyIsErased(t *testing.T) {
	m := newMembers(t, Group{points(2), 2}, 21)
	s := m.sum(t, []int32{1})
	if _, err := ask(m, s, 1, 2); err != nil {
		t.Fatal(err)
	}
	h := m.holders[1]
	if h.Secret() != nil {
		t.Error("the key is still there")
	}
	if err := h.Add(m.dealings[0].Share(1)); !errors.Is(err, ErrOrder) {
		t.Errorf("a spent holder takes a share: %v", err)
	}
	m.journals[1].entries = map[[32]byte]Entry{} // even with a journal that forgot
	if _, err := ask(m, s, 1, 2); !errors.Is(err, ErrLost) {
		t.Errorf("a spent holder shares: %v", err)
	}
}

// crash makes a journal fail at the n-th call of Record, before or after it is stored.
type crash struct {
	*memory
	calls, at int
	after     bool
}

func (c *crash) Record(e Entry) (Entry, error) {
	c.calls++
	if c.calls != c.at {
		return c.memory.Record(e)
	}
	if c.after {
		if _, err := c.memory.Record(e); err != nil {
			return Entry{}, err
		}
	}
	return Entry{}, errDisk
}

// TestCrashes stops a holder at each write of its journal, before and after it reached the
// disk. Afterwards there is the one share, or none for good.
func TestCrashes(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    int
		after bool
		want  error // of the same request afterwards
	}{
		{"before the note", 1, false, nil},
		{"after the note", 1, true, ErrLost},
		{"before the share is kept", 2, false, ErrLost},
		{"after the share is kept, before it is sent", 2, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMembers(t, Group{points(3), 2}, 22)
			secret := m.holders[1].Secret()
			s := m.sum(t, []int32{1})
			broken := &crash{memory: m.journals[1], at: c.at, after: c.after}
			share, err := m.holders[1].Share(s.Masks(), []uint8{1, 2}, broken, rand.Reader)
			if !errors.Is(err, errDisk) || share != nil {
				t.Fatalf("the crash gave a share, or the error %v", err)
			}
			reload(t, m, secret)
			if c.at == 2 || c.after {
				if _, err := ask(m, s, 1, 3); !errors.Is(err, ErrShared) {
					t.Errorf("another set after the crash: %v", err)
				}
			}
			first, err := ask(m, s, 1, 2)
			if !errors.Is(err, c.want) {
				t.Fatalf("after the crash: %v, not %v", err, c.want)
			}
			if again, err := ask(m, s, 1, 2); !errors.Is(err, c.want) || !bytes.Equal(first, again) {
				t.Errorf("and once more: %v", err)
			}
		})
	}
}

// TestRestore puts an older journal back, with the key from before: it lacks the note of a
// share that was sent. The new life alone makes the holder refuse.
func TestRestore(t *testing.T) {
	m := newMembers(t, Group{points(3), 2}, 23)
	secret, copied := m.holders[1].Secret(), maps.Clone(m.journals[1].entries)
	old := m.journals[1].life
	s := m.sum(t, []int32{1})
	if _, err := ask(m, s, 1, 2); err != nil {
		t.Fatal(err)
	}
	m.journals[1] = &memory{life: Life{2}, entries: copied}
	h, err := m.params.LoadHolder(m.group, 1, old, secret)
	if err != nil {
		t.Fatal(err)
	}
	m.holders[1] = h
	for _, active := range [][]uint8{{1, 2}, {1, 3}} {
		if _, err := ask(m, s, active...); !errors.Is(err, ErrRestored) {
			t.Errorf("a restored holder shares: %v", err)
		}
	}
	if len(m.journals[1].entries) > 0 {
		t.Error("the refusal left a note")
	}
}

// TestTwoProcesses has the same key in two hands: the journal lets one of them compute.
func TestTwoProcesses(t *testing.T) {
	m := newMembers(t, Group{points(3), 2}, 24)
	twin, err := m.params.LoadHolder(m.group, 1, m.journals[1].life, m.holders[1].Secret())
	if err != nil {
		t.Fatal(err)
	}
	s := m.sum(t, []int32{1})
	var inner error
	var got []byte
	// The twin asks between the first one's note and its share.
	between := hooked{m.journals[1], func() { got, inner = twin.Share(s.Masks(), []uint8{1, 2}, m.journals[1], rand.Reader) }}
	if _, err := m.holders[1].Share(s.Masks(), []uint8{1, 2}, &between, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(inner, ErrLost) || got != nil {
		t.Errorf("two shares were computed: %v", inner)
	}
}

// hooked runs something after the first Record.
type hooked struct {
	*memory
	then func()
}

func (h *hooked) Record(e Entry) (Entry, error) {
	out, err := h.memory.Record(e)
	if h.then != nil {
		then := h.then
		h.then = nil
		then()
	}
	return out, err
}

// TestJournalsThatLie: a share is returned only if the journal says that it keeps that one.
func TestJournalsThatLie(t *testing.T) {
	for name, lie := range map[string]func(Entry) Entry{
		"another key's entry": func(e Entry) Entry { e.Key[0] ^= 1; return e },
		"a share cut short":   func(e Entry) Entry { e.Share = []byte{1}; return e },
		"never the share":     func(e Entry) Entry { e.Share = nil; return e },
	} {
		m := newMembers(t, Group{points(2), 2}, 25)
		s := m.sum(t, []int32{1})
		if b, err := m.holders[1].Share(s.Masks(), []uint8{1, 2}, liar{m.journals[1], lie}, rand.Reader); err == nil || b != nil {
			t.Errorf("%s: a share of %d bytes", name, len(b))
		}
	}
	m := newMembers(t, Group{points(2), 2}, 25)
	m.journals[1].err = errDisk
	if b, err := ask(m, m.sum(t, []int32{1}), 1, 2); !errors.Is(err, errDisk) || b != nil {
		t.Errorf("a share without a note: %v", err)
	}
}

type liar struct {
	*memory
	lie func(Entry) Entry
}

func (l liar) Record(e Entry) (Entry, error) {
	out, err := l.memory.Record(e)
	return l.lie(out), err
}

// TestNoRandomness: a source that fails gives no share.
func TestNoRandomness(t *testing.T) {
	m := newMembers(t, Group{points(2), 2}, 26)
	s := m.sum(t, []int32{1})
	if b, err := m.holders[1].Share(s.Masks(), []uint8{1, 2}, m.journals[1], iotest.ErrReader(errDisk)); !errors.Is(err, errDisk) || b != nil {
		t.Errorf("%v", err)
	}
	if _, err := ask(m, s, 1, 2); err != nil {
		t.Errorf("nothing was noted, yet: %v", err)
	}
}
