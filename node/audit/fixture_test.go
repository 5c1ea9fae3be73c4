package audit

import (
	"bytes"
	"crypto/ed25519"
	"maps"
	"testing"
	"testing/fstest"
	"time"

	"entente/crypto/sign"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

// folder builds an audit folder of member AU, entry by entry.
type folder struct {
	t       testing.TB
	author  entry.Author
	roster  roster.Roster
	files   fstest.MapFS
	heads   map[entry.Chain]entry.Head
	offsets map[entry.Chain][]int64
	now     time.Time
}

func key(t testing.TB, seed byte) *sign.PrivateKey {
	t.Helper()
	k, err := sign.NewPrivateKey(bytes.Repeat([]byte{seed}, sign.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func card(t testing.TB, id string, seed byte) roster.Card {
	t.Helper()
	transport := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed ^ 0x80}, 32)).Public().(ed25519.PublicKey)
	c, err := roster.NewCard(roster.Member{
		ID: id, Name: "Member " + id, Role: roster.State, Sign: key(t, seed).Public().Bytes(), Transport: transport,
	}, key(t, seed))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t testing.TB) *folder { return startOf(t, "AU") }

// startOf is the folder of a member that was set up just now.
func startOf(t testing.TB, id string) *folder {
	t.Helper()
	f := &folder{
		t: t, author: entry.Author{Member: id, Key: key(t, seeds[id])}, files: fstest.MapFS{},
		heads: map[entry.Chain]entry.Head{}, offsets: map[entry.Chain][]int64{}, now: time.UnixMilli(1_790_000_000_000),
	}
	f.json("member.json", card(t, id, seeds[id]))
	for _, c := range []entry.Chain{entry.Local, entry.Submitted} {
		f.files[c.LogName()] = &fstest.MapFile{Data: entry.LogHeader(c)}
		f.add(c, entry.Created, nil)
	}
	return f
}

// joined is a folder in which everything there can be is there and right.
func joined(t testing.TB) *folder {
	t.Helper()
	f := start(t)
	f.add(entry.Local, entry.Imported, nil)
	f.join()
	f.add(entry.Local, entry.Decision, nil)
	f.sealHead()
	f.seal(agreementLabel, []byte("an agreement"))
	f.files["receipts/1.cbor"] = &fstest.MapFile{Data: []byte("a receipt")}
	f.seal(certificateLabel, []byte("sealed: a receipt"))
	f.sealHead()
	return f
}

// receipts accepts what joined holds.
func (f *folder) receipts(file []byte, rosters Rosters, own string) (Receipt, error) {
	x := Receipt{Roster: f.roster.Digest(), Agreement: []byte("an agreement"), Sealed: append([]byte("sealed: "), file...)}
	if r, ok := rosters(x.Roster); !ok || r.Name != f.roster.Name || own != "AU" || string(file) != "a receipt" {
		return Receipt{}, sign.ErrSignature
	}
	return x, nil
}

func (f *folder) json(name string, v interface{ JSON() ([]byte, error) }) {
	f.t.Helper()
	b, err := v.JSON()
	if err != nil {
		f.t.Fatal(err)
	}
	f.files[name] = &fstest.MapFile{Data: b}
}

func (f *folder) join() {
	f.t.Helper()
	f.bind(f.draw("bali", 1, "AU", "ID"))
}

// seeds are those of the members' keys.
var seeds = map[string]byte{"AU": 1, "ID": 2, "TH": 3, "NZ": 4}

func (f *folder) draw(name string, version uint64, ids ...string) roster.Roster {
	f.t.Helper()
	var cards []roster.Card
	for _, id := range ids {
		cards = append(cards, card(f.t, id, seeds[id]))
	}
	r, err := roster.New(name, cards)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Version = version
	return r
}

// lay writes a roster with all its signatures.
func (f *folder) lay(file string, r roster.Roster) {
	f.t.Helper()
	f.json(file, r)
	for _, m := range r.Members {
		s, err := r.Sign(m.ID, key(f.t, seeds[m.ID]))
		if err != nil {
			f.t.Fatal(err)
		}
		f.json(roster.SignatureName(file, m.ID), s)
	}
}

// bind joins a roster as a node does.
func (f *folder) bind(r roster.Roster) {
	f.t.Helper()
	f.roster = r
	f.lay(keptName(r.Digest()), r)
	f.lay("federation.json", r)
	f.enter(r.Version, r.Digest())
}

// enter appends to both chains that a roster was joined.
func (f *folder) enter(version uint64, d [32]byte) {
	f.t.Helper()
	for _, c := range []entry.Chain{entry.Local, entry.Submitted} {
		f.add(c, entry.RosterJoined, f.body(entry.RosterState{Version: version, Digest: d[:]}))
	}
}

func (f *folder) body(v any) []byte {
	f.t.Helper()
	b, err := entry.Body(v)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

func (f *folder) add(c entry.Chain, k entry.Kind, body []byte) {
	f.t.Helper()
	s, h, err := f.author.Next(f.heads[c], c, k, body, f.now)
	if err != nil {
		f.t.Fatal(err)
	}
	f.keep(c, s, h)
}

func (f *folder) keep(c entry.Chain, s entry.Signed, h entry.Head) {
	f.t.Helper()
	file := f.files[c.LogName()]
	f.offsets[c] = append(f.offsets[c], int64(len(file.Data)))
	var err error
	if file.Data, err = entry.AppendFrame(file.Data, s); err != nil {
		f.t.Fatal(err)
	}
	f.heads[c], f.now = h, f.now.Add(time.Second)
}

func (f *folder) restore(c entry.Chain, newest uint64) {
	f.t.Helper()
	s, h, err := f.author.Restore(f.heads[c], c, newest, f.now)
	if err != nil {
		f.t.Fatal(err)
	}
	f.keep(c, s, h)
}

func (f *folder) sealHead() {
	f.t.Helper()
	o, err := entry.SealHead(f.heads[entry.Local])
	if err != nil {
		f.t.Fatal(err)
	}
	f.sealOpening(entry.LocalHead, o)
	b, err := o.Marshal()
	if err != nil {
		f.t.Fatal(err)
	}
	f.add(entry.Local, entry.LocalHeadOpening, b)
}

func (f *folder) sealOpening(k entry.Kind, o entry.Opening) {
	f.t.Helper()
	b, err := o.Entry()
	if err != nil {
		f.t.Fatal(err)
	}
	f.add(entry.Submitted, k, b)
}

// seal publishes a body sealed and lays its opening down; it returns the opening's file.
func (f *folder) seal(label string, body []byte) string {
	f.t.Helper()
	o, err := entry.Seal(label, body)
	if err != nil {
		f.t.Fatal(err)
	}
	f.sealOpening(entry.SealedDigest, o)
	b, err := o.Marshal()
	if err != nil {
		f.t.Fatal(err)
	}
	name := entry.OpeningName(o)
	f.files[name] = &fstest.MapFile{Data: b}
	return name
}

// copy returns the files for a test to disturb.
func (f *folder) copy() fstest.MapFS {
	m := maps.Clone(f.files)
	for n, file := range m {
		m[n] = &fstest.MapFile{Data: bytes.Clone(file.Data)}
	}
	return m
}

func (f *folder) check(files fstest.MapFS) Report {
	f.t.Helper()
	r, err := Check(files, f.receipts)
	if err != nil {
		f.t.Fatal(err)
	}
	if r.OK != (len(r.Faults) == 0) {
		f.t.Errorf("ok is %v with %d faults", r.OK, len(r.Faults))
	}
	return r
}
