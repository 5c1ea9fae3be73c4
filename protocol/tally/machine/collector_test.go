package machine

import (
	"bytes"
	"errors"
	"testing"

	"entente/crypto/he/collective"
	"entente/crypto/sign"
	"entente/protocol/round"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// copied is the collector loaded anew, with a copy of its store.
func copied(t *testing.T, r *rig) *Collector {
	t.Helper()
	b, err := r.collector.Record()
	if err != nil {
		t.Fatal(err)
	}
	c := r.collectorConfig()
	store := shelf{}
	for n, v := range r.store {
		store[n] = v
	}
	c.Store = store
	k, err := LoadCollector(b, c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// push gives a collector messages of a member until one is refused.
func push(k *Collector, from string, now int64, messages ...tally.Message) error {
	for _, m := range messages {
		if err := k.Step(from, m, now); err != nil {
			return err
		}
	}
	return nil
}

// answers are what a member says to all that is pending for it.
func answers(t *testing.T, r *rig, member string) (out []tally.Message) {
	t.Helper()
	for _, m := range pending(t, r, member) {
		for _, reply := range r.tell(t, member, m) {
			out = append(out, through(t, reply))
		}
	}
	return out
}

// refusal is what a collector must refuse of a member, the last of the messages.
type refusal struct {
	from     string
	messages []tally.Message
	code     wire.Code
}

// refuse tries refusals, each on a copy of the collector, which must stay as it was.
func refuse(t *testing.T, r *rig, cases map[string]refusal) {
	t.Helper()
	for what, c := range cases {
		k := copied(t, r)
		before, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, what, push(k, c.from, r.now, c.messages...), c.code)
		if after, err := k.Record(); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: what was refused changed the collector: %v", what, err)
		}
	}
}

// resigned is a head with a change, signed again by a member.
func resigned[T any](t *testing.T, r *rig, by string, d sign.Domain, m tally.Message, change func(*T)) tally.Message {
	t.Helper()
	return tally.Message{Kind: m.Kind, Body: signed(t, r.configs[by].Key, d, body(m), change)}
}

func flipped(m tally.Message) tally.Message {
	return chunk(m, func(c *tally.Chunk) { c.Data[len(c.Data)/2] ^= 1 })
}

// TestAcceptancesRefused: members that accept wrongly, or say what has no place yet.
func TestAcceptancesRefused(t *testing.T) {
	r := at(t, Accepting)
	me, other := name(1), name(2)
	yes := answers(t, r, me)[0]
	accept := func(change func(*tally.Acceptance)) []tally.Message {
		return []tally.Message{resigned(t, r, me, tally.DomainAcceptance, yes, change)}
	}
	one := func(kind wire.Kind, body any) []tally.Message { return []tally.Message{{Kind: kind, Body: body}} }
	refuse(t, r, map[string]refusal{
		"a stranger":                    {"ZZ", []tally.Message{yes}, wire.Unexpected},
		"another's acceptance":          {other, []tally.Message{yes}, wire.Altered},
		"of another proposal":           {me, accept(func(a *tally.Acceptance) { a.Proposal[0] ^= 1 }), wire.Altered},
		"in another's name":             {me, accept(func(a *tally.Acceptance) { a.Member = other }), wire.Altered},
		"a holder without a commitment": {me, accept(func(a *tally.Acceptance) { a.Commitment = nil }), wire.Malformed},
		"without a basis":               {me, accept(func(a *tally.Acceptance) { a.Basis = "" }), wire.Malformed},
		"a hello":                       {me, one(tally.KindHello, round.Hello{}), wire.Unexpected},
		"a proposal":                    {me, one(tally.KindProposal, body(yes)), wire.Unexpected},
		"ready before the key":          {me, one(tally.KindReady, tally.Ready{Key: make([]byte, 32)}), wire.Unexpected},
		"a wish":                        {me, one(tally.KindWanted, tally.Wanted{}), wire.Unexpected},
		"a part before the call":        {me, one(tally.KindPart, body(yes)), wire.Unexpected},
		"a contribution before":         {me, one(tally.KindContribution, body(yes)), wire.Unexpected},
		"a share before":                {me, one(tally.KindShare, body(yes)), wire.Unexpected},
		"a release":                     {me, one(tally.KindReleased, tally.Released{}), wire.Altered},
		"a chunk alone":                 {me, one(tally.KindMask, tally.Chunk{}), wire.Unexpected},
	})
	k := copied(t, r)
	if err := push(k, me, r.now, yes, yes); err != nil {
		t.Errorf("the same acceptance twice: %v", err)
	}
	wantCode(t, "another acceptance", push(k, me, r.now, accept(func(a *tally.Acceptance) { a.Commitment[0] ^= 1 })...), wire.Replayed)
	wantCode(t, "after the deadline", k.Step(me, yes, r.proposal.Deadline), wire.Expired)
	late := answers(t, at(t, Dealing), other)
	if len(late) == 0 {
		t.Fatal("nothing comes after the acceptance")
	}
}

// TestPartsRefused: dealers that deal wrongly.
func TestPartsRefused(t *testing.T) {
	r := at(t, Dealing)
	me, other := name(1), name(2)
	part := answers(t, r, me) // head, public, sealed for 0, sealed for 2
	if len(part) != 4 {
		t.Fatalf("a part has %d messages", len(part))
	}
	head := func(change func(*tally.Part)) tally.Message {
		return resigned(t, r, me, tally.DomainPart, part[0], change)
	}
	refuse(t, r, map[string]refusal{
		"another's part":         {other, part[:1], wire.Altered},
		"in another's place":     {me, []tally.Message{head(func(p *tally.Part) { p.Place, p.Shares[1], p.Shares[2] = 2, p.Shares[2], nil })}, wire.Altered},
		"of another call":        {me, []tally.Message{head(func(p *tally.Part) { p.Call[0] ^= 1 })}, wire.Altered},
		"with a share less":      {me, []tally.Message{head(func(p *tally.Part) { p.Shares = p.Shares[1:] })}, wire.Malformed},
		"another polynomial":     {me, []tally.Message{part[0], flipped(part[1])}, wire.Altered},
		"a share first":          {me, []tally.Message{part[0], part[2]}, wire.Unexpected},
		"another sealed share":   {me, []tally.Message{part[0], part[1], flipped(part[2])}, wire.Altered},
		"shares out of order":    {me, []tally.Message{part[0], part[1], part[3]}, wire.Altered},
		"a share to itself":      {me, []tally.Message{part[0], part[1], part[2], chunk(part[3], func(c *tally.Chunk) { c.Part = 1 })}, wire.Altered},
		"another's chunk":        {me, []tally.Message{part[0], chunk(part[1], func(c *tally.Chunk) { c.Of = 0 })}, wire.Altered},
		"two polynomials":        {me, []tally.Message{part[0], part[1], part[1]}, wire.Unexpected},
		"a mask":                 {me, []tally.Message{part[0], {Kind: tally.KindMask, Body: part[1].Body}}, wire.Unexpected},
		"a chunk after an error": {me, []tally.Message{part[1]}, wire.Unexpected},
	})
	k := copied(t, r)
	if err := push(k, me, r.now, part[0], part[1], part[2]); err != nil || k.seat(me).Dealt {
		t.Errorf("a part is whole without its last share: %v", err)
	}
	if err := push(k, me, r.now, part...); err != nil || !k.seat(me).Dealt {
		t.Errorf("a part from its head on again: %v", err)
	}
	stored := bytes.Clone(k.Store.(shelf)["sealed/1/0"])
	if err := push(k, me, r.now, answers(t, r, me)...); err != nil || !bytes.Equal(stored, k.Store.(shelf)["sealed/1/0"]) {
		t.Errorf("a second part replaces the first: %v", err)
	}
}

// TestMalformedPolynomials: members that commit to what is no polynomial, and then send it.
func TestMalformedPolynomials(t *testing.T) {
	ones := bytes.Repeat([]byte{0xff}, collective.PolynomialSize)
	me := name(1)

	r := at(t, Accepting)
	for _, n := range r.names {
		yes := answers(t, r, n)[0]
		if n == me {
			yes = resigned(t, r, me, tally.DomainAcceptance, yes, func(a *tally.Acceptance) {
				d := tally.PartCommitment(r.collector.digest, me, ones)
				a.Commitment = d[:]
			})
			r.members[me].rec.Acceptance = body(yes)
		}
		if err := push(r.collector, n, r.now, yes); err != nil {
			t.Fatal(err)
		}
	}
	part := answers(t, r, me)
	refuse(t, r, map[string]refusal{"a public polynomial": {me, []tally.Message{part[0], chunk(part[1], func(c *tally.Chunk) { c.Data = ones })}, wire.Malformed}})

	r = at(t, Contributing)
	key, zeros := r.members[me].key.Digest(), make([]byte, collective.PolynomialSize)
	for what, v := range map[string]collective.Vector{
		"a mask": {Masks: [][]byte{ones}, Bodies: [][]byte{zeros}},
		"a body": {Masks: [][]byte{zeros}, Bodies: [][]byte{ones}},
	} {
		masks, bodies := digest(tally.MasksDigest(key, me), v.Masks), digest(tally.BodiesDigest(key, me), v.Bodies)
		head, err := tally.Sign(r.configs[me].Key, tally.DomainContribution, tally.Contribution{Key: key[:], Place: 1, Masks: masks[:], Bodies: bodies[:]})
		if err != nil {
			t.Fatal(err)
		}
		sent := []tally.Message{
			{Kind: tally.KindContribution, Body: head},
			{Kind: tally.KindMask, Body: tally.Chunk{Of: 1, Data: v.Masks[0]}}, {Kind: tally.KindBody, Body: tally.Chunk{Of: 1, Data: v.Bodies[0]}},
		}
		refuse(t, r, map[string]refusal{what: {me, sent, wire.Malformed}})
	}

	r = at(t, Opening)
	share := answers(t, r, me)
	digest := tally.ShareDigest(ones)
	head2 := resigned(t, r, me, tally.DomainShare, share[0], func(s *tally.Share) { s.Digest = digest[:] })
	refuse(t, r, map[string]refusal{"a decryption share": {me, []tally.Message{head2, chunk(share[1], func(c *tally.Chunk) { c.Data = ones })}, wire.Malformed}})
}

// TestContributionsRefused: contributors that send something else than they committed to.
func TestContributionsRefused(t *testing.T) {
	r := at(t, Contributing)
	me, other := name(1), name(2)
	for _, n := range r.names {
		if _, err := r.members[n].Contribute(r.table(t, n), r.now); err != nil {
			t.Fatal(err)
		}
	}
	sent := answers(t, r, me) // head, mask and body
	if len(sent) != 3 {
		t.Fatalf("a contribution has %d messages", len(sent))
	}
	head := func(change func(*tally.Contribution)) tally.Message {
		return resigned(t, r, me, tally.DomainContribution, sent[0], change)
	}
	refuse(t, r, map[string]refusal{
		"another's":          {other, sent[:1], wire.Altered},
		"in another's place": {me, []tally.Message{head(func(c *tally.Contribution) { c.Place = 2 })}, wire.Altered},
		"under another key":  {me, []tally.Message{head(func(c *tally.Contribution) { c.Key[0] ^= 1 })}, wire.Altered},
		"other masks":        {me, []tally.Message{head(func(c *tally.Contribution) { c.Masks[0] ^= 1 }), sent[1], sent[2]}, wire.Altered},
		"other bodies":       {me, []tally.Message{head(func(c *tally.Contribution) { c.Bodies[0] ^= 1 }), sent[1], sent[2]}, wire.Altered},
		"no digest":          {me, []tally.Message{head(func(c *tally.Contribution) { c.Bodies = nil })}, wire.Malformed},
		"a body first":       {me, []tally.Message{sent[0], sent[2]}, wire.Unexpected},
		"a mask too many":    {me, []tally.Message{sent[0], sent[1], chunk(sent[1], func(c *tally.Chunk) { c.Part = 1 })}, wire.Altered},
		"ready with another": {me, []tally.Message{{Kind: tally.KindReady, Body: tally.Ready{Key: make([]byte, 32)}}}, wire.Altered},
		"another mask":       {me, []tally.Message{sent[0], flipped(sent[1]), sent[2]}, wire.Altered},
		"another body":       {me, []tally.Message{sent[0], sent[1], flipped(sent[2])}, wire.Altered},
		"without a head":     {me, sent[1:], wire.Unexpected},
	})
	k := copied(t, r)
	if err := push(k, me, r.now, append(sent, sent...)...); err != nil || !k.seat(me).Contributed {
		t.Errorf("the same contribution twice: %v", err)
	}
	if sum, err := k.total(); err != nil || sum.Added() != 1 {
		t.Errorf("it was added %d times: %v", sum.Added(), err)
	}
	// What comes after the sum was requested is left aside.
	if err := push(k, name(0), r.now, answers(t, r, name(0))...); err != nil {
		t.Fatal(err)
	}
	if err := push(k, other, r.now, answers(t, r, other)[0]); err != nil {
		t.Fatal(err)
	}
	k.proposal.Minimum = 2
	if err := k.Open(r.names); err != nil {
		t.Fatal(err)
	}
	if err := push(k, other, r.now, answers(t, r, other)...); err != nil || k.seat(other).Contributed {
		t.Errorf("a contribution after the request: %v", err)
	}
}

// TestSharesRefused: holders that share wrongly. A wrong share that is well formed makes the
// tally fail, for good.
func TestSharesRefused(t *testing.T) {
	r := at(t, Opening)
	me, other := name(1), name(2)
	shares := map[string][]tally.Message{}
	for _, n := range r.names {
		shares[n] = answers(t, r, n)
	}
	mine := shares[me]
	head := func(change func(*tally.Share)) tally.Message {
		return resigned(t, r, me, tally.DomainShare, mine[0], change)
	}
	refuse(t, r, map[string]refusal{
		"another's":          {other, mine[:1], wire.Altered},
		"in another's place": {me, []tally.Message{head(func(s *tally.Share) { s.Place = 2 })}, wire.Altered},
		"of another request": {me, []tally.Message{head(func(s *tally.Share) { s.Request[0] ^= 1 })}, wire.Altered},
		"another polynomial": {me, []tally.Message{mine[0], flipped(mine[1])}, wire.Altered},
		"a block too many":   {me, []tally.Message{mine[0], chunk(mine[1], func(c *tally.Chunk) { c.Part = 1 })}, wire.Unexpected},
	})
	k := copied(t, r)
	zeros := make([]byte, collective.PolynomialSize)
	digest := tally.ShareDigest(zeros)
	wrong := []tally.Message{
		head(func(s *tally.Share) { s.Digest = digest[:] }),
		chunk(mine[1], func(c *tally.Chunk) { c.Data = zeros }),
	}
	for _, n := range r.names {
		sent := shares[n]
		if n == me {
			sent = wrong
		}
		if err := push(k, n, r.now, sent...); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := k.Release(); ok || k.Stage() != Failed {
		t.Errorf("a sum that is none was released at stage %s", k.Stage())
	}
	if n := len(pendingOf(k, me)); n > 0 {
		t.Errorf("a failed tally asks for %d messages", n)
	}
	// With the right ones, twice, and in any order.
	k = copied(t, r)
	for _, n := range []string{other, me, me, name(0)} {
		if err := push(k, n, r.now, shares[n]...); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := k.Release(); !ok || k.Stage() != Done {
		t.Errorf("no release at stage %s", k.Stage())
	}
	wantCode(t, "another release", push(k, me, r.now, tally.Message{Kind: tally.KindReleased, Body: tally.Released{Release: make([]byte, 32)}}), wire.Altered)
}

func pendingOf(k *Collector, member string) (out []tally.Message) {
	for m, err := range k.Pending(member) {
		if err == nil {
			out = append(out, m)
		}
	}
	return out
}

// fragile is a store that fails once, at the n-th call of Put.
type fragile struct {
	shelf
	left int
}

var errDisk = errors.New("disk is full")

func (f *fragile) Put(name string, b []byte) error {
	if f.left--; f.left == 0 {
		return errDisk
	}
	return f.shelf.Put(name, b)
}

// TestStoreFails at each of its writes. The message is refused, counts for nothing, and passes
// when it comes again; the end is the same.
func TestStoreFails(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 5
	}
	for n := 1; ; n += step {
		r := newRig(t, proposal(corridors(2), 3, 2, 2))
		r.random(8, 100)
		f := &fragile{shelf: r.store, left: n}
		r.collector.Store = f
		failed := 0
		talk := func(member string) {
			for range 3 {
				bad := false
				for _, m := range answers(t, r, member) {
					if err := r.collector.Step(member, m, r.now); errors.Is(err, errDisk) {
						failed, bad = failed+1, true
						break
					} else if err != nil {
						t.Fatalf("write %d: %v", n, err)
					}
				}
				if !bad {
					return
				}
			}
		}
		for range 3 {
			for _, m := range r.names {
				talk(m)
			}
		}
		for _, m := range r.names {
			if _, err := r.members[m].Contribute(r.table(t, m), r.now); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range r.names {
			talk(m)
		}
		if err := r.collector.Open(r.proposal.Holders); err != nil {
			t.Fatalf("write %d: %v", n, err)
		}
		for _, m := range r.names {
			talk(m)
		}
		if _, ok := r.collector.Release(); !ok {
			t.Fatalf("write %d: no release at stage %s", n, r.collector.Stage())
		}
		if failed == 0 {
			if n < 15 {
				t.Errorf("there are only %d writes", n-1)
			}
			return
		}
	}
}
