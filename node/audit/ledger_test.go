package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/ledgerfile"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// story is a ledger with something of everything, final as far as it goes.
func story(t testing.TB) *book {
	t.Helper()
	b := open(t, "bali", 3)
	au := b.folders["AU"]
	b.grant("M00", 1000)
	for i := range 12 {
		b.add(b.ids[2+i%3], entry.SealedDigest, entry.Sealed{Digest: bytes.Repeat([]byte{byte(i)}, 32)})
		b.now = b.now.Add(time.Second)
	}
	b.round("AU", "ID", "first")
	b.add("M00", entry.BudgetSpent, entry.Spend{Kind: "phone", Period: 1, Class: 64})
	b.rekey("M01", 201)
	b.rotate("M00", 202)
	b.add("M00", entry.BudgetSpent, entry.Spend{Kind: "phone", Period: 1, Class: 64})
	b.add("M01", entry.BudgetSpent, entry.Spend{Kind: "phone", Period: 1, Class: 64}) // void
	au.now = b.now
	au.seal("lone/1", []byte("a thing"))
	b.tick()
	b.round("ID", "AU", "second")
	b.round("AU", "M00", "third")
	b.add("M02", entry.SealedDigest, entry.Sealed{Digest: bytes.Repeat([]byte{99}, 32)})
	b.final()
	return b
}

func TestLedgerCopy(t *testing.T) {
	b := story(t)
	files := b.export("AU")
	r := b.check(files)
	if !r.OK {
		t.Fatalf("faults: %v", r.Faults)
	}
	l := r.Ledger
	if l == nil || l.Entries != b.size || l.Final != b.size || l.Checkpoints != 2 || l.Void != 1 || b.voids != 1 || l.Own == 0 ||
		l.Version != 2 || len(l.Members) != 5 || l.Sealed != (Counts{4, 4}) || l.Begins.Words != b.roster.Words() || l.Within != l.Entries {
		t.Errorf("%+v, with %d entries", l, b.size)
	}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil || !strings.Contains(out.String(), "final by 2 checkpoints") {
		t.Errorf("%v: %s", err, &out)
	}
	// Others write to the same bytes, and files of any number of entries are read alike.
	other := b.export("ID")
	for name, f := range files {
		if strings.HasPrefix(name, ledgerfile.Folder+"/") && !bytes.Equal(f.Data, other[name].Data) {
			t.Errorf("%s differs between two exports", name)
		}
	}
	layEntries(t, files, entriesIn(t, files), 7)
	if r := b.check(files); !r.OK {
		t.Errorf("in small files: %v", r.Faults)
	}
	// A day without anything: all is checked, nothing counted.
	quiet := bytes.Replace(files[manifestFile].Data, []byte(days.First.String()), []byte(days.Last.String()), 1)
	files[manifestFile] = &fstest.MapFile{Data: quiet}
	if r := b.check(files); !r.OK || r.Ledger.Within != 0 || r.Ledger.Own != 0 || r.Ledger.Entries != b.size {
		t.Errorf("%v, %+v", r.Faults, r.Ledger)
	}
}

// entryAt is where the export has an entry of a member and kind: the first such from a
// place on.
func entryAt(t testing.TB, entries [][]byte, from int, member string, k entry.Kind) int {
	t.Helper()
	for i := from; i < len(entries); i++ {
		d, err := entry.Decode(entries[i])
		must(t, err)
		if e := d.Entry(); e.Kind == k && e.Member == member {
			return i
		}
	}
	t.Fatalf("no %s by %s from entry %d on", k, member, from)
	return 0
}

// each is how many entries the files have that are manipulated.
const each = 16

func nameOf(i int) string {
	return path.Join(entriesFolder, ledgerfile.EntriesName(uint64(i/each*each)))
}

// manipulated is what must be said of a folder in which something was changed.
type manipulated struct {
	name   string
	change func(files fstest.MapFS)
	fault  []string // parts of one fault
	notes  string   // part of a note, instead
}

// manipulations are those of entries and the files that hold them.
func manipulations(t testing.TB, b *book, files fstest.MapFS) []manipulated {
	entries := entriesIn(t, files)
	last := len(entries) - 1
	seal := entryAt(t, entries, 20, "M01", entry.SealedDigest)
	au := entryAt(t, entries, 20, "AU", entry.SealedDigest)
	swap := seal // and the one after it: of two members, of no consequence
	other := open(t, "lombok", 3)
	foreign := other.pending[len(other.pending)-1]
	lay := func(change func(es [][]byte) [][]byte) func(fstest.MapFS) {
		return func(files fstest.MapFS) { layEntries(t, files, change(slices.Clone(entries)), each) }
	}
	flip := func(i int, at func(b []byte) int) func(fstest.MapFS) {
		return lay(func(es [][]byte) [][]byte {
			es[i] = bytes.Clone(es[i])
			es[i][at(es[i])] ^= 1
			return es
		})
	}
	edit := func(name string, change func(b []byte) []byte) func(fstest.MapFS) {
		return func(files fstest.MapFS) { files[name] = &fstest.MapFile{Data: change(bytes.Clone(files[name].Data))} }
	}
	second := func(file string) []string { return []string{file, fmt.Sprintf("entry %d", each), "offset"} }
	in := func(i int) []string { return []string{nameOf(i), fmt.Sprintf("entry %d,", i), "offset"} }
	return []manipulated{
		{name: "byte in a body", change: flip(seal, func(b []byte) int { return bytes.Index(b, bytes.Repeat([]byte{1}, 32)) + 5 }),
			fault: append(in(seal), "signature does not verify")},
		{name: "byte in a signature", change: flip(seal, func(b []byte) int { return len(b) - 100 }), fault: append(in(seal), "signature does not verify")},
		{name: "first entry removed", change: lay(func(es [][]byte) [][]byte { return es[1:] }), fault: append(in(0), "does not follow")},
		{name: "middle entry removed", change: lay(func(es [][]byte) [][]byte { return slices.Delete(es, au, au+1) }),
			fault: []string{entriesFolder, "by AU", "does not follow"}},
		{name: "last entry removed", change: lay(func(es [][]byte) [][]byte { return es[:last] }),
			fault: []string{checkpointsFile, fmt.Sprintf("of %d entries", last+1), fmt.Sprintf("entries from %d on are missing", last)}},
		{name: "two entries swapped", change: lay(func(es [][]byte) [][]byte { es[swap], es[swap+1] = es[swap+1], es[swap]; return es }),
			fault: []string{checkpointsFile, "of another tree: of entries 0 to"}},
		{name: "entry twice", change: lay(func(es [][]byte) [][]byte { return slices.Insert(es, seal+1, es[seal]) }),
			fault: append(in(seal+1), "does not follow")},
		{name: "foreign entries appended", change: lay(func(es [][]byte) [][]byte { return append(es, foreign) }),
			fault: []string{fmt.Sprintf("entry %d,", last+1), "cannot come next"}},
		{name: "file renamed", change: func(files fstest.MapFS) {
			files[path.Join(entriesFolder, ledgerfile.EntriesName(each+1))] = files[nameOf(each)]
			delete(files, nameOf(each))
		}, fault: []string{ledgerfile.EntriesName(each + 1), nameOf(each) + " is missing"}},
		{name: "file missing", change: func(files fstest.MapFS) { delete(files, nameOf(each)) }, fault: []string{nameOf(each) + " is missing"}},
		{name: "file truncated", change: edit(nameOf(0), func(b []byte) []byte { return b[:len(b)-10] }),
			fault: []string{nameOf(0), fmt.Sprintf("entry %d", each-1), "ends in the middle"}},
		{name: "enormous length", change: edit(nameOf(each), func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[len(ledgerfile.Entries.Header()):], 1<<31)
			return b
		}), fault: append(second(nameOf(each)), "2147483648 bytes cannot be")},
		{name: "trailing garbage", change: edit(nameOf(last), func(b []byte) []byte { return append(b, 1, 2, 3, 4, 5) }),
			fault: []string{nameOf(last), fmt.Sprintf("entry %d", last+1), "cannot be"}},
		{name: "header changed", change: edit(nameOf(0), func(b []byte) []byte { b[3] ^= 1; return b }), fault: []string{nameOf(0), "does not begin with"}},
	}
}

// manipulationsBesides are those of checkpoints, manifest and roster, and of the rest of the
// folder.
func manipulationsBesides(t testing.TB, b *book, files fstest.MapFS) []manipulated {
	checkpoints := func(change func(all []checkpoint.Signed) []checkpoint.Signed) func(fstest.MapFS) {
		return func(files fstest.MapFS) { editCheckpoints(t, files, change) }
	}
	newest := func(change func(s *checkpoint.Signed)) func(fstest.MapFS) {
		return checkpoints(func(all []checkpoint.Signed) []checkpoint.Signed { change(&all[1]); return all })
	}
	replace := func(name, from, to string) func(fstest.MapFS) {
		return func(files fstest.MapFS) {
			files[name] = &fstest.MapFile{Data: []byte(strings.Replace(string(files[name].Data), from, to, 1))}
		}
	}
	size := fmt.Sprintf("the checkpoint of %d entries", b.size)
	sign := ledgerfile.Folder + "/roster.json.ID.sig"
	lone, sealed := openingOf(t, files, "lone/1", "a thing"), openingOf(t, files, certificateLabel, "first")
	index := entryAt(t, entriesIn(t, files), 0, "AU", entry.SealedDigest)
	log := entry.Submitted.LogName()
	au := b.folders["AU"]
	lastNumber, lastOffset := au.heads[entry.Submitted].Sequence, au.offsets[entry.Submitted][len(au.offsets[entry.Submitted])-1]
	return []manipulated{
		{name: "cosignatures swapped", change: newest(func(s *checkpoint.Signed) {
			x, y := &s.Signatures[len(s.Signatures)-1], &s.Signatures[len(s.Signatures)-2]
			x.Ed25519, y.Ed25519, x.MLDSA44, y.MLDSA44 = y.Ed25519, x.Ed25519, y.MLDSA44, x.MLDSA44
		}), fault: []string{checkpointsFile, size, "as cosigner: signature does not verify"}},
		{name: "sequencer's signature missing", change: newest(func(s *checkpoint.Signed) { s.Signatures = s.Signatures[1:] }),
			fault: []string{checkpointsFile, size, "3 sequencers of 4 needed; missing: AU"}},
		{name: "checkpoint of another size", change: newest(func(s *checkpoint.Signed) {
			c, err := s.Checkpoint()
			must(t, err)
			c.Size -= 3
			s.Text = c.Text()
		}), fault: []string{checkpointsFile, fmt.Sprintf("the checkpoint of %d entries is of another tree", b.size-3)}},
		{name: "boundary missing", change: checkpoints(func(all []checkpoint.Signed) []checkpoint.Signed { return all[1:] }),
			fault: []string{checkpointsFile, "is missing before this one", "who decides changes there"}},
		{name: "newest checkpoint missing", change: checkpoints(func(all []checkpoint.Signed) []checkpoint.Signed { return all[:1] }),
			fault: []string{checkpointsFile, fmt.Sprintf("to %d", b.size-1), "nothing vouches"}},
		{name: "checkpoint twice", change: checkpoints(func(all []checkpoint.Signed) []checkpoint.Signed { return append(all, all[1]) }),
			fault: []string{checkpointsFile, "comes after one of"}},
		{name: "roster signature changed", change: func(files fstest.MapFS) { files[sign] = files[ledgerfile.Folder+"/roster.json.AU.sig"] },
			fault: []string{sign, "the name says another"}},
		{name: "roster signature wrong", change: func(files fstest.MapFS) {
			s := files[sign].Data
			at := bytes.Index(s, []byte(`"signature": "`)) + 20
			s[at] = 'A' + (s[at]+1)%2 // another letter of base64
		}, fault: []string{sign, "the signature is wrong"}},
		{name: "manifest of another ledger", change: replace(manifestFile, "origin entente/", "origin entente/0"), fault: []string{manifestFile, "origin"}},
		{name: "manifest of another number", change: replace(manifestFile, fmt.Sprint("entries ", b.size), fmt.Sprint("entries ", b.size+1)),
			fault: []string{manifestFile, fmt.Sprintf("says that there are %d", b.size+1)}},
		{name: "manifest missing", change: func(files fstest.MapFS) { delete(files, manifestFile) }, fault: []string{manifestFile, "is missing"}},
		{name: "opened body changed", change: replace(sealed, "first", "First"), fault: []string{sealed, "opens no sealed digest"}},
		{name: "opened body of a receipt missing", change: func(files fstest.MapFS) { delete(files, sealed) },
			fault: []string{"receipts/first.cbor", "no opened digest"}, notes: fmt.Sprintf("entries %d", index)},
		{name: "opened body missing", change: func(files fstest.MapFS) { delete(files, lone) }, notes: "have no opening here: entries "},
		{name: "own entry left out", change: func(files fstest.MapFS) { files[log] = &fstest.MapFile{Data: files[log].Data[:lastOffset]} },
			fault: []string{log, fmt.Sprintf("entry %d", lastNumber), "is missing: the ledger holds it as entry"}},
	}
}

// openingOf is the file of an opening whose body ends so.
func openingOf(t testing.TB, files fstest.MapFS, label, end string) string {
	t.Helper()
	for name, f := range files {
		if strings.HasPrefix(name, entry.OpeningsFolder) {
			o, err := entry.UnmarshalOpening(f.Data)
			must(t, err)
			if o.Label == label && strings.HasSuffix(string(o.Body), end) {
				return name
			}
		}
	}
	t.Fatalf("nothing opens %s", label)
	return ""
}

func TestManipulationsAreNamed(t *testing.T) {
	b := story(t)
	right := b.export("AU")
	layEntries(t, right, entriesIn(t, right), each)
	for _, m := range slices.Concat(manipulations(t, b, right), manipulationsBesides(t, b, right)) {
		files := fstest.MapFS{}
		for name, f := range right {
			files[name] = &fstest.MapFile{Data: bytes.Clone(f.Data)}
		}
		m.change(files)
		r := b.check(files)
		named := slices.ContainsFunc(r.Faults, func(f Fault) bool {
			return !slices.ContainsFunc(m.fault, func(part string) bool { return !strings.Contains(f.String(), part) })
		})
		if len(m.fault) > 0 && (r.OK || !named) {
			t.Errorf("%s: want a fault with %q, got %v", m.name, m.fault, r.Faults)
		}
		if m.notes != "" && !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, m.notes) }) {
			t.Errorf("%s: want a note with %q, got %q", m.name, m.notes, r.Notes)
		}
	}
}

// What the ledger brings into force binds the member without a signature of anybody, but
// only if it is final.
func TestRostersOfTheLedger(t *testing.T) {
	b := story(t)
	b.add("M01", entry.AddressesChanged, entry.AddressState{Addresses: []string{}})
	b.flush()
	var r roster.Roster
	must(t, b.mirror.State(func(s *replay.State) { r = s.Roster() }))
	if r.Version != 3 {
		t.Fatalf("version %d", r.Version)
	}
	early := b.export("AU") // the entry that changes it is not final
	b.folders["AU"].now = b.now
	b.folders["AU"].enter(r.Version, r.Digest())
	for _, f := range []string{entry.Submitted.LogName(), entry.Local.LogName()} {
		early[f] = b.folders["AU"].copy()[f]
	}
	if got := b.check(early); !names(got.Faults, "rosters/", "is missing") {
		t.Errorf("not final: %v", got.Faults)
	}
	b.round("AU", "ID", "later")
	b.tick()
	b.final()
	files := b.export("AU")
	got, err := Check(files, func(file []byte, rosters Rosters, own string) (Receipt, error) {
		x, err := b.receiptOf(file, rosters, own)
		if strings.Contains(string(file), "later") {
			x.Roster = r.Digest()
		}
		if _, ok := rosters(x.Roster); !ok && err == nil {
			err = errors.New("no roster")
		}
		return x, err
	})
	must(t, err)
	if !got.OK || len(got.Rosters) != 2 || got.Rosters[1].Receipts != 1 || got.Rosters[1].Version != 3 {
		t.Errorf("%v, %+v", got.Faults, got.Rosters)
	}
}

// A member that came later has the first roster, which does not name it.
func TestFolderOfANewcomer(t *testing.T) {
	b := open(t, "bali", 3)
	nz := startOf(t, "NZ")
	b.now = b.now.Add(time.Second)
	card := card(t, "NZ", seeds["NZ"])
	body, err := entry.Propose(entry.Join, entry.Joining{Member: card.Member, Signature: card.Signature}, b.now.Add(time.Hour).UnixMilli())
	must(t, err)
	c, err := entry.Entry{Body: body}.Change()
	must(t, err)
	b.add("AU", entry.Proposal, c)
	d := b.head("AU").Digest
	for _, id := range b.ids[1:4] {
		b.add(id, entry.Approval, entry.Reference{Proposal: d[:]})
	}
	b.final()
	var r roster.Roster
	must(t, b.mirror.State(func(s *replay.State) { r = s.Roster() }))
	nz.now = b.now
	nz.files[rosterName] = b.folders["AU"].files[rosterName]
	for _, id := range b.ids {
		nz.files[roster.SignatureName(rosterName, id)] = b.folders["AU"].files[roster.SignatureName(rosterName, id)]
	}
	nz.enter(r.Version, r.Digest())
	b.folders["NZ"], b.taken["NZ"] = nz, len(entry.LogHeader(entry.Submitted))
	b.ids = append(b.ids, "NZ")
	b.tick()
	b.final()
	if got := b.check(b.export("NZ")); !got.OK || len(got.Rosters) != 1 || got.Rosters[0].Version != 2 || got.Ledger.Own == 0 {
		t.Errorf("%v, %+v", got.Faults, got.Rosters)
	}
	// Without the ledger nobody vouches for that roster.
	if got := b.check(nz.copy()); got.OK {
		t.Error("without the ledger it is right too")
	}
}
