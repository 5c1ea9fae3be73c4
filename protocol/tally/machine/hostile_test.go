package machine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"entente/crypto/he/collective"
	"entente/crypto/sign"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// at brings a tally of three members, who all hold the key, to a stage, with some members'
// messages left out.
func at(t *testing.T, s Stage) *rig {
	t.Helper()
	r := newRig(t, proposal(corridors(3), 3, 3, 3))
	r.random(7, 100)
	if s > Accepting {
		r.until(t, Dealing)
	}
	if s > Dealing {
		r.until(t, Contributing)
		r.until(t, Done)
	}
	if s > Contributing {
		r.contribute(t, r.names...)
		if err := r.collector.Open(r.names); err != nil {
			t.Fatal(err)
		}
	}
	if s > Opening {
		r.until(t, Done)
	}
	if got := r.collector.Stage(); got != s {
		t.Fatalf("the tally is at %s, not %s", got, s)
	}
	return r
}

// signed signs a body again after a change.
func signed[T any](t *testing.T, k *sign.PrivateKey, d sign.Domain, s tally.Signed, change func(*T)) tally.Signed {
	t.Helper()
	var v T
	if err := tally.Decode(s.Body, &v); err != nil {
		t.Fatal(err)
	}
	change(&v)
	out, err := tally.Sign(k, d, v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pending are all messages for a member.
func pending(t *testing.T, r *rig, member string) (out []tally.Message) {
	t.Helper()
	for m, err := range r.collector.Pending(member) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, through(t, m))
	}
	return out
}

// fresh is a member loaded anew from its record, so that each case begins alike.
func fresh(t *testing.T, r *rig, name string) *Member {
	t.Helper()
	b, err := r.members[name].Record()
	if err != nil {
		t.Fatal(err)
	}
	m, err := LoadMember(b, r.configs[name])
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// feed gives a member messages until one is refused.
func feed(m *Member, now int64, messages ...tally.Message) (replies []tally.Message, err error) {
	for _, in := range messages {
		out, err := m.Step(in, now)
		if err != nil {
			return replies, err
		}
		replies = append(replies, out...)
	}
	return replies, nil
}

func body(m tally.Message) tally.Signed { return m.Body.(tally.Signed) }

func chunk(m tally.Message, change func(*tally.Chunk)) tally.Message {
	c := m.Body.(tally.Chunk)
	c.Data = bytes.Clone(c.Data)
	change(&c)
	m.Body = c
	return m
}

// TestProposalsRefused: what Accept must refuse, whatever the rules say.
func TestProposalsRefused(t *testing.T) {
	r := newRig(t, proposal(corridors(3), 3, 3, 3))
	me, other := r.configs[name(1)], r.configs[name(2)]
	good := r.collector.rec.Proposal
	for what, c := range map[string]struct {
		proposal tally.Signed
		config   MemberConfig
		now      int64
		code     wire.Code
	}{
		"signed by another":    {signed(t, other.Key, tally.DomainProposal, good, func(*tally.Proposal) {}), me, r.now, wire.Altered},
		"signed for a release": {signed(t, r.configs[collecting].Key, tally.DomainRelease, good, func(*tally.Proposal) {}), me, r.now, wire.Altered},
		"changed":              {tally.Signed{Body: append(bytes.Clone(good.Body), 0), Signature: good.Signature}, me, r.now, wire.Malformed},
		"after the deadline":   {good, me, r.proposal.Deadline, wire.Expired},
		"another roster":       {good, func() MemberConfig { c := me; c.Roster = [32]byte{9}; return c }(), r.now, wire.OtherRoster},
		"not asked":            {good, func() MemberConfig { c := me; c.Self = "ZZ"; return c }(), r.now, wire.Unexpected},
	} {
		_, _, err := Accept(c.proposal, Terms{Basis: "law"}, c.config, c.now)
		wantCode(t, what, err, c.code)
	}
	if _, _, err := Accept(good, Terms{}, me, r.now); err == nil {
		t.Error("a member accepts without a legal basis")
	}
	for what, change := range map[string]struct {
		change func(*tally.Proposal)
		code   wire.Code
	}{
		"a collector that contributes": {func(p *tally.Proposal) { p.Contributors[2] = collecting; slices.Sort(p.Contributors) }, wire.AboveGrant},
		"noise without room":           {func(p *tally.Proposal) { p.EpsilonMilli, p.Cap, p.NoiseOf = 10, tally.MaxCap, 2 }, wire.Malformed},
	} {
		bad := signed(t, r.configs[collecting].Key, tally.DomainProposal, good, change.change)
		_, _, err := Accept(bad, Terms{Basis: "law"}, me, r.now)
		wantCode(t, what, err, change.code)
	}
	if _, err := Propose(r.proposal, CollectorConfig{Identity: other.Identity}, r.now); err == nil {
		t.Error("a proposal names another collector")
	}
}

// TestKeyRefused: a dishonest collector or dealer while the key is made.
func TestKeyRefused(t *testing.T) {
	r := at(t, Dealing)
	collector := r.configs[collecting].Key
	me := name(1)
	called := pending(t, r, me) // the call, then the acceptances of three dealers
	if len(called) != 4 {
		t.Fatalf("%d messages call for the key", len(called))
	}
	call, accepted := called[0], called[1:]
	reaccept := func(by string, change func(*tally.Acceptance)) tally.Message {
		return tally.Message{Kind: tally.KindAcceptance, Body: signed(t, r.configs[by].Key, tally.DomainAcceptance, body(accepted[0]), change)}
	}
	rekey := func(change func(*tally.KeyCall)) []tally.Message {
		return []tally.Message{{Kind: tally.KindKeyCall, Body: signed(t, collector, tally.DomainKeyCall, body(call), change)}}
	}
	for what, c := range map[string]struct {
		messages []tally.Message
		code     wire.Code
	}{
		"a call by another member":   {[]tally.Message{{Kind: tally.KindKeyCall, Body: signed(t, r.configs[me].Key, tally.DomainKeyCall, body(call), func(*tally.KeyCall) {})}}, wire.Altered},
		"another proposal's call":    {rekey(func(c *tally.KeyCall) { c.Proposal[0] ^= 1 }), wire.Altered},
		"another acceptance of mine": {rekey(func(c *tally.KeyCall) { c.Dealers[1].Digest[0] ^= 1 }), wire.Altered},
		"as a contributor":           {rekey(func(c *tally.KeyCall) { c.Contributors[1].Digest[0] ^= 1 }), wire.Altered},
		"fewer than the minimum":     {rekey(func(c *tally.KeyCall) { c.Contributors = c.Contributors[1:] }), wire.AboveGrant},
		"a contributor twice":        {rekey(func(c *tally.KeyCall) { c.Contributors[1].Place = 0 }), wire.Malformed},
		"an acceptance alone":        {accepted[:1], wire.Unexpected},
		"another's acceptance":       {[]tally.Message{call, accepted[1]}, wire.Altered},
		"another acceptance":         {[]tally.Message{call, reaccept(name(0), func(a *tally.Acceptance) { a.Seed[0] ^= 1 })}, wire.Altered},
		"signed by another": {append(rekey(func(c *tally.KeyCall) {
			d := tally.Digest(body(reaccept(name(2), func(a *tally.Acceptance) {})), tally.DomainAcceptance)
			c.Dealers[0].Digest = d[:]
		}), reaccept(name(2), func(a *tally.Acceptance) {})), wire.Altered},
		"an acceptance after an error": {[]tally.Message{call, accepted[0], accepted[0]}, wire.Altered},
		"fewer than the threshold":     {rekey(func(c *tally.KeyCall) { c.Dealers = c.Dealers[:2] }), wire.AboveGrant},
		"out of order":                 {rekey(func(c *tally.KeyCall) { c.Dealers[0], c.Dealers[1] = c.Dealers[1], c.Dealers[0] }), wire.Malformed},
		"a part before the call":       {[]tally.Message{{Kind: tally.KindPart, Body: body(call)}}, wire.Unexpected},
		"a polynomial alone":           {[]tally.Message{{Kind: tally.KindPublic, Body: tally.Chunk{Data: make([]byte, collective.PolynomialSize)}}}, wire.Unexpected},
		"a second proposal":            {[]tally.Message{{Kind: tally.KindProposal, Body: body(call)}}, wire.Replayed},
		"a share":                      {[]tally.Message{{Kind: tally.KindShare, Body: body(call)}}, wire.Unexpected},
		"two calls":                    {append(slices.Clone(called), rekey(func(c *tally.KeyCall) { c.Dealers[0].Digest[0] ^= 1 })...), wire.Replayed},
	} {
		m := fresh(t, r, me)
		before, err := m.Record()
		if err != nil {
			t.Fatal(err)
		}
		_, err = feed(m, r.now, c.messages...)
		wantCode(t, what, err, c.code)
		if after, err := m.Record(); what != "two calls" && (err != nil || !bytes.Equal(before, after)) {
			t.Errorf("%s: what was refused changed the member: %v", what, err)
		}
	}
	r.until(t, Contributing)
	parts := pending(t, r, me) // part, public, sealed; own part, public; part, public, sealed
	if len(parts) != 8 {
		t.Fatalf("%d messages make the key", len(parts))
	}
	dealer := r.configs[name(0)].Key
	repart := func(change func(*tally.Part)) tally.Message {
		return tally.Message{Kind: tally.KindPart, Body: signed(t, dealer, tally.DomainPart, body(parts[0]), change)}
	}
	flip := func(c *tally.Chunk) { c.Data[100] ^= 1 }
	for what, c := range map[string]struct {
		messages []tally.Message
		code     wire.Code
	}{
		"a part signed by another":     {[]tally.Message{{Kind: tally.KindPart, Body: signed(t, r.configs[me].Key, tally.DomainPart, body(parts[0]), func(*tally.Part) {})}}, wire.Altered},
		"another call's part":          {[]tally.Message{repart(func(p *tally.Part) { p.Call[0] ^= 1 })}, wire.Altered},
		"too few shares":               {[]tally.Message{repart(func(p *tally.Part) { p.Shares = p.Shares[:2] })}, wire.Malformed},
		"a digest for the dealer":      {[]tally.Message{repart(func(p *tally.Part) { p.Shares[0] = p.Shares[1] })}, wire.Malformed},
		"another polynomial":           {[]tally.Message{parts[0], chunk(parts[1], flip)}, wire.Altered},
		"another dealer's polynomial":  {[]tally.Message{parts[0], parts[4]}, wire.Unexpected},
		"another sealed share":         {[]tally.Message{parts[0], parts[1], chunk(parts[2], flip)}, wire.Altered},
		"a sealed share for another":   {[]tally.Message{parts[0], parts[1], chunk(parts[2], func(c *tally.Chunk) { c.Part = 2 })}, wire.Unexpected},
		"the next part too early":      {[]tally.Message{parts[0], parts[3]}, wire.Unexpected},
		"the polynomial left out":      {[]tally.Message{parts[0], parts[2]}, wire.Unexpected},
		"a sum before the key":         {[]tally.Message{{Kind: tally.KindRequest, Body: body(call)}}, wire.Unexpected},
		"contributions before the key": {[]tally.Message{{Kind: tally.KindWanted, Body: tally.Wanted{Key: make([]byte, 32)}}}, wire.Unexpected},
	} {
		_, err := feed(fresh(t, r, me), r.now, c.messages...)
		wantCode(t, what, err, c.code)
	}
	// A share that opens but is no share, dealt and signed by a cheat.
	m := fresh(t, r, me)
	digest := tally.Digest(m.rec.KeyCall, tally.DomainKeyCall)
	info := tally.SealInfo(digest, 0, 1)
	for what, dealt := range map[string][]byte{"too short": {1}, "a polynomial for a seed": make([]byte, collective.PolynomialSize)} {
		own, err := sealingKey(m.rec.Sealing)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := seal(own, info[:], dealt)
		if err != nil {
			t.Fatal(err)
		}
		hash := tally.SealedDigest(sealed)
		head := repart(func(p *tally.Part) { p.Shares[1] = hash[:] })
		_, err = feed(fresh(t, r, me), r.now, head, parts[1], chunk(parts[2], func(c *tally.Chunk) { c.Data = sealed }))
		wantCode(t, what, err, wire.Malformed)
	}
	junk := []byte("sealed for nobody")
	hash := tally.SealedDigest(junk)
	_, err := feed(fresh(t, r, me), r.now, repart(func(p *tally.Part) { p.Shares[1] = hash[:] }), parts[1], chunk(parts[2], func(c *tally.Chunk) { c.Data = junk }))
	wantCode(t, "what does not open", err, wire.Malformed)
	// After all that, the right ones from the first on.
	m = fresh(t, r, me)
	if _, err := feed(m, r.now, parts[0], chunk(parts[1], flip)); err == nil {
		t.Error("another polynomial passes")
	}
	if replies, err := feed(m, r.now, parts...); err != nil || len(replies) != 1 || !m.Ready() {
		t.Errorf("the key is not made after an error: %v", err)
	}
}

// TestContributeOnce: a contribution is the same bytes whenever it is asked for, also after a
// crash, and there is none but one.
func TestContributeOnce(t *testing.T) {
	r := at(t, Contributing)
	me := name(1)
	wanted := pending(t, r, me)
	if len(wanted) != 1 || wanted[0].Kind != tally.KindWanted {
		t.Fatalf("%d messages are pending", len(wanted))
	}
	if replies, err := feed(r.members[me], r.now, wanted...); err != nil || len(replies) > 0 {
		t.Errorf("what people have not decided is sent: %v", err)
	}
	other := wanted[0]
	other.Body = tally.Wanted{Key: make([]byte, 32)}
	_, err := feed(r.members[me], r.now, other)
	wantCode(t, "wanted under another key", err, wire.Altered)
	_, err = feed(r.members[me], r.proposal.Deadline, wanted...)
	wantCode(t, "wanted after the deadline", err, wire.Expired)

	first, err := r.members[me].Contribute(r.table(t, me), r.now)
	if err != nil || len(first) != 3 {
		t.Fatalf("%d messages: %v", len(first), err)
	}
	for what, again := range map[string]func(m *Member) ([]tally.Message, error){
		"the same counts": func(m *Member) ([]tally.Message, error) { return m.Contribute(r.table(t, me), r.now) },
		"wanted":          func(m *Member) ([]tally.Message, error) { return feed(m, r.now, wanted...) },
	} {
		for life, m := range map[string]*Member{"running": r.members[me], "started again": fresh(t, r, me)} {
			if got, err := again(m); err != nil || fmt.Sprint(first) != fmt.Sprint(got) {
				t.Errorf("%s, %s: another contribution: %v", what, life, err)
			}
		}
	}
	if _, err := r.members[me].Contribute(tally.NewCounts(r.proposal), r.now); !errors.Is(err, ErrState) {
		t.Errorf("other counts are contributed: %v", err)
	}
	// A node that starts again draws its noise before the collector asks, and not after the end.
	if m := fresh(t, r, me); m.sent == nil {
		t.Error("the contribution is computed while the collector waits")
	}
	ended := fresh(t, r, me)
	ended.End()
	if b, err := ended.Record(); err != nil {
		t.Fatal(err)
	} else if m, err := LoadMember(b, r.configs[me]); err != nil || m.sent != nil {
		t.Errorf("what is over is computed again: %v", err)
	}
	if _, err := ended.Opening(); err != nil {
		t.Errorf("a tally that is over cannot be opened: %v", err)
	}
	if m := fresh(t, r, name(2)); len(m.rec.Seed) == 0 {
		t.Error("a member that has not contributed has no seed")
	} else if m.End(); len(m.rec.Seed) > 0 {
		t.Error("a seed that nothing came of is kept")
	}
	// A record whose seed or counts are others is seen, not sent under the same signature.
	for what, change := range map[string]func(*Member){
		"another seed":  func(m *Member) { m.rec.Seed[0] ^= 1 },
		"another count": func(m *Member) { m.rec.Counts[0]++ },
		"no seed":       func(m *Member) { m.rec.Seed = nil },
		"another place": func(m *Member) { m.rec.Contribution = r.members[name(2)].rec.Contribution },
	} {
		if _, err := r.members[name(2)].Contribute(r.table(t, name(2)), r.now); err != nil {
			t.Fatal(err)
		}
		m := fresh(t, r, me)
		change(m)
		b, err := m.Record()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := LoadMember(b, r.configs[me]); err == nil {
			t.Errorf("%s: the record is taken", what)
		}
	}
}

// TestContributeRefused: what a member's own counts must be.
func TestContributeRefused(t *testing.T) {
	r := at(t, Contributing)
	m := r.members[name(1)]
	smaller, larger, capped := r.proposal, r.proposal, r.proposal
	smaller.Question, larger.Question = corridors(2), corridors(4)
	capped.Cap++
	for what, c := range map[string]struct {
		counts tally.Counts
		now    int64
		want   error
	}{
		"no counts":          {tally.Counts{}, r.now, tally.ErrCount},
		"fewer cells":        {tally.NewCounts(smaller), r.now, tally.ErrCount},
		"more cells":         {tally.NewCounts(larger), r.now, tally.ErrCount},
		"another cap":        {tally.NewCounts(capped), r.now, tally.ErrCount},
		"after the deadline": {tally.NewCounts(r.proposal), r.proposal.Deadline, ErrState},
	} {
		if _, err := m.Contribute(c.counts, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	r = newRig(t, func() tally.Proposal {
		p := proposal(corridors(3), 3, 3, 3)
		p.EpsilonMilli, p.NoiseOf, p.Cap = 13, 1, tally.MaxCap // the most noise that there is room for
		return p
	}())
	r.until(t, Contributing)
	r.until(t, Done)
	full := table(t, r.proposal, slices.Repeat([]uint32{tally.MaxCount}, 9))
	if _, err := r.members[name(0)].Contribute(full, r.now); err != nil {
		t.Errorf("the largest counts with the most noise: %v", err)
	}
}

// TestNotCalled: a contributor that accepted, and that the key was not called for, contributes
// nothing, and is in no sum.
func TestNotCalled(t *testing.T) {
	p := proposal(corridors(3), 4, 3, 3)
	r := newRig(t, p)
	r.random(7, 100)
	r.until(t, Dealing)
	me := name(3)
	call := signed(t, r.configs[collecting].Key, tally.DomainKeyCall, r.collector.rec.KeyCall, func(c *tally.KeyCall) { c.Contributors = c.Contributors[:3] })
	r.collector.rec.KeyCall = call
	if err := tally.Decode(call.Body, &r.collector.keyCall); err != nil {
		t.Fatal(err)
	}
	r.until(t, Contributing)
	r.until(t, Done)
	if !r.members[me].Ready() {
		t.Fatal("the fourth has no key")
	}
	if _, err := r.members[me].Contribute(r.table(t, me), r.now); !errors.Is(err, ErrState) {
		t.Errorf("it contributes: %v", err)
	}
	r.contribute(t, r.names[:3]...)
	if err := r.collector.Open(p.Holders); err != nil {
		t.Fatal(err)
	}
	ask := pending(t, r, name(1))[0]
	ask.Body = signed(t, r.configs[collecting].Key, tally.DomainRequest, body(ask), func(q *tally.Request) { q.Included[2] = 3 })
	_, err := feed(fresh(t, r, name(1)), r.now, ask)
	wantCode(t, "a sum with the fourth", err, wire.Malformed)
}

// TestRequestRefused: a dishonest collector asks holders for a sum that is not what was agreed,
// or hands them other contributions.
func TestRequestRefused(t *testing.T) {
	r := at(t, Opening)
	collector, me := r.configs[collecting].Key, name(1)
	all := pending(t, r, me) // request, then three contributions of a head and a mask
	for _, m := range all {
		if m.Kind == tally.KindBody {
			t.Error("a holder gets a body")
		}
	}
	if len(all) != 7 {
		t.Fatalf("%d messages ask for the sum", len(all))
	}
	request, rest := all[0], all[1:]
	ask := func(change func(*tally.Request)) tally.Message {
		return tally.Message{Kind: tally.KindRequest, Body: signed(t, collector, tally.DomainRequest, body(request), change)}
	}
	flip := func(c *tally.Chunk) { c.Data[5] ^= 1 }
	contributor := r.configs[name(0)].Key
	forged := func(change func(*tally.Contribution)) tally.Message {
		return tally.Message{Kind: tally.KindContribution, Body: signed(t, contributor, tally.DomainContribution, body(rest[0]), change)}
	}
	for what, c := range map[string]struct {
		messages []tally.Message
		code     wire.Code
	}{
		"by another":                    {[]tally.Message{{Kind: tally.KindRequest, Body: signed(t, r.configs[me].Key, tally.DomainRequest, body(request), func(*tally.Request) {})}}, wire.Altered},
		"under another key":             {[]tally.Message{ask(func(q *tally.Request) { q.Key[0] ^= 1 })}, wire.Altered},
		"of two contributions":          {[]tally.Message{ask(func(q *tally.Request) { q.Included = q.Included[1:] })}, wire.AboveGrant},
		"of one three times":            {[]tally.Message{ask(func(q *tally.Request) { q.Included = []byte{1, 1, 1} })}, wire.Malformed},
		"of a stranger":                 {[]tally.Message{ask(func(q *tally.Request) { q.Included[2] = 9 })}, wire.Malformed},
		"by fewer holders":              {[]tally.Message{ask(func(q *tally.Request) { q.Active = q.Active[:2] })}, wire.AboveGrant},
		"by holders out of order":       {[]tally.Message{ask(func(q *tally.Request) { q.Active = []byte{1, 0, 2} })}, wire.Malformed},
		"another sum":                   {append([]tally.Message{ask(func(q *tally.Request) { q.Sum[0] ^= 1 })}, rest...), wire.Altered},
		"a short sum":                   {[]tally.Message{ask(func(q *tally.Request) { q.Sum = q.Sum[1:] })}, wire.Malformed},
		"another mask":                  {[]tally.Message{request, rest[0], chunk(rest[1], flip)}, wire.Altered},
		"another's mask":                {[]tally.Message{request, rest[0], rest[3]}, wire.Unexpected},
		"a contribution out of order":   {[]tally.Message{request, rest[2]}, wire.Altered},
		"one contribution twice":        {[]tally.Message{request, rest[0], rest[1], rest[0]}, wire.Altered},
		"another digest":                {[]tally.Message{request, forged(func(c *tally.Contribution) { c.Masks[0] ^= 1 }), rest[1]}, wire.Altered},
		"a short digest":                {[]tally.Message{request, forged(func(c *tally.Contribution) { c.Masks = nil })}, wire.Malformed},
		"a short digest of bodies":      {[]tally.Message{request, forged(func(c *tally.Contribution) { c.Bodies = c.Bodies[1:] })}, wire.Malformed},
		"a body":                        {[]tally.Message{request, rest[0], {Kind: tally.KindBody, Body: rest[1].Body}}, wire.Unexpected},
		"under another key, the head":   {[]tally.Message{request, forged(func(c *tally.Contribution) { c.Key[0] ^= 1 })}, wire.Altered},
		"in another place":              {[]tally.Message{request, forged(func(c *tally.Contribution) { c.Place = 1 })}, wire.Altered},
		"less by a contribution":        {append([]tally.Message{ask(func(q *tally.Request) { q.Sum = bytes.Repeat([]byte{7}, 32) })}, rest...), wire.Altered},
		"a contribution by another key": {[]tally.Message{request, {Kind: tally.KindContribution, Body: signed(t, r.configs[me].Key, tally.DomainContribution, body(rest[0]), func(*tally.Contribution) {})}}, wire.Altered},
		"a mask without a request":      {[]tally.Message{rest[1]}, wire.Unexpected},
		"a head without a request":      {[]tally.Message{rest[0]}, wire.Unexpected},
	} {
		m := fresh(t, r, me)
		replies, err := feed(m, r.now, c.messages...)
		wantCode(t, what, err, c.code)
		if len(replies) > 0 || len(r.journals[me].entries) != 1 || len(m.rec.Share) == 0 { // the key call is noted
			t.Errorf("%s: something was shared", what)
		}
	}
	m := fresh(t, r, me)
	if _, err := feed(m, r.proposal.Deadline, all...); err == nil {
		t.Error("a sum is opened after the deadline")
	}
	first, err := feed(m, r.now, all...)
	if err != nil || len(first) != 2 {
		t.Fatalf("the sum is not opened: %v", err)
	}
	r.members[me] = m
	// The same request again gets the same bytes, after a crash too; any other gets none.
	again := fresh(t, r, me)
	second, err := feed(again, r.now, all...)
	if err != nil || fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("the same request gets another share: %v", err)
	}
	_, err = feed(again, r.now, ask(func(q *tally.Request) { q.Sum[0] ^= 1 }))
	wantCode(t, "another request", err, wire.Replayed)
}

// TestRestoredMember is brought back from a copy of its record and journal from before it
// shared. It must not share again: not for the same request, nor for another.
func TestRestoredMember(t *testing.T) {
	r := at(t, Opening)
	me := name(1)
	old := fresh(t, r, me)
	all := pending(t, r, me)
	if _, err := feed(fresh(t, r, me), r.now, all...); err != nil {
		t.Fatal(err)
	}
	old.Journal = &memory{life: collective.Life{99}, entries: map[[32]byte]collective.Entry{}}
	if replies, err := feed(old, r.now, all...); !errors.Is(err, collective.ErrRestored) || len(replies) > 0 {
		t.Errorf("a restored member shares: %v", err)
	}
	// A copy from before the key was made is no better: another part may be out already.
	r = at(t, Dealing)
	young := fresh(t, r, me)
	young.Journal = old.Journal
	if replies, err := feed(young, r.now, pending(t, r, me)...); !errors.Is(err, collective.ErrRestored) || len(replies) > 0 {
		t.Errorf("a restored member deals: %v", err)
	}
}

// TestReleaseRefused: a collector releases what was not agreed.
func TestReleaseRefused(t *testing.T) {
	r := at(t, Done)
	collector, me := r.configs[collecting].Key, name(1)
	release := pending(t, r, me)[0]
	re := func(change func(*tally.Release)) []tally.Message {
		return []tally.Message{{Kind: tally.KindRelease, Body: signed(t, collector, tally.DomainRelease, body(release), change)}}
	}
	for what, c := range map[string]struct {
		messages []tally.Message
		code     wire.Code
	}{
		"by another":           {[]tally.Message{{Kind: tally.KindRelease, Body: signed(t, r.configs[me].Key, tally.DomainRelease, body(release), func(*tally.Release) {})}}, wire.Altered},
		"of another tally":     {re(func(q *tally.Release) { q.Proposal[0] ^= 1 }), wire.Altered},
		"of another call":      {re(func(q *tally.Release) { q.Call[0] ^= 1 }), wire.Altered},
		"under another key":    {re(func(q *tally.Release) { q.Key[0] ^= 1 }), wire.Altered},
		"without a key":        {re(func(q *tally.Release) { q.Key = nil }), wire.Malformed},
		"of another sum":       {re(func(q *tally.Release) { q.Request[0] ^= 1 }), wire.Altered},
		"of fewer":             {re(func(q *tally.Release) { q.Included = q.Included[1:] }), wire.AboveGrant},
		"with other noise":     {re(func(q *tally.Release) { q.EpsilonMilli = 500 }), wire.AboveGrant},
		"with another limit":   {re(func(q *tally.Release) { q.Limit = 12 }), wire.AboveGrant},
		"a number below limit": {re(func(q *tally.Release) { q.Cells[0] = tally.MinLimit - 1 }), wire.AboveGrant},
		"a cell more":          {re(func(q *tally.Release) { q.Cells = append(q.Cells, 0) }), wire.Malformed},
		"two releases":         {append([]tally.Message{release}, re(func(q *tally.Release) { q.Cells[0] = 1000 })...), wire.Replayed},
	} {
		_, err := feed(fresh(t, r, me), r.now, c.messages...)
		wantCode(t, what, err, c.code)
	}
	m := fresh(t, r, me)
	if _, err := feed(m, r.proposal.Deadline+1, release); err != nil {
		t.Errorf("a release after the deadline: %v", err)
	}
	m.End()
	_, err := feed(m, r.now, release)
	wantCode(t, "after the end", err, wire.Cancelled)
}

// TestReleaseBeforeTheKey has a collector release a tally of which a holder has accepted, no
// more, and then call for its part of the key, whose seed is erased.
func TestReleaseBeforeTheKey(t *testing.T) {
	r := at(t, Dealing)
	me := name(1)
	call := pending(t, r, me)
	if call[0].Kind != tally.KindKeyCall {
		t.Fatalf("message %d, not the key call", call[0].Kind)
	}
	m := fresh(t, r, me)
	release := tally.Release{
		Proposal: m.digest[:], Call: make([]byte, 32), Key: make([]byte, 32), Request: make([]byte, 32), Included: []uint8{0, 1, 2},
		Cap: r.proposal.Cap, Limit: r.proposal.Limit, Cells: make([]uint32, r.proposal.Question.Cells()),
	}
	s, err := tally.Sign(r.configs[collecting].Key, tally.DomainRelease, release)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := feed(m, r.now, tally.Message{Kind: tally.KindRelease, Body: s}); err != nil {
		t.Fatal(err)
	}
	_, err = feed(m, r.now, call...)
	wantCode(t, "a key call after the release", err, wire.Unexpected)
	m.rec.Release = tally.Signed{} // even then
	if _, err := feed(m, r.now, call...); !errors.Is(err, ErrState) {
		t.Errorf("a seed that was erased: %v", err)
	}
}
