package ordering

import (
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// samples are entries with all that an entry can have.
func samples() []raft.Log {
	return []raft.Log{
		{Index: 1, Term: 1, Data: []byte("first"), Extensions: []byte{}},
		{Index: 2, Term: 1, Type: raft.LogNoop, Data: []byte{}, Extensions: []byte{}},
		{Index: 3, Term: 7, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(servers(three)), Extensions: []byte("x")},
		{Index: 4, Term: math.MaxUint64, Type: raft.LogBarrier, Data: []byte{0}, Extensions: []byte{}, AppendedAt: time.Unix(1, 2).UTC()},
	}
}

func openStore(t testing.TB, path string) *Store {
	t.Helper()
	s, err := OpenStore(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func newStore(t testing.TB) *Store {
	s := openStore(t, filepath.Join(t.TempDir(), "raft"))
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func storeAll(t testing.TB, s *Store, logs []raft.Log) {
	t.Helper()
	var all []*raft.Log
	for i := range logs {
		all = append(all, &logs[i])
	}
	if err := s.StoreLogs(all); err != nil {
		t.Fatal(err)
	}
}

// holds checks that the store has exactly these entries.
func holds(t testing.TB, s *Store, want []raft.Log) {
	t.Helper()
	first, last := uint64(0), uint64(0)
	if len(want) > 0 {
		first, last = want[0].Index, want[len(want)-1].Index
	}
	if got, err := s.FirstIndex(); err != nil || got != first {
		t.Errorf("first %d, not %d; %v", got, first, err)
	}
	if got, err := s.LastIndex(); err != nil || got != last {
		t.Errorf("last %d, not %d; %v", got, last, err)
	}
	for _, w := range want {
		var got raft.Log
		if err := s.GetLog(w.Index, &got); err != nil || !reflect.DeepEqual(got, w) {
			t.Errorf("entry %d: %+v, %v", w.Index, got, err)
		}
	}
	outside := []uint64{0, last + 1, math.MaxUint64}
	if first > 0 {
		outside = append(outside, first-1)
	}
	for _, index := range outside {
		// Raft compares without unwrapping.
		if err := s.GetLog(index, new(raft.Log)); err != raft.ErrLogNotFound {
			t.Errorf("entry %d: %v", index, err)
		}
	}
}

func TestEmptyStore(t *testing.T) {
	s := newStore(t)
	holds(t, s, nil)
	if !s.IsMonotonic() {
		t.Error("Raft would leave gaps")
	}
	for _, key := range []string{"", "CurrentTerm"} {
		if v, err := s.Get([]byte(key)); key != "" && (v != nil || err != nil) {
			t.Errorf("%q is %x, %v; Raft takes what is not nil for a vote", key, v, err)
		}
		if n, err := s.GetUint64([]byte(key)); n != 0 || err != nil {
			t.Errorf("%q is %d, %v", key, n, err)
		}
	}
	if ok, err := raft.HasExistingState(s, s, raft.NewInmemSnapshotStore()); ok || err != nil {
		t.Errorf("existing state: %v, %v", ok, err)
	}
}

func TestStoreLogs(t *testing.T) {
	s := newStore(t)
	all := samples()
	if err := s.StoreLog(&all[0]); err != nil {
		t.Fatal(err)
	}
	holds(t, s, all[:1])
	storeAll(t, s, all[1:])
	holds(t, s, all)
	storeAll(t, s, nil)
	holds(t, s, all)
}

// TestStoreRefuses: all entries or none, and never a gap.
func TestStoreRefuses(t *testing.T) {
	s := newStore(t)
	all := samples()
	storeAll(t, s, all[:2])
	large := make([]byte, MaxEntry+1)
	for what, logs := range map[string][]*raft.Log{
		"gap":           {{Index: 4}},
		"later gap":     {{Index: 3}, {Index: 5}},
		"rewriting":     {{Index: 2}},
		"index 0":       {{Index: 0}},
		"a large entry": {{Index: 3}, {Index: 4, Data: large}},
	} {
		if err := s.StoreLogs(logs); err == nil {
			t.Errorf("%s was taken", what)
		}
		holds(t, s, all[:2])
	}
	if err := s.StoreLog(&raft.Log{Index: 3, Term: 1, Data: large[:MaxEntry]}); err != nil {
		t.Error(err)
	}
}

func TestDeleteRange(t *testing.T) {
	for _, c := range []struct {
		least, most uint64
		from, to    int // of the samples that are left
		ok          bool
	}{
		{1, 1, 1, 4, true},
		{1, 2, 2, 4, true},
		{0, 2, 2, 4, true},
		{3, 4, 0, 2, true},
		{4, 9, 0, 3, true},
		{1, 4, 0, 0, true},
		{0, math.MaxUint64, 0, 0, true},
		{5, 9, 0, 4, true},
		{3, 2, 0, 4, true},
		{2, 3, 0, 4, false},
	} {
		s := newStore(t)
		storeAll(t, s, samples())
		if err := s.DeleteRange(c.least, c.most); (err == nil) != c.ok {
			t.Errorf("delete %d to %d: %v", c.least, c.most, err)
		}
		left := samples()[c.from:c.to]
		holds(t, s, left)
		if len(left) == 0 { // after a snapshot the log goes on anywhere
			next := raft.Log{Index: 77, Term: 2, Data: []byte{}, Extensions: []byte{}}
			storeAll(t, s, []raft.Log{next})
			holds(t, s, []raft.Log{next})
		}
	}
}

func TestSettings(t *testing.T) {
	s := newStore(t)
	for _, value := range []string{"BR", "", "CH"} {
		if err := s.Set([]byte("LastVoteCand"), []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get([]byte("LastVoteCand")); err != nil || got == nil || string(got) != value {
			t.Errorf("%q became %q, %v", value, got, err)
		}
	}
	for _, n := range []uint64{0, 5, math.MaxUint64} {
		if err := s.SetUint64([]byte("CurrentTerm"), n); err != nil {
			t.Fatal(err)
		}
		if got, err := s.GetUint64([]byte("CurrentTerm")); err != nil || got != n {
			t.Errorf("%d became %d, %v", n, got, err)
		}
	}
	if n, err := s.GetUint64([]byte("LastVoteCand")); err == nil {
		t.Errorf("a name was read as %d", n)
	}
	if err := s.Set(nil, nil); err == nil {
		t.Error("an empty key was taken")
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft")
	s := openStore(t, path)
	storeAll(t, s, samples())
	if err := s.DeleteRange(1, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.SetUint64([]byte("CurrentTerm"), 9); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(path); err == nil {
		t.Error("two hold one store")
	}
	closeStore(t, s)
	if err := s.GetLog(2, new(raft.Log)); err == nil {
		t.Error("a closed store was read")
	}
	s = openStore(t, path)
	holds(t, s, samples()[1:])
	if n, err := s.GetUint64([]byte("CurrentTerm")); n != 9 || err != nil {
		t.Errorf("term %d, %v", n, err)
	}
	closeStore(t, s)
}

// TestLargeStore has pages of every kind: branches, entries over several pages, many free.
func TestLargeStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft")
	s := openStore(t, path)
	var all []raft.Log
	for i := range uint64(6000) {
		all = append(all, raft.Log{Index: i + 1, Term: 1, Data: make([]byte, 100+i%400), Extensions: []byte{}})
	}
	all[5000].Data = make([]byte, MaxEntry)
	storeAll(t, s, all[:3000])
	storeAll(t, s, all[3000:])
	for _, left := range [][]raft.Log{all, all[4000:], all[4000:5500], all[5490:5500], nil} {
		if len(left) > 0 {
			if err := s.DeleteRange(left[len(left)-1].Index+1, math.MaxUint64); err != nil {
				t.Fatal(err)
			}
			if err := s.DeleteRange(0, left[0].Index-1); err != nil {
				t.Fatal(err)
			}
		} else if err := s.DeleteRange(0, math.MaxUint64); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		s = openStore(t, path)
		holds(t, s, left)
	}
	closeStore(t, s)
}

// TestRaftKeepsItsState: a member that restarts knows its term and its log.
func TestRaftKeepsItsState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft")
	s := openStore(t, path)
	net := newNetwork()
	n := start(t, "AU", []string{"AU"}, net.add(t, "AU", among("AU"), Options{}), s, s, 50*time.Millisecond)
	for !<-n.raft.LeaderCh() {
	}
	for range 3 {
		if err := n.raft.Apply([]byte("entry"), time.Minute).Error(); err != nil {
			t.Fatal(err)
		}
	}
	last, term := n.raft.LastIndex(), n.raft.Stats()["term"]
	if err := n.raft.Shutdown().Error(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openStore(t, path)
	defer closeStore(t, s)
	if got, err := s.LastIndex(); err != nil || got != last {
		t.Errorf("log ends at %d, not %d; %v", got, last, err)
	}
	if got, err := s.GetUint64([]byte("CurrentTerm")); err != nil || got == 0 || term == "0" {
		t.Errorf("term %d, was %s; %v", got, term, err)
	}
	if got, err := s.Get([]byte("LastVoteCand")); err != nil || !strings.Contains(string(got), "AU") {
		t.Errorf("vote %q, %v", got, err)
	}
}

func TestErrorsNameTheStore(t *testing.T) {
	s := newStore(t)
	err := s.StoreLog(&raft.Log{Index: 0})
	if err == nil || !strings.Contains(err.Error(), s.path) || errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}
