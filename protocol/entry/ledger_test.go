package entry

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// ledgerKinds are those that the ledger alone orders.
var ledgerKinds = []Kind{
	Genesis, CosigningKey, Proposal, Approval, Objection, Tick, BudgetSpent, Refusals, Evidence, AddressesChanged,
}

func cardOf(t testing.TB, id string, b byte) roster.Card {
	t.Helper()
	key := author(t, id, b).Key
	c, err := roster.NewCard(roster.Member{
		ID: id, Name: "Member " + id, Role: roster.State, Sign: key.Public().Bytes(),
		Transport: channel(b).Public().(ed25519.PublicKey), Addresses: []string{},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// keyState names a cosigning key after prev.
func keyState(t testing.TB, prev Head, member string) KeyState {
	t.Helper()
	k, err := sign.NewCosigningKey(bytes.Repeat([]byte{5}, sign.CosigningSeedSize))
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewKeyState(prev, member, k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// conflict is evidence, as far as its form goes.
func conflict(t testing.TB) []byte {
	t.Helper()
	var both [2]checkpoint.Signed
	var last checkpoint.Checkpoint
	for i := range both {
		last = checkpoint.Checkpoint{Origin: checkpoint.Origin{Term: 1}, Size: 3, Root: checkpoint.Hash{byte(i)}}
		both[i].Text = last.Text()
	}
	b, err := checkpoint.Evidence{First: both[0], Second: both[1], Root: last.Root[:]}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// propose is the body of a proposal; bodies of a wrong form are for the caller to make.
func propose(t testing.TB, a Action, b any) []byte {
	t.Helper()
	out, err := Propose(a, b, start.Add(time.Hour).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func everyAction(t testing.TB) map[Action]any {
	c := cardOf(t, "NZ", 9)
	return map[Action]any{
		Join: Joining{Member: c.Member, Signature: c.Signature}, Leave: Concerned{Member: "ID"},
		Suspend: Concerned{Member: "ID"}, Readmit: Concerned{Member: "ID"},
		Sequencers: Seats{Members: []string{"AU", "ID"}}, Custodians: Seats{Members: []string{"AU", "ID", "TH"}, Threshold: 2},
		Blocs:   roster.Spread{Blocs: []roster.Bloc{{Name: "north", Members: []string{"ID", "TH"}}, {Name: "south", Members: []string{"AU"}}}, Wanted: 2},
		Restore: Renewal{Member: c.Member, Signature: c.Signature},
		Grant:   Granted{Member: "AU", Kind: "phone", Period: 1, Items: 1000, Daily: 100},
	}
}

// everyLedgerKind is a submitted chain with an entry of each kind and a proposal of each
// action, at whose end the key is rotated.
func everyLedgerKind(t testing.TB) *grower {
	t.Helper()
	g := grow(t, Submitted)
	digest := bytes.Repeat([]byte{3}, DigestSize)
	g.add(Genesis, body(t, RosterState{Version: 1, Digest: digest}))
	g.add(CosigningKey, body(t, keyState(t, g.head, "AU")))
	for a := Join; a <= Grant; a++ {
		g.add(Proposal, propose(t, a, everyAction(t)[a]))
	}
	g.add(Approval, body(t, Reference{Proposal: digest}))
	g.add(Objection, body(t, Reference{Proposal: digest}))
	g.add(Tick, nil)
	g.add(BudgetSpent, body(t, Spend{Kind: "phone", Period: 1, Class: 80}))
	from := g.now.Add(-time.Hour).UnixMilli()
	g.add(Refusals, body(t, Refused{From: from, Until: g.now.UnixMilli(), Count: 3}))
	g.add(Evidence, body(t, Conflict{Evidence: conflict(t)}))
	g.add(AddressesChanged, body(t, AddressState{Addresses: []string{"/dns4/node.example/tcp/4001"}}))
	next := author(t, "AU", 2)
	s, h, err := g.author.Rotate(g.head, g.chain, next.Key, channel(2), g.now)
	if err != nil {
		t.Fatal(err)
	}
	g.keep(s, h)
	g.author = next
	g.add(Tick, nil)
	return g
}

func TestLedgerKinds(t *testing.T) {
	g := everyLedgerKind(t)
	k, err := check(t, Submitted, g.signed)
	if err != nil || !k.Key().Equal(author(t, "AU", 2).Key.Public()) {
		t.Fatal(err)
	}
	seen := map[Kind]bool{}
	for _, s := range g.signed {
		e, err := s.Decode()
		if err != nil {
			t.Fatal(err)
		}
		seen[e.Kind] = true
		if e.Kind == Proposal {
			c, err := e.Change()
			if err != nil {
				t.Fatal(err)
			}
			v, err := c.Open()
			if err != nil || !bytes.Equal(body(t, v), c.Body) || strings.HasPrefix(c.Action.String(), "action") {
				t.Errorf("%s is opened as %+v, %v", c.Action, v, err)
			}
		}
	}
	for _, kind := range ledgerKinds {
		if !seen[kind] {
			t.Errorf("no entry of kind %s was made", kind)
		}
	}
}

// After a rotation only the new key writes; the old key's rotation without the new one's
// proof is none.
func TestRotation(t *testing.T) {
	g := everyLedgerKind(t)
	old := author(t, "AU", 1)
	for name, make := range map[string]func() Signed{
		"old key": func() Signed {
			s, _, err := old.Next(g.head, g.chain, Tick, nil, g.now)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		"proof of another place": func() Signed {
			e, err := g.signed[len(g.signed)-2].Decode() // the rotation
			if err != nil {
				t.Fatal(err)
			}
			e.Sequence, e.Previous = g.head.Sequence+1, g.head.Digest[:]
			b, err := wire.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			signature, err := g.author.Key.Sign(entryDomain, b)
			if err != nil {
				t.Fatal(err)
			}
			return Signed{Entry: b, Signature: signature}
		},
	} {
		if _, err := check(t, Submitted, append(slices.Clone(g.signed), make())); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	k, err := check(t, Submitted, g.signed)
	if err != nil {
		t.Fatal(err)
	}
	k.Renew(old.Key.Public()) // others vouch for a key
	s, _, err := old.Next(g.head, g.chain, Tick, nil, g.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Add(s); err != nil {
		t.Errorf("the renewed key: %v", err)
	}
}

// rotationOf is AU's rotation after an entry, to the signing key 2 and a transport key. All
// of it is right if channel, which makes the latter's proof, is that key.
func rotationOf(t testing.TB, previous [32]byte, transport ed25519.PublicKey, channel ed25519.PrivateKey) Rotation {
	t.Helper()
	key := author(t, "AU", 2).Key
	b := Rotation{Sign: key.Public().Bytes(), Transport: transport}
	claim := body(t, rotationClaim{Member: "AU", Chain: Submitted, Previous: previous[:], Sign: b.Sign, Transport: transport})
	var err error
	if b.Proof, err = key.Sign(rotationDomain, claim); err != nil {
		t.Fatal(err)
	}
	b.Channel = ed25519.Sign(channel, channelClaim(claim))
	return b
}

// A member cannot name another's transport key, and so keep it from being named by its
// holder, whatever it signs with its own keys.
func TestForeignTransportKey(t *testing.T) {
	own, other := channel(2), channel(3)
	for name, c := range map[string]struct {
		named ed25519.PublicKey
		by    ed25519.PrivateKey
		taken bool
	}{
		"its own":   {own.Public().(ed25519.PublicKey), own, true},
		"another's": {other.Public().(ed25519.PublicKey), own, false},
	} {
		g := five(t, Submitted)
		s, _, err := g.author.Next(g.head, Submitted, KeyRotated, body(t, rotationOf(t, g.head.Digest, c.named, c.by)), g.now)
		if taken := err == nil; taken != c.taken || !taken && !strings.Contains(err.Error(), "transport key's proof") {
			t.Errorf("%s: %v", name, err)
		}
		if !c.taken {
			continue
		}
		if _, err := check(t, Submitted, append(g.signed, s)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A chain begins once: what says so later contradicts what stands before it.
func TestCreatedOnlyAtTheStart(t *testing.T) {
	for _, c := range []Chain{Local, Submitted} {
		g := five(t, c)
		e := Entry{
			Version: Version, Federation: g.head.Federation, Chain: c, Member: "AU", Sequence: g.head.Next(),
			Previous: g.head.Digest[:], Time: g.now.UnixMilli(), Kind: Created, Body: []byte(emptyBody),
		}
		_, err := check(t, c, append(g.signed, resign(t, e)))
		if taken := err == nil; taken != (c == Local) {
			t.Errorf("in the %s chain: %v", c, err)
		}
	}
}

func TestLedgerBodiesAreRefused(t *testing.T) {
	digest := bytes.Repeat([]byte{3}, DigestSize)
	now := start.UnixMilli()
	named := func(previous []byte, member string, change func(*KeyState)) KeyState {
		b := keyState(t, Head{Digest: [32]byte(previous)}, member)
		change(&b)
		return b
	}
	other32 := bytes.Repeat([]byte{4}, DigestSize)
	card, other := cardOf(t, "NZ", 9), cardOf(t, "NZ", 8)
	raw := func(a Action, v any) any { return Change{Action: a, Body: body(t, v), Expires: now + 1} }
	rotated := func(change func(*Rotation)) Rotation {
		b := rotationOf(t, [32]byte(digest), channel(2).Public().(ed25519.PublicKey), channel(2))
		change(&b)
		return b
	}
	many := make([]string, roster.MaxAddresses+1)
	for i := range many {
		many[i] = "/dns4/node.example/tcp/4001"
	}
	for name, c := range map[string]struct {
		kind Kind
		body any
	}{
		"genesis digest":                  {Genesis, RosterState{Version: 1, Digest: digest[1:]}},
		"cosigning key short":             {CosigningKey, named(digest, "AU", func(b *KeyState) { b.Key = b.Key[1:] })},
		"cosigning key point":             {CosigningKey, named(digest, "AU", func(b *KeyState) { b.Key = make([]byte, len(b.Key)) })},
		"cosigning key without a proof":   {CosigningKey, named(digest, "AU", func(b *KeyState) { b.Ed25519 = nil })},
		"cosigning key with half a proof": {CosigningKey, named(digest, "AU", func(b *KeyState) { b.MLDSA44[0] ^= 1 })},
		"cosigning key of another":        {CosigningKey, named(digest, "ID", func(*KeyState) {})},
		"cosigning key elsewhere":         {CosigningKey, named(other32, "AU", func(*KeyState) {})},
		"approval digest":                 {Approval, Reference{Proposal: digest[1:]}},
		"objection digest":                {Objection, Reference{}},
		"created says something":          {Created, Concerned{Member: "AU"}},
		"no evidence":                     {Evidence, Conflict{Evidence: []byte{1}}},
		"tick says something":             {Tick, Concerned{Member: "AU"}},
		"spend no class":                  {BudgetSpent, Spend{Kind: "phone", Class: 65}},
		"spend huge class":                {BudgetSpent, Spend{Kind: "phone", Class: 1 << 40}},
		"spend class overflows":           {BudgetSpent, Spend{Kind: "phone", Class: 1<<63 + 64}},
		"spend kind":                      {BudgetSpent, Spend{Kind: "Phone", Class: 64}},
		"spend kind empty":                {BudgetSpent, Spend{Class: 64}},
		"refusals reversed":               {Refusals, Refused{From: now, Until: now}},
		"refusals to come":                {Refusals, Refused{From: now - 1, Until: now + 1}},
		"refusals early":                  {Refusals, Refused{From: 0, Until: now}},
		"addresses many":                  {AddressesChanged, AddressState{Addresses: many}},
		"address":                         {AddressesChanged, AddressState{Addresses: []string{"node.example"}}},
		"rotation proof":                  {KeyRotated, rotated(func(b *Rotation) { b.Proof[0] ^= 1 })},
		"rotation transport":              {KeyRotated, rotated(func(b *Rotation) { b.Transport = b.Transport[1:] })},
		"rotation key":                    {KeyRotated, rotated(func(b *Rotation) { b.Sign = digest })},
		"rotation channel":                {KeyRotated, rotated(func(b *Rotation) { b.Channel[0] ^= 1 })},
		"rotation without a channel":      {KeyRotated, rotated(func(b *Rotation) { b.Channel = nil })},
		"action unknown":                  {Proposal, raw(10, Concerned{Member: "ID"})},
		"action 0":                        {Proposal, raw(0, Concerned{Member: "ID"})},
		"expiry":                          {Proposal, Change{Action: Leave, Body: body(t, Concerned{Member: "ID"})}},
		"join another's card":             {Proposal, raw(Join, Joining{Member: card.Member, Signature: other.Signature})},
		"restore another's":               {Proposal, raw(Restore, Renewal{Member: card.Member, Signature: other.Signature})},
		"leave whom":                      {Proposal, raw(Leave, Concerned{Member: "i"})},
		"other body":                      {Proposal, raw(Leave, Seats{Members: []string{"AU"}})},
		"no sequencer":                    {Proposal, raw(Sequencers, Seats{})},
		"sequencers threshold":            {Proposal, raw(Sequencers, Seats{Members: []string{"AU"}, Threshold: 1})},
		"eight sequencers":                {Proposal, raw(Sequencers, Seats{Members: []string{"A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8"}})},
		"sequencer twice":                 {Proposal, raw(Sequencers, Seats{Members: []string{"AU", "AU"}})},
		"sequencers descend":              {Proposal, raw(Sequencers, Seats{Members: []string{"ID", "AU"}})},
		"custodians minority":             {Proposal, raw(Custodians, Seats{Members: []string{"A1", "A2", "A3", "A4"}, Threshold: 2})},
		"custodian alone":                 {Proposal, raw(Custodians, Seats{Members: []string{"A1"}, Threshold: 1})},
		"custodians too few":              {Proposal, raw(Custodians, Seats{Members: []string{"A1", "A2"}, Threshold: 3})},
		"blocs wanted":                    {Proposal, raw(Blocs, roster.Spread{Wanted: 1})},
		"bloc named twice":                {Proposal, raw(Blocs, roster.Spread{Blocs: []roster.Bloc{{Name: "a", Members: []string{"AU"}}, {Name: "a", Members: []string{"ID"}}}})},
		"bloc without name":               {Proposal, raw(Blocs, roster.Spread{Blocs: []roster.Bloc{{Members: []string{"AU"}}}})},
		"bloc without member":             {Proposal, raw(Blocs, roster.Spread{Blocs: []roster.Bloc{{Name: "a"}}})},
		"member of two blocs":             {Proposal, raw(Blocs, roster.Spread{Blocs: []roster.Bloc{{Name: "a", Members: []string{"AU", "ID"}}, {Name: "b", Members: []string{"ID"}}}})},
		"grant nothing":                   {Proposal, raw(Grant, Granted{Member: "AU", Kind: "phone"})},
		"grant too much":                  {Proposal, raw(Grant, Granted{Member: "AU", Kind: "phone", Items: MaxGrant + 1})},
		"grant daily":                     {Proposal, raw(Grant, Granted{Member: "AU", Kind: "phone", Items: 1, Daily: MaxGrant + 1})},
		"grant kind":                      {Proposal, raw(Grant, Granted{Member: "AU", Kind: "p h", Items: 1})},
		"grant whom":                      {Proposal, raw(Grant, Granted{Member: "au", Kind: "phone", Items: 1})},
	} {
		e := Entry{
			Version: Version, Federation: digest, Chain: Submitted, Member: "AU", Sequence: 1, Previous: digest,
			Time: now, Kind: c.kind, Body: body(t, c.body),
		}
		b, err := wire.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (Signed{Entry: b}).Decode(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := Propose(Leave, Concerned{Member: "i"}, now+1); err == nil {
		t.Error("proposed what nobody can open")
	}
}
