package ordering

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/raft"
)

// torn is what a crash during one transaction may leave of the file: its pages are written
// before its first sync, in no order and by sectors; one of the two head pages after that.
func torn(r *rand.Rand, before, after []byte, page int) []byte {
	const sector = 512
	out := append(slices.Clone(before), make([]byte, max(0, len(after)-len(before)))...)
	share := r.Float64()
	for at := 2 * page; at < len(after); at += sector {
		if r.Float64() < share {
			copy(out[at:min(at+sector, len(out))], after[at:])
		}
	}
	if r.IntN(2) == 0 {
		copy(out[2*page:], after[2*page:])
		for i := range 2 { // a head page's content lies in its first 80 bytes
			at := i * page
			copy(out[at:at+r.IntN(160)], after[at:])
		}
	}
	return out
}

// What Raft relies on after a crash: the log, the term and the vote of the last call that
// returned, and of the one under way all or nothing.
func TestTornWrites(t *testing.T) {
	type content struct {
		logs uint64 // the last of them
		term uint64
		vote string
	}
	read := func(s *Store) (c content) {
		t.Helper()
		var err error
		if c.logs, err = s.LastIndex(); err == nil {
			c.term, err = s.GetUint64([]byte("CurrentTerm"))
		}
		if err != nil {
			t.Error(err)
		}
		b, err := s.Get([]byte("LastVoteCand"))
		if err != nil {
			t.Error(err)
		}
		c.vote = string(b)
		return c
	}
	path := filepath.Join(t.TempDir(), "raft")
	s := openStore(t, path)
	defer func() { closeStore(t, s) }()
	if s.db.NoSync || s.db.NoGrowSync {
		t.Fatal("nothing is synced: what follows shows nothing")
	}
	page := s.db.Info().PageSize
	image := func() []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	r := rand.New(rand.NewPCG(2, 9))
	before, known := image(), read(s)
	crashes, lost := 0, 0
	for step := range uint64(60) {
		now := known
		var err error
		switch data := make([]byte, r.IntN(9000)); r.IntN(5) {
		case 0:
			now.term++
			err = s.SetUint64([]byte("CurrentTerm"), now.term)
		case 1:
			now.vote = string(rune('A' + step%26))
			err = s.Set([]byte("LastVoteCand"), []byte(now.vote))
		case 2: // a conflicting suffix is cut, or an old part
			if now.logs > 4 {
				err = s.DeleteRange(now.logs-1, now.logs)
				now.logs -= 2
			}
		default:
			err = s.StoreLogs([]*raft.Log{{Index: now.logs + 1, Data: data}, {Index: now.logs + 2, Data: data}})
			now.logs += 2
		}
		if err != nil || read(s) != now {
			t.Fatalf("step %d: %+v, not %+v; %v", step, read(s), now, err)
		}
		after := image()
		for range 4 {
			again := filepath.Join(t.TempDir(), "raft")
			if err := os.WriteFile(again, torn(r, before, after, page), 0o600); err != nil {
				t.Fatal(err)
			}
			opened, err := OpenStore(again)
			if err != nil {
				t.Errorf("step %d: %v", step, err)
				continue
			}
			switch got := read(opened); got {
			case known:
				lost++
			case now:
			default:
				t.Errorf("step %d: %+v came back, not %+v or %+v", step, got, known, now)
			}
			crashes++
			closeStore(t, opened)
		}
		before, known = after, now
	}
	if lost == 0 || lost == crashes {
		t.Errorf("of %d crashes %d took back what was being written: the test shows nothing", crashes, lost)
	}
}
