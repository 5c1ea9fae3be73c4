package ledger

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/recovery"
	"entente/protocol/wire"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// torn is what a crash during one transaction may leave of bbolt's file. The transaction's
// pages are written before its first sync, in no order and by sectors; between that and the
// second, one of the two head pages, which come first in the file.
func torn(r *rand.Rand, before, after []byte, page int) []byte {
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

// memory is what a mirror's file must hold after a step.
type memory struct {
	held, final, ordered uint64
	signed               [2]checkpoint.Checkpoint // as sequencer, as cosigner
	term                 checkpoint.Origin
	pledged              uint64 // for which term
}

func remember(t *testing.T, m *Mirror, s *Signer) (out memory) {
	t.Helper()
	c, err := m.LastFinal()
	must(t, err)
	st, err := newTail(m)
	must(t, err)
	out.held, _ = st.end()
	out.final, out.ordered = c.Size, st.log
	for i, role := range []checkpoint.Role{checkpoint.Sequencer, checkpoint.Cosigner} {
		out.signed[i], err = s.last(role)
		must(t, err)
	}
	call, _, err := m.Pledged()
	must(t, err)
	out.term, out.pledged = m.Term(), call.Term
	return out
}

// Whatever a crash leaves of a write, the mirror opens with all that came before it: with what
// the node had signed when it let a signature go. Of the write itself all is there, or nothing.
func TestTornWrites(t *testing.T) {
	w := federation(t, 4, 4)
	begin := w.begin()
	reference := w.mirror(begin...)
	n := uint64(len(begin))
	dir := t.TempDir()
	file := filepath.Join(dir, "ledger")
	m := w.open(file)
	defer func() { must(t, m.Close()) }()
	if m.db.NoSync || m.db.NoGrowSync {
		t.Fatal("nothing is synced: what follows shows nothing")
	}
	page, signer := m.db.Info().PageSize, w.signer(m, 3)
	tail, err := newTail(m)
	must(t, err)
	image := func() []byte {
		b, err := os.ReadFile(file)
		must(t, err)
		return b
	}
	r := rand.New(rand.NewPCG(1, 9))
	before, known := image(), remember(t, m, signer)
	crashes, lost := 0, 0
	step := func(what string, do func() memory) {
		t.Helper()
		now := do()
		if got := remember(t, m, signer); got != now {
			t.Fatalf("%s: the mirror holds %+v, not %+v", what, got, now)
		}
		after := image()
		for i := range 8 {
			again := filepath.Join(dir, "again")
			must(t, os.WriteFile(again, torn(r, before, after, page), 0o600))
			opened, err := OpenMirror(t.Context(), again, w.genesis)
			if err != nil {
				t.Errorf("%s, crash %d: %v", what, i, err)
				continue
			}
			switch got := remember(t, opened, w.signer(opened, 3)); got {
			case known:
				lost++
			case now:
			default:
				t.Errorf("%s, crash %d: %+v came back, not %+v or %+v", what, i, got, known, now)
			}
			crashes++
			must(t, opened.Close())
			must(t, os.Remove(again))
		}
		before, known = after, now
	}
	index := uint64(0)
	order := func(from uint64, entries ...[]byte) {
		b, err := wire.Marshal(command{From: from, Entries: entries})
		must(t, err)
		index++
		must(t, tail.apply(index, b))
	}
	now := known
	for round := range 4 {
		size := n + uint64(round)
		if round == 0 {
			order(0, begin...)
		} else {
			e := w.sealed(round%4, byte(round))
			_, err := reference.Append(e)
			must(t, err)
			order(size-1, e)
		}
		step("sequence", func() memory {
			c, _, err := tail.sign(signer, size)
			must(t, err)
			now.signed[0] = c
			return now
		})
		sequenced := w.signed(reference, size, []int{0, 1, 2}, nil)
		step("extend", func() memory {
			must(t, tail.settle(sequenced, size, nil))
			now.held, now.ordered = size, size
			return now
		})
		step("cosign", func() memory {
			_, err := signer.Cosign(sequenced)
			must(t, err)
			now.signed[1] = now.signed[0]
			return now
		})
		step("finalise", func() memory {
			must(t, m.Finalise(w.signed(reference, size, []int{0, 1, 2}, []int{0, 1, 3})))
			now.final = size
			return now
		})
	}
	d := w.genesis.Digest()
	call := recovery.Call{Federation: d[:], Term: 2, Member: name(1), Sequencers: w.genesis.Sequencers}
	var stance recovery.Stance
	step("pledge", func() memory {
		stance, err = signer.Pledge(call)
		must(t, err)
		now.pledged = 2
		return now
	})
	pledges := stance.Pledges
	for _, i := range []int{2, 1} {
		p, err := recovery.NewPledge(call, name(i), stance.Checkpoints[0].Text, w.keys[i])
		must(t, err)
		pledges = slices.Insert(pledges, 0, p)
	}
	o, err := recovery.Open(call, stance.Checkpoints[0], pledges, w.keys[1])
	must(t, err)
	step("enter", func() memory {
		must(t, m.Enter(t.Context(), 1, []recovery.Opening{o}, nil))
		now.term, now.pledged = o.Origin(), 0 // it is in that term
		return now
	})
	if lost == 0 || lost == crashes {
		t.Errorf("of %d crashes %d took back what was being written: the test shows nothing", crashes, lost)
	}
}

// A crash while the file is made, before anything is in it, leaves an empty mirror or one that
// does not open; then it is moved away, and comes back from the others.
func TestCrashWhileTheMirrorIsMade(t *testing.T) {
	w := federation(t, 4, 4)
	whole := filepath.Join(t.TempDir(), "ledger")
	db, err := bbolt.Open(whole, 0o600, nil)
	must(t, err)
	page := db.Info().PageSize
	must(t, db.Close())
	b, err := os.ReadFile(whole)
	must(t, err)
	for pages := range 1 << (len(b) / page) { // that were written
		cut := make([]byte, len(b))
		for i := range len(b) / page {
			if pages>>i&1 == 1 {
				copy(cut[i*page:(i+1)*page], b[i*page:])
			}
		}
		file := filepath.Join(t.TempDir(), "ledger")
		must(t, os.WriteFile(file, cut, 0o600))
		m, err := OpenMirror(t.Context(), file, w.genesis)
		if err != nil {
			continue
		}
		if got := remember(t, m, w.signer(m, 0)); got != (memory{term: got.term}) {
			t.Errorf("pages %04b: %+v", pages, got)
		}
		must(t, m.Close())
	}
}
