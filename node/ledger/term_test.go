package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/recovery"
	"entente/protocol/replay"
)

// ordered is a tree as an attacker can make one: entries in some order, in some term.
type ordered struct {
	terms   []recovery.Opening
	entries [][]byte
}

func (l ordered) origin(w *writers) checkpoint.Origin {
	if n := len(l.terms); n > 0 {
		return l.terms[n-1].Origin()
	}
	return checkpoint.Origin{Federation: w.genesis.Digest(), Term: 1}
}

func (l ordered) checkpoint(w *writers) checkpoint.Checkpoint {
	var tree checkpoint.Peaks
	for _, b := range l.entries {
		tree.Add(checkpoint.Leaf(b))
	}
	return checkpoint.Checkpoint{Origin: l.origin(w), Size: tree.Size(), Root: tree.Root()}
}

// offered is a tree that all sequencers have signed, and who has cosigned it.
type offered struct {
	ordered
	signed checkpoint.Signed
}

// intrigue is a federation of four whose sequencers sign whatever is asked of them, whose
// member M00 cosigns and pledges whatever is asked of it, and in which anybody calls for
// terms and opens them with whatever pledges there are. M01 to M03 keep the rules.
type intrigue struct {
	t       *testing.T
	r       *rand.Rand
	w       *writers
	common  [][]byte
	own     [2][][]byte // entries of two authors, in their order
	honest  map[int]*Mirror
	offers  []*offered
	calls   []recovery.Call
	stances map[[32]byte][]recovery.Stance
	opened  []ordered // a tree at the base of each term that was opened
	entered int       // of honest members
	later   int       // trees of later terms that are final
}

func newIntrigue(t *testing.T, seed uint64) *intrigue {
	w := federation(t, 4, 4)
	x := &intrigue{t: t, r: rand.New(rand.NewPCG(seed, 1)), w: w, common: w.begin(), honest: map[int]*Mirror{}, stances: map[[32]byte][]recovery.Stance{}}
	for i := range 3 {
		x.own[0] = append(x.own[0], w.sealed(0, byte(i)))
		x.own[1] = append(x.own[1], w.sealed(1, byte(i)))
	}
	for i := 1; i < 4; i++ {
		m := w.mirror()
		m.db.NoSync = true // nobody crashes here
		x.honest[i] = m
	}
	x.offers = append(x.offers, x.sequenced(ordered{entries: x.common}))
	return x
}

// sequenced is a tree with the signatures of all sequencers, and M00's as cosigner.
func (x *intrigue) sequenced(l ordered) *offered {
	c := l.checkpoint(x.w)
	o := &offered{ordered: l, signed: checkpoint.Signed{Text: c.Text()}}
	for i := range 4 {
		o.signed.Signatures = append(o.signed.Signatures, checkpoint.Sign(c, name(i), checkpoint.Sequencer, x.w.keys[i], x.w.now))
	}
	o.signed.Signatures = append(o.signed.Signatures, checkpoint.Sign(c, name(0), checkpoint.Cosigner, x.w.keys[0], x.w.now))
	return o
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// extend makes another tree, from one that there is.
func (x *intrigue) extend() {
	var from ordered
	if len(x.opened) > 0 && x.r.IntN(2) == 0 {
		from = pick(x.r, x.opened)
	} else {
		from = pick(x.r, x.offers).ordered
	}
	next := ordered{terms: from.terms, entries: slices.Clone(from.entries)}
	for range x.r.IntN(2) + 1 {
		var can [][]byte
		for _, list := range x.own {
			for _, b := range list {
				if !slices.ContainsFunc(next.entries, func(o []byte) bool { return bytes.Equal(o, b) }) {
					can = append(can, b)
					break
				}
			}
		}
		if len(can) == 0 {
			break
		}
		next.entries = append(next.entries, pick(x.r, can))
	}
	x.offers = append(x.offers, x.sequenced(next))
}

// offer has an honest member cosign, if it does.
func (x *intrigue) offer() {
	o := x.offers[max(0, len(x.offers)-1-x.r.IntN(4))]
	for i, m := range x.honest {
		if x.r.IntN(4) == 0 {
			continue
		}
		var size uint64
		must(x.t, m.State(func(s *replay.State) { size = s.Size() }))
		if n := uint64(len(o.entries)); n > size {
			if err := m.Extend(o.signed, o.entries[size:]); err != nil {
				continue
			}
		}
		if s, err := x.w.signer(m, i).Cosign(o.signed); err == nil && !slices.ContainsFunc(o.signed.Signatures, func(other checkpoint.Signature) bool {
			return other.Member == s.Member && other.Role == s.Role
		}) {
			o.signed.Signatures = append(o.signed.Signatures, s)
		}
	}
	x.show(o)
}

// show tells some honest members what is final.
func (x *intrigue) show(o *offered) {
	for _, m := range x.honest {
		if x.r.IntN(3) == 0 {
			if err := m.Finalise(o.signed); err == nil && len(o.terms) > 0 {
				x.later++
			}
		}
	}
}

// call has somebody call, and others pledge.
func (x *intrigue) call() {
	d := x.w.genesis.Digest()
	c := recovery.Call{Federation: d[:], Term: 2 + x.r.Uint64N(3), Member: name(x.r.IntN(4)), Sequencers: x.w.genesis.Sequencers}
	if n := len(x.calls); n > 0 && x.r.IntN(3) > 0 {
		c = pick(x.r, x.calls)
	} else {
		x.calls = append(x.calls, c)
	}
	id := c.Digest()
	for i, m := range x.honest {
		if x.r.IntN(3) == 0 {
			continue
		}
		if s, err := x.w.signer(m, i).Pledge(c); err == nil {
			x.stances[id] = append(x.stances[id], s)
		}
	}
	any := pick(x.r, x.offers)
	p, err := recovery.NewPledge(c, name(0), any.signed.Text, x.w.keys[0])
	must(x.t, err)
	x.stances[id] = append(x.stances[id], recovery.Stance{Pledges: []recovery.Pledge{p}, Checkpoints: []checkpoint.Signed{any.signed}})
}

// open opens a term with some of the pledges, and some tree that one of them names.
func (x *intrigue) open() {
	if len(x.calls) == 0 {
		return
	}
	c := pick(x.r, x.calls)
	some := map[string]recovery.Stance{}
	for _, s := range x.stances[c.Digest()] {
		if x.r.IntN(5) > 0 {
			some[s.Pledges[0].Member] = s
		}
	}
	if len(some) < 3 {
		return
	}
	var pledges []recovery.Pledge
	var trees []*offered
	for i := range 4 {
		s, ok := some[name(i)]
		if !ok {
			continue
		}
		pledges = append(pledges, s.Pledges[0])
		for _, o := range x.offers {
			if bytes.Equal(o.signed.Text, s.Pledges[0].Text) {
				trees = append(trees, o)
			}
		}
	}
	if len(trees) == 0 {
		return
	}
	// Mostly the right one, so that something comes of it.
	base := slices.MaxFunc(trees, func(a, b *offered) int {
		ca, cb := a.checkpoint(x.w), b.checkpoint(x.w)
		if o := ca.Origin.Compare(cb.Origin); o != 0 {
			return o
		}
		return int(ca.Size) - int(cb.Size)
	})
	if x.r.IntN(4) == 0 {
		base = pick(x.r, trees)
	}
	by, err := strconv.Atoi(c.Member[1:])
	must(x.t, err)
	signed := base.signed
	signed.Signatures = signed.Signatures[:4]
	o, err := recovery.Open(c, signed, pledges, x.w.keys[by])
	must(x.t, err)
	x.opened = append(x.opened, ordered{terms: append(slices.Clone(base.terms), o), entries: base.entries})
}

// enter has honest members enter a term that was opened, if they do.
func (x *intrigue) enter() {
	if len(x.opened) == 0 {
		return
	}
	l := pick(x.r, x.opened)
	for _, m := range x.honest {
		if x.r.IntN(4) == 0 {
			continue
		}
		own := m.Terms()
		parent := 0
		for parent < len(l.terms)-1 && parent < len(own) && own[parent].Origin() == l.terms[parent].Origin() {
			parent++
		}
		final, err := m.LastFinal()
		must(x.t, err)
		if int(final.Size) > len(l.entries) {
			continue
		}
		if err := m.Enter(x.t.Context(), parent+1, l.terms[parent:], l.entries[final.Size:]); err == nil {
			x.entered++
		}
	}
}

// conflict says which two trees are final and not one, if any.
func (x *intrigue) conflict() string {
	var final []*offered
	for _, o := range x.offers {
		n := 0
		for _, s := range o.signed.Signatures {
			if s.Role == checkpoint.Cosigner {
				n++
			}
		}
		if n >= 3 {
			final = append(final, o)
		}
	}
	for i, a := range final {
		for _, b := range final[:i] {
			n := min(len(a.entries), len(b.entries))
			if !slices.EqualFunc(a.entries[:n], b.entries[:n], bytes.Equal) {
				return fmt.Sprintf("%s of %d entries and %s of %d", a.origin(x.w), len(a.entries), b.origin(x.w), len(b.entries))
			}
		}
	}
	return ""
}

// Whatever all sequencers, one member of four, and whoever calls for terms do: no two trees
// that conflict are ever final, in one term or in two.
func TestTermsKeepWhatIsFinal(t *testing.T) {
	seeds, entered, later := uint64(40), 0, 0
	if s := os.Getenv("ENTENTE_SEEDS"); s != "" {
		n, err := strconv.ParseUint(s, 10, 32)
		must(t, err)
		seeds = n
	}
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		x := newIntrigue(t, seed)
		x.offer()
		for range 60 {
			switch x.r.IntN(8) {
			case 0, 1:
				x.extend()
			case 2, 3, 4:
				x.offer()
			case 5:
				x.call()
			case 6:
				x.open()
			case 7:
				x.enter()
			}
			if s := x.conflict(); s != "" {
				t.Fatalf("seed %d: two trees are final: %s", seed, s)
			}
		}
		entered, later = entered+x.entered, later+x.later
	}
	if !testing.Short() && (entered < int(seeds) || later == 0) {
		t.Errorf("terms were entered %d times, and %d of their trees shown as final: the test shows nothing", entered, later)
	}
}

// An honest member pledges, loses its store, and names a new key, which becomes final. With
// its old pledge a term could begin without what the new key made final.
func TestPledgeOfALostStore(t *testing.T) {
	w := federation(t, 4, 4) // M00 attacks, M03 loses its store
	common := w.begin()
	fresh, err := sign.NewCosigningKey(bytes.Repeat([]byte{40}, sign.CosigningSeedSize))
	must(t, err)
	d := w.genesis.Digest()
	call := recovery.Call{Federation: d[:], Term: 2, Member: name(0), Sequencers: w.genesis.Sequencers}
	lost := w.mirror(common...)
	old, err := w.signer(lost, 3).Pledge(call)
	must(t, err)
	named, err := entry.NewKeyState(w.heads[3], name(3), fresh)
	must(t, err)
	entries := append(slices.Clone(common), w.entry(3, entry.CosigningKey, named))
	boundary := uint64(len(entries))
	m1, m2 := w.mirror(entries...), w.mirror(entries...)
	k := w.signed(m1, boundary, []int{0, 1, 2}, []int{0})
	for i, m := range map[int]*Mirror{1: m1, 2: m2} {
		s, err := w.signer(m, i).Cosign(k)
		must(t, err)
		k.Signatures = append(k.Signatures, s)
	}
	must(t, m1.Finalise(k))
	// M02 has cosigned it, does not know that it is final, and pledges.
	stance, err := w.signer(m2, 2).Pledge(call)
	must(t, err)
	attacker, err := recovery.NewPledge(call, name(0), k.Text, w.keys[0])
	must(t, err)
	base := k
	base.Signatures = base.Signatures[:3]
	pledges := []recovery.Pledge{attacker, stance.Pledges[0], old.Pledges[0]}
	o, err := recovery.Open(call, base, pledges, w.keys[0])
	must(t, err)
	err = m2.Enter(t.Context(), 1, []recovery.Opening{o}, entries)
	if err == nil {
		t.Fatal("the term has begun with the pledge under the key that is replaced")
	}
	// So M00, M01 and M03 with its new key can make more final, and nothing conflicts.
	if o, err = recovery.Open(call, base, pledges[:2], w.keys[0]); err != nil {
		t.Fatal(err)
	}
	if err := m2.Enter(t.Context(), 1, []recovery.Opening{o}, entries); err == nil {
		t.Error("the term has begun with two pledges")
	}
}

// A mirror that is closed in a later term opens in it, with what it had signed and pledged.
func TestMirrorKeepsTerms(t *testing.T) {
	w := federation(t, 4, 4)
	common := w.begin()
	file := filepath.Join(t.TempDir(), "ledger")
	m := w.open(file)
	size := uint64(len(common))
	shadow := w.mirror(common...)
	signed := w.signed(shadow, size, []int{0, 1, 2}, []int{0, 1, 2})
	must(t, m.Extend(signed, common))
	must(t, m.Finalise(signed))
	x, y := w.sealed(1, 1), w.sealed(2, 2)
	_, err := shadow.Append(x, y)
	must(t, err)
	must(t, m.Extend(w.signed(shadow, size+1, []int{0, 1, 2}, nil), [][]byte{x}))
	must(t, m.Extend(w.signed(shadow, size+2, []int{0, 1, 2}, nil), [][]byte{y}))
	_, err = w.signer(m, 3).Cosign(w.signed(shadow, size+1, []int{0, 1, 2}, nil))
	must(t, err)

	d := w.genesis.Digest()
	call := recovery.Call{Federation: d[:], Term: 2, Member: name(1), Sequencers: w.genesis.Sequencers}
	own, err := w.signer(m, 3).Pledge(call)
	must(t, err)
	if _, err := w.signer(m, 3).Cosign(w.signed(shadow, size+2, []int{0, 1, 2}, nil)); !errors.Is(err, ErrPledged) {
		t.Errorf("after a pledge it cosigned: %v", err)
	}
	if _, _, err := w.signer(m, 3).Sequence(size + 2); !errors.Is(err, ErrPledged) {
		t.Errorf("after a pledge it signed as sequencer: %v", err)
	}
	var pledges []recovery.Pledge
	for _, i := range []int{1, 2} {
		p, err := recovery.NewPledge(call, name(i), signed.Text, w.keys[i])
		must(t, err)
		pledges = append(pledges, p)
	}
	pledges = append(pledges, own.Pledges[0])
	o, err := recovery.Open(call, own.Checkpoints[0], pledges, w.keys[1])
	must(t, err)
	other := call
	other.Member = name(0) // earlier
	if _, err := w.signer(m, 3).Pledge(other); !errors.Is(err, ErrPledged) {
		t.Errorf("it pledged for an earlier call: %v", err)
	}
	for what, entries := range map[string][][]byte{"another entry": {y}, "none": nil, "one too many": {x, y}} {
		if err := m.Enter(t.Context(), 1, []recovery.Opening{o}, entries); err == nil {
			t.Errorf("%s: the term was entered", what)
		}
	}
	before, err := m.Checkpoint(size + 2)
	must(t, err)
	if before.Origin.Term != 1 {
		t.Fatalf("what was refused has left %s", before.Origin)
	}
	must(t, m.Enter(t.Context(), 1, []recovery.Opening{o}, [][]byte{x}))
	for range 2 { // and after it is opened again
		c, err := m.Checkpoint(size + 1)
		if err != nil || c.Origin != o.Origin() || m.Term() != o.Origin() || len(m.Terms()) != 1 {
			t.Fatalf("%s, %v", c.Origin, err)
		}
		if _, err := m.Checkpoint(size + 2); !errors.Is(err, ErrNotHeld) {
			t.Errorf("it holds still what the term does not: %v", err)
		}
		if err := m.Enter(t.Context(), 1, []recovery.Opening{o}, [][]byte{x}); !errors.Is(err, ErrTerm) {
			t.Errorf("the term was entered again: %v", err)
		}
		if _, err := w.signer(m, 3).Pledge(call); !errors.Is(err, ErrTerm) {
			t.Errorf("it pledged for a term in which it is: %v", err)
		}
		old := w.signed(shadow, size+1, []int{0, 1, 2}, nil)
		if _, err := w.signer(m, 3).Cosign(old); !errors.Is(err, ErrTerm) {
			t.Errorf("it cosigned in the old term: %v", err)
		}
		if n := m.Sequencers(); !slices.Equal(n, call.Sequencers) {
			t.Errorf("sequencers %v", n)
		}
		must(t, m.Close())
		m = w.open(file)
	}
	defer m.Close()
	w.now = w.now.Add(time.Second)
	c, err := m.Checkpoint(size + 1)
	must(t, err)
	again := checkpoint.Signed{Text: c.Text()}
	for i := range 3 {
		again.Signatures = append(again.Signatures, checkpoint.Sign(c, name(i), checkpoint.Sequencer, w.keys[i], w.now))
	}
	s, err := w.signer(m, 3).Cosign(again)
	must(t, err)
	again.Signatures = append(again.Signatures, s)
	for i := range 2 {
		again.Signatures = append(again.Signatures, checkpoint.Sign(c, name(i), checkpoint.Cosigner, w.keys[i], w.now))
	}
	must(t, m.Finalise(again))
	if last, err := m.LastFinal(); err != nil || last != c {
		t.Errorf("%v, %v", last, err)
	}
	// A term that begins without it can only be opened by more attackers than there may be.
	call.Term = 3
	pledges = nil
	for i := range 3 {
		p, err := recovery.NewPledge(call, name(i), own.Checkpoints[0].Text, w.keys[i])
		must(t, err)
		pledges = append(pledges, p)
	}
	o, err = recovery.Open(call, own.Checkpoints[0], pledges, w.keys[1])
	must(t, err)
	if err := m.Enter(t.Context(), 1, []recovery.Opening{o}, nil); !errors.Is(err, ErrFinal) {
		t.Errorf("what was final in the second term is gone: %v", err)
	}
}
