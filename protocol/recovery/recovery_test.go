package recovery

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/roster"
	"entente/protocol/vectors"
	"entente/protocol/vectors/memory"
	"entente/protocol/wire"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var federation = [32]byte{0xfe, 0xd1}

func id(i int) string { return fmt.Sprintf("M%02d", i) }

func key(t testing.TB, i int) *sign.CosigningKey {
	t.Helper()
	k, err := sign.NewCosigningKey(bytes.Repeat([]byte{byte(i + 1)}, sign.CosigningSeedSize))
	must(t, err)
	return k
}

// ledger is what a reader holds: the tree's roots by size, in two terms.
type ledger struct {
	t     testing.TB
	n     int
	roots []checkpoint.Hash
}

func first() checkpoint.Origin { return checkpoint.Origin{Federation: federation, Term: 1} }
func second() checkpoint.Origin {
	return checkpoint.Origin{Federation: federation, Term: 2, Caller: id(1), Opening: [32]byte{2}}
}

func newLedger(t testing.TB, n int) *ledger {
	l := &ledger{t: t, n: n}
	for i := range 10 {
		l.roots = append(l.roots, checkpoint.Hash{byte(i)})
	}
	return l
}

func (l *ledger) view(o checkpoint.Origin) View {
	c := checkpoint.Committee{Seats: map[string]checkpoint.Seat{}}
	for i := range l.n {
		c.Seats[id(i)] = checkpoint.Seat{Key: key(l.t, i).Public(), Sequencer: i < 4}
	}
	return View{Origin: o, Committee: c, Root: func(size uint64) (checkpoint.Hash, error) {
		if size >= uint64(len(l.roots)) {
			return checkpoint.Hash{}, errors.New("not held")
		}
		return l.roots[size], nil
	}}
}

// tree is that of a size.
func (l *ledger) tree(o checkpoint.Origin, size uint64) checkpoint.Checkpoint {
	return checkpoint.Checkpoint{Origin: o, Size: size, Root: l.roots[size]}
}

func (l *ledger) sequenced(c checkpoint.Checkpoint, by ...int) checkpoint.Signed {
	s := checkpoint.Signed{Text: c.Text()}
	for _, i := range by {
		s.Signatures = append(s.Signatures, checkpoint.Sign(c, id(i), checkpoint.Sequencer, key(l.t, i), time.Unix(1_795_000_000, 0)))
	}
	return s
}

// final is sequenced, with the signatures of three cosigners.
func (l *ledger) final(c checkpoint.Checkpoint) checkpoint.Signed {
	s := l.sequenced(c, 0, 1, 2)
	for i := range 3 {
		s.Signatures = append(s.Signatures, checkpoint.Sign(c, id(i), checkpoint.Cosigner, key(l.t, i), time.Unix(1_795_000_000, 0)))
	}
	return s
}

func call(term uint64, by int) Call {
	return Call{Federation: federation[:], Term: term, Member: id(by), Sequencers: []string{id(0), id(1), id(2), id(3)}}
}

func (l *ledger) pledge(c Call, i int, text []byte) Pledge {
	p, err := NewPledge(c, id(i), text, key(l.t, i))
	must(l.t, err)
	return p
}

// open is an opening of a call, with pledges that name these trees.
func (l *ledger) open(c Call, base checkpoint.Signed, named map[int]checkpoint.Checkpoint) Opening {
	var pledges []Pledge
	for i := range l.n + 1 {
		tree, ok := named[i]
		if !ok {
			continue
		}
		var text []byte
		if tree.Size > 0 {
			text = tree.Text()
		}
		pledges = append(pledges, l.pledge(c, i, text))
	}
	by := 0
	for c.Member != id(by) {
		by++
	}
	o, err := Open(c, base, pledges, key(l.t, by))
	must(l.t, err)
	return o
}

// all has these members name one tree.
func all(c checkpoint.Checkpoint, by ...int) map[int]checkpoint.Checkpoint {
	out := map[int]checkpoint.Checkpoint{}
	for _, i := range by {
		out[i] = c
	}
	return out
}

func TestWhenATermMayBegin(t *testing.T) {
	l := newLedger(t, 4)
	base := l.tree(first(), 5)
	signed := l.sequenced(base, 0, 1, 2)
	with := func(m map[int]checkpoint.Checkpoint, i int, c checkpoint.Checkpoint) map[int]checkpoint.Checkpoint {
		m[i] = c
		return m
	}
	fork := base
	fork.Root[31] ^= 1
	lower := l.tree(first(), 3)
	lower.Root[31] ^= 1
	elsewhere := second()
	elsewhere.Opening[0]++
	none := checkpoint.Checkpoint{}
	without := call(2, 1)
	without.Without = id(2)
	resign := func(o Opening, change func(*Opening)) Opening {
		o.Pledges = slices.Clone(o.Pledges)
		change(&o)
		again, err := Open(o.Call, o.Base, o.Pledges, key(t, 1))
		must(t, err)
		return again
	}
	good := l.open(call(2, 1), signed, all(base, 0, 1, 3))
	for name, test := range map[string]struct {
		opening Opening
		view    View
		fault   string // empty: it may begin
	}{
		"three of four":                             {opening: good},
		"all":                                       {opening: l.open(call(2, 1), signed, all(base, 0, 1, 2, 3))},
		"some have cosigned less":                   {opening: l.open(call(2, 1), signed, with(all(base, 0, 1), 3, l.tree(first(), 2)))},
		"some have cosigned nothing":                {opening: l.open(call(2, 1), signed, with(all(base, 0, 1), 3, none))},
		"no base":                                   {opening: l.open(call(2, 1), checkpoint.Signed{}, all(none, 0, 1, 3)), fault: "parse checkpoint"},
		"a higher number":                           {opening: l.open(call(7, 1), signed, all(base, 0, 1, 3))},
		"after the second term":                     {opening: l.open(call(3, 1), l.sequenced(l.tree(second(), 5), 0, 1, 2), all(l.tree(second(), 5), 0, 1, 3)), view: l.view(second())},
		"the same number, by a later id":            {opening: l.open(call(2, 2), l.sequenced(l.tree(second(), 5), 0, 1, 2), all(l.tree(second(), 5), 0, 1, 3)), view: l.view(second())},
		"a fork of an earlier term":                 {opening: l.open(call(3, 1), l.sequenced(l.tree(second(), 5), 0, 1, 2), with(all(l.tree(second(), 5), 0, 1), 3, fork)), view: l.view(second())},
		"two of four":                               {opening: l.open(call(2, 1), signed, all(base, 0, 1)), fault: "2 cosigners of 3"},
		"two, and a stranger":                       {opening: l.open(call(2, 1), signed, all(base, 0, 1, 4)), fault: "has no part"},
		"one has cosigned more":                     {opening: l.open(call(2, 1), signed, with(all(base, 0, 1), 3, l.tree(first(), 6))), fault: "more than the base"},
		"one has cosigned another tree":             {opening: l.open(call(2, 1), signed, with(all(base, 0, 1), 3, fork)), fault: "another tree"},
		"one is on another branch below":            {opening: l.open(call(2, 1), signed, with(all(base, 0, 1), 3, lower)), fault: "another tree"},
		"one was in a later term":                   {opening: l.open(call(3, 1), signed, with(all(base, 0, 1), 3, l.tree(second(), 5))), fault: "a later term"},
		"one was in the same, opened twice":         {opening: l.open(call(3, 1), l.sequenced(l.tree(second(), 5), 0, 1, 2), with(all(l.tree(second(), 5), 0, 1), 3, l.tree(elsewhere, 5))), view: l.view(second()), fault: "another tree"},
		"nobody names the base":                     {opening: l.open(call(2, 1), signed, all(l.tree(first(), 4), 0, 1, 3)), fault: "no pledge names the base"},
		"a base that is not sequenced":              {opening: l.open(call(2, 1), l.sequenced(base, 0, 1), all(base, 0, 1, 3)), fault: "2 sequencers of 3"},
		"a base of another tree":                    {opening: l.open(call(2, 1), l.sequenced(fork, 0, 1, 2), all(fork, 0, 1, 3)), fault: "not of the tree that is held"},
		"a base that is not held":                   {opening: l.open(call(2, 1), l.sequenced(checkpoint.Checkpoint{Origin: first(), Size: 12}, 0, 1, 2), all(checkpoint.Checkpoint{Origin: first(), Size: 12}, 0, 1, 3)), fault: "not held"},
		"another tree, but the base is final":       {opening: l.open(call(2, 1), l.final(base), with(all(base, 0, 1), 3, fork))},
		"another tree below, but the base is final": {opening: l.open(call(2, 1), l.final(base), with(all(base, 0, 1), 3, lower))},
		"opened twice, but the base is final":       {opening: l.open(call(3, 1), l.final(l.tree(second(), 5)), with(all(l.tree(second(), 5), 0, 1), 3, l.tree(elsewhere, 7))), view: l.view(second())},
		"more, though the base is final":            {opening: l.open(call(2, 1), l.final(base), with(all(base, 0, 1), 3, l.tree(first(), 6))), fault: "more than the base"},
		"not later":                                 {opening: l.open(call(2, 1), l.sequenced(l.tree(second(), 5), 0, 1, 2), all(base, 0, 1, 3)), view: l.view(second()), fault: "a later term has begun"},
		"the same number, an earlier id":            {opening: l.open(call(2, 0), signed, all(base, 0, 1, 3)), view: l.view(second()), fault: "a later term has begun"},
		"by a stranger":                             {opening: l.open(call(2, 4), signed, all(base, 0, 1, 3)), fault: "caller's"},
		"signed by another":                         {opening: func() Opening { o := good; o.Call.Member = id(0); return o }(), fault: "does not verify"},
		"sequencers changed":                        {opening: resign(good, func(o *Opening) { o.Call.Sequencers = o.Call.Sequencers[1:] }), fault: "for another call"},
		"pledges of another call":                   {opening: resign(good, func(o *Opening) { o.Pledges = l.open(call(3, 1), signed, all(base, 0, 1, 3)).Pledges }), fault: "for another call"},
		"a pledge changed":                          {opening: resign(good, func(o *Opening) { o.Pledges[0] = l.pledge(o.Call, 1, base.Text()); o.Pledges[0].Member = id(0) }), fault: "does not verify"},
		"a pledge twice":                            {opening: resign(good, func(o *Opening) { o.Pledges = append(o.Pledges, o.Pledges[2]) }), fault: "out of order"},
		"left out, of four":                         {opening: l.open(without, signed, all(base, 0, 1, 3)), fault: "one of 3"},
		"one whose key is replaced":                 {opening: good, view: func() View { v := l.view(first()); v.Rekeyed = []string{id(3)}; return v }(), fault: "a key that is replaced"},
		"another ledger":                            {opening: good, view: l.view(checkpoint.Origin{Federation: [32]byte{9}, Term: 1}), fault: "another ledger"},
	} {
		view := test.view
		if view.Root == nil {
			view = l.view(first())
		}
		err := test.opening.Check(view)
		if (err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of three, two can go on without the third, but only both.
func TestWithoutAMember(t *testing.T) {
	l := newLedger(t, 3)
	base := l.tree(first(), 5)
	signed := l.sequenced(base, 0, 1, 2)
	c := call(2, 1)
	c.Without = id(2)
	for name, test := range map[string]struct {
		by []int
		ok bool
	}{"both": {[]int{0, 1}, true}, "one": {[]int{1}, false}, "with the third": {[]int{0, 1, 2}, false}, "the third and one": {[]int{1, 2}, false}} {
		if err := l.open(c, signed, all(base, test.by...)).Check(l.view(first())); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := l.open(call(2, 1), signed, all(base, 0, 1)).Check(l.view(first())); err == nil {
		t.Error("two of three are enough though nobody is left out")
	}
}

// Every quorum of pledges has a member in common with every quorum of cosigners who keeps
// the rules, also where one member has joined or gone between the two.
func TestQuorumsMeet(t *testing.T) {
	for n := 2; n < roster.MaxMembers; n++ {
		q, next, f := checkpoint.Quorum(n), checkpoint.Quorum(n+1), roster.Faulty(n)
		if 2*q-n <= f {
			t.Errorf("%d members: two quorums have %d in common", n, 2*q-n)
		}
		if most := roster.Faulty(n + 1); q+next-(n+1) <= f || q+next-(n+1) <= most && most == f {
			t.Errorf("%d and %d members: quorums have %d in common", n, n+1, q+next-(n+1))
		}
	}
}

// A reader looks into an opening only if enough pledges are signed under keys that it knows.
func TestPlausible(t *testing.T) {
	l := newLedger(t, 4)
	base := l.tree(first(), 5)
	o := l.open(call(2, 1), l.sequenced(base, 0, 1, 2), all(base, 0, 1, 3))
	o.Pledges[2].Ed25519 = o.Pledges[1].Ed25519
	keys := func(member string) (out []*sign.CosigningPublicKey) {
		if member != id(0) {
			return []*sign.CosigningPublicKey{key(t, 1).Public(), key(t, 3).Public()}
		}
		return nil
	}
	if !o.Plausible(keys, 1) || o.Plausible(keys, 2) {
		t.Error("one of three pledges is signed under a key that is known")
	}
}

func TestForms(t *testing.T) {
	good := call(2, 1)
	for name, change := range map[string]func(c *Call){
		"first term": func(c *Call) { c.Term = 1 }, "too many": func(c *Call) { c.Term = MaxTerm + 1 },
		"no federation": func(c *Call) { c.Federation = nil }, "no sequencers": func(c *Call) { c.Sequencers = nil },
		"out of order":   func(c *Call) { slices.Reverse(c.Sequencers) },
		"no caller":      func(c *Call) { c.Member = "" },
		"odd member":     func(c *Call) { c.Without = "x" },
		"without itself": func(c *Call) { c.Without = c.Member },
	} {
		c := call(2, 1)
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s was taken", name)
		}
		if c.Digest() == good.Digest() {
			t.Errorf("%s has the digest of another call", name)
		}
	}
	l := newLedger(t, 4)
	base := l.tree(first(), 5)
	signed := l.sequenced(base, 0, 1, 2)
	p := l.pledge(good, 0, base.Text())
	for name, test := range map[string]struct {
		stance Stance
		ok     bool
	}{
		"nothing": {Stance{}, true}, "with the checkpoint": {Stance{Pledges: []Pledge{p}, Checkpoints: []checkpoint.Signed{signed}}, true},
		"names none":       {Stance{Pledges: []Pledge{l.pledge(good, 0, nil)}}, true},
		"no checkpoint":    {Stance{Pledges: []Pledge{p}}, false},
		"another":          {Stance{Pledges: []Pledge{p}, Checkpoints: []checkpoint.Signed{l.sequenced(l.tree(first(), 4))}}, false},
		"no pledge":        {Stance{Checkpoints: []checkpoint.Signed{signed}}, false},
		"two pledges":      {Stance{Pledges: []Pledge{p, p}, Checkpoints: []checkpoint.Signed{signed}}, false},
		"names what is no": {Stance{Pledges: []Pledge{l.pledge(good, 0, []byte("x"))}, Checkpoints: []checkpoint.Signed{{Text: []byte("x")}}}, false},
	} {
		if err := test.stance.Validate(); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := l.open(good, signed, all(base, 0, 1, 3))
	b, err := o.Marshal()
	must(t, err)
	again, err := Unmarshal(b)
	if err != nil || again.Origin() != o.Origin() || again.Check(l.view(first())) != nil {
		t.Errorf("%v", err)
	}
	if o.Origin().Compare(first()) <= 0 || o.Origin().Caller != id(1) || o.Origin().Opening == [32]byte{} {
		t.Errorf("origin %s", o.Origin())
	}
	if sizes := o.Sizes(); !slices.Equal(sizes, []uint64{5, 5, 5, 5}) {
		t.Errorf("%d", sizes)
	}
}

func TestVectors(t *testing.T) {
	l := newLedger(t, 4)
	c := Call{Federation: federation[:], Term: 2, Member: "AU", Sequencers: []string{"AU", "ID", "MY", "TH"}}
	p, err := NewPledge(c, "AU", l.tree(first(), 3).Text(), key(t, 0))
	must(t, err)
	digest := c.Digest()
	m, err := p.message()
	must(t, err)
	o := Opening{Call: c, Base: checkpoint.Signed{Text: l.tree(first(), 3).Text()}, Pledges: []Pledge{{Call: digest[:], Member: "AU", Text: l.tree(first(), 3).Text(), Ed25519: make([]byte, 64), MLDSA44: make([]byte, 2420)}}}
	d, err := o.digest()
	must(t, err)
	encoded, err := wire.Marshal(c)
	must(t, err)
	made := map[string][]byte{"call": encoded, "call-digest": digest[:], "pledge-message": m, "pledge-ed25519": p.Ed25519, "opening-message": message(d)}
	list, err := vectors.Load("recovery")
	must(t, err)
	for _, v := range list {
		want, err := v.Bytes()
		must(t, err)
		if !bytes.Equal(made[v.Name], want) {
			t.Errorf("%s: got %x, want %x", v.Name, made[v.Name], want)
		}
		delete(made, v.Name)
	}
	for name, b := range made {
		t.Errorf("there is no vector for %s: %x", name, b)
	}
}

func FuzzOpening(f *testing.F) {
	l := newLedger(f, 3)
	base := l.tree(first(), 5)
	for _, o := range []Opening{l.open(call(2, 1), l.sequenced(base, 0), all(base, 0, 1)), l.open(call(2, 1), l.final(base), all(checkpoint.Checkpoint{}, 0))} {
		b, err := o.Marshal()
		must(f, err)
		f.Add(b)
	}
	view := l.view(first())
	f.Fuzz(func(t *testing.T, b []byte) {
		var o Opening
		var err error
		if got, most := memory.Allocated(func() { o, err = Unmarshal(b) }), 16*uint64(len(b))+64<<10; got > most {
			t.Errorf("%d bytes were allocated for %d, at most %d", got, len(b), most)
		}
		if err != nil {
			return
		}
		if again, err := o.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x was decoded and encoded as %x, %v", b, again, err)
		}
		if _, err := checkpoint.ParseOrigin(o.Origin().String()); err != nil {
			t.Errorf("origin %s: %v", o.Origin(), err)
		}
		_ = o.Check(view) // refuses, or not, without a panic
		o.Sizes()
	})
}
