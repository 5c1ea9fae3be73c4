package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"entente/crypto/sign"
	"entente/node/ledger"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/ledgerfile"
	"entente/protocol/roster"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writer is a member whose chain is on the ledger only.
type writer struct {
	author entry.Author
	head   entry.Head
}

// book is a ledger that members write, with the audit folders of some of them.
type book struct {
	t          testing.TB
	roster     roster.Roster
	signatures []roster.Signature
	ids        []string
	folders    map[string]*folder
	writers    map[string]*writer
	cosigning  map[string]*sign.CosigningKey
	mirror     *ledger.Mirror
	now        time.Time
	taken      map[string]int // bytes of each folder's log that are on the ledger
	pending    [][]byte
	size       uint64 // entries in the mirror
	voids      int
}

// bookSeed is that of a member's keys.
func bookSeed(id string) byte {
	if s, ok := seeds[id]; ok {
		return s
	}
	return 20 + 10*(id[1]-'0') + id[2] - '0'
}

// open begins the ledger of a federation, in which AU and ID have audit folders, and others
// are named M00, M01 and so on.
func open(t testing.TB, name string, others int) *book {
	t.Helper()
	b := &book{
		t: t, ids: []string{"AU", "ID"}, folders: map[string]*folder{}, writers: map[string]*writer{},
		cosigning: map[string]*sign.CosigningKey{}, now: time.UnixMilli(1_790_000_000_000), taken: map[string]int{},
	}
	for i := range others {
		b.ids = append(b.ids, fmt.Sprintf("M%02d", i))
	}
	var cards []roster.Card
	for _, id := range b.ids {
		cards = append(cards, card(t, id, bookSeed(id)))
		k, err := sign.NewCosigningKey(bytes.Repeat([]byte{bookSeed(id)}, sign.CosigningSeedSize))
		must(t, err)
		b.cosigning[id] = k
	}
	var err error
	b.roster, err = roster.New(name, cards)
	must(t, err)
	b.roster.Sequencers = b.ids[:min(len(b.ids), roster.MaxSequencers)]
	b.mirror, err = ledger.OpenMirror(t.Context(), filepath.Join(t.TempDir(), "mirror"), b.roster)
	must(t, err)
	t.Cleanup(func() { must(t, b.mirror.Close()) })
	d := b.roster.Digest()
	joined := entry.RosterState{Version: 1, Digest: d[:]}
	for _, id := range b.ids {
		s, err := b.roster.Sign(id, key(t, bookSeed(id)))
		must(t, err)
		b.signatures = append(b.signatures, s)
		if id == "AU" || id == "ID" {
			b.folders[id] = startOf(t, id)
			b.taken[id] = len(entry.LogHeader(entry.Submitted))
			b.bind(b.folders[id])
		} else {
			b.writers[id] = &writer{author: entry.Author{Member: id, Key: key(t, bookSeed(id))}}
			b.add(id, entry.Created, nil)
			b.add(id, entry.RosterJoined, joined)
		}
		b.nameKey(id)
	}
	b.add("AU", entry.Genesis, joined)
	b.tick()
	return b
}

// bind lets a folder join the first roster.
func (b *book) bind(f *folder) {
	f.roster = b.roster
	for _, file := range []string{keptName(b.roster.Digest()), rosterName} {
		f.json(file, b.roster)
		for _, id := range b.ids {
			s, err := b.roster.Sign(id, key(b.t, bookSeed(id)))
			must(b.t, err)
			f.json(roster.SignatureName(file, id), s)
		}
	}
	f.enter(1, b.roster.Digest())
}

func (b *book) head(id string) entry.Head {
	if f, ok := b.folders[id]; ok {
		return f.heads[entry.Submitted]
	}
	return b.writers[id].head
}

// add writes a member's next entry.
func (b *book) add(id string, k entry.Kind, v any) {
	b.t.Helper()
	var body []byte
	if v != nil {
		var err error
		body, err = entry.Body(v)
		must(b.t, err)
	}
	if f, ok := b.folders[id]; ok {
		f.now = b.now
		f.add(entry.Submitted, k, body)
		b.collect()
		return
	}
	w := b.writers[id]
	s, head, err := w.author.Next(w.head, entry.Submitted, k, body, b.now)
	must(b.t, err)
	b.take(s)
	w.head = head
}

func (b *book) take(s entry.Signed) {
	encoded, err := s.Marshal()
	must(b.t, err)
	b.pending = append(b.pending, encoded)
}

// collect takes up what the folders' chains have grown by.
func (b *book) collect() {
	for _, id := range b.ids {
		f, ok := b.folders[id]
		if !ok {
			continue
		}
		log := f.files[entry.Submitted.LogName()].Data
		for b.taken[id] < len(log) {
			n := int(binary.BigEndian.Uint32(log[b.taken[id]:]))
			b.taken[id] += 4
			b.pending = append(b.pending, bytes.Clone(log[b.taken[id]:b.taken[id]+n]))
			b.taken[id] += n
		}
	}
}

// flush puts all on the ledger.
func (b *book) flush() {
	b.t.Helper()
	b.collect()
	applied, err := b.mirror.Append(b.pending...)
	must(b.t, err)
	for _, a := range applied {
		if a.Void != nil {
			b.voids++
		}
	}
	b.size, b.pending = b.size+uint64(len(applied)), nil
}

// final makes the ledger final as far as it goes, by as few as can.
func (b *book) final() {
	b.t.Helper()
	b.flush()
	c, err := b.mirror.Checkpoint(b.size)
	must(b.t, err)
	s := checkpoint.Signed{Text: c.Text()}
	sequencers := b.roster.Sequencers
	for _, id := range sequencers[:checkpoint.SequencerQuorum(len(sequencers))] {
		s.Signatures = append(s.Signatures, checkpoint.Sign(c, id, checkpoint.Sequencer, b.cosigning[id], b.now))
	}
	for _, id := range b.ids[:checkpoint.Quorum(len(b.ids))] {
		s.Signatures = append(s.Signatures, checkpoint.Sign(c, id, checkpoint.Cosigner, b.cosigning[id], b.now))
	}
	must(b.t, b.mirror.Finalise(s))
}

// tick lets a minute pass.
func (b *book) tick() {
	b.now = b.now.Add(time.Minute)
	for _, id := range b.roster.Sequencers {
		b.add(id, entry.Tick, nil)
	}
}

func (b *book) nameKey(id string) {
	k, err := entry.NewKeyState(b.head(id), id, b.cosigning[id])
	must(b.t, err)
	b.add(id, entry.CosigningKey, k)
}

// rekey gives a member another cosigning key, which is a change of who decides.
func (b *book) rekey(id string, seed byte) {
	old := b.cosigning[id]
	next, err := sign.NewCosigningKey(bytes.Repeat([]byte{seed}, sign.CosigningSeedSize))
	must(b.t, err)
	b.cosigning[id] = next
	b.nameKey(id)
	b.cosigning[id] = old
	b.final()
	b.cosigning[id] = next
}

// rotate gives a member another signing key.
func (b *book) rotate(id string, seed byte) {
	w := b.writers[id]
	transport := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{bookSeed(id) ^ 0x80}, 32))
	s, head, err := w.author.Rotate(w.head, entry.Submitted, key(b.t, seed), transport, b.now)
	must(b.t, err)
	b.take(s)
	w.head, w.author.Key = head, key(b.t, seed)
}

// grant gives a member a budget, by proposal and approvals.
func (b *book) grant(id string, items uint64) {
	body, err := entry.Propose(entry.Grant, entry.Granted{Member: id, Kind: "phone", Period: 1, Items: items}, b.now.Add(time.Hour).UnixMilli())
	must(b.t, err)
	var c entry.Change
	c, err = entry.Entry{Body: body}.Change()
	must(b.t, err)
	b.add(b.ids[0], entry.Proposal, c)
	d := b.head(b.ids[0]).Digest
	for _, other := range b.ids[1:checkpoint.Quorum(len(b.ids))] {
		b.add(other, entry.Approval, entry.Reference{Proposal: d[:]})
	}
}

// round is what a round of two members leaves in their folders.
func (b *book) round(one, other, what string) {
	content := []byte(fmt.Sprintf("%s %s %d %s", one, other, b.now.UnixMilli(), what))
	for _, id := range []string{one, other} {
		if f, ok := b.folders[id]; ok {
			f.now = b.now
			f.files["receipts/"+what+".cbor"] = &fstest.MapFile{Data: content}
			f.seal(certificateLabel, append([]byte("sealed: "), content...))
		}
	}
	b.collect()
}

// receiptOf reads what round writes.
func (b *book) receiptOf(file []byte, _ Rosters, own string) (Receipt, error) {
	var one, other, what string
	x := Receipt{Roster: b.roster.Digest(), Sealed: append([]byte("sealed: "), file...)}
	if _, err := fmt.Sscan(string(file), &one, &other, &x.Offered, &what); err != nil || one != own && other != own {
		return Receipt{}, sign.ErrSignature
	}
	if x.Partner = one; one == own {
		x.Partner = other
	}
	return x, nil
}

// days holds all that a book writes.
var days = ledgerfile.Period{First: ledgerfile.DayOf(1_790_000_000_000), Last: ledgerfile.DayOf(1_790_000_000_000) + 30}

// export is a member's audit folder with the copy of the ledger.
func (b *book) export(id string) fstest.MapFS {
	b.t.Helper()
	dir := filepath.Join(b.t.TempDir(), ledgerfile.Folder)
	must(b.t, b.mirror.Export(b.t.Context(), dir, b.roster, b.signatures, days))
	files := b.folders[id].copy()
	must(b.t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		files[path.Join(ledgerfile.Folder, filepath.ToSlash(rel))] = &fstest.MapFile{Data: content}
		return err
	}))
	return files
}

func (b *book) check(files fstest.MapFS) Report {
	b.t.Helper()
	r, err := Check(files, b.receiptOf)
	must(b.t, err)
	return r
}

// entriesIn are the entries of an export.
func entriesIn(t testing.TB, files fstest.MapFS) (out [][]byte) {
	t.Helper()
	for p, err := range copiedEntries(files) {
		must(t, err)
		out = append(out, p.bytes)
	}
	return out
}

// layEntries puts these in place of an export's entries, so many to a file.
func layEntries(t testing.TB, files fstest.MapFS, entries [][]byte, each int) {
	t.Helper()
	for name := range files {
		if strings.HasPrefix(name, entriesFolder+"/") {
			delete(files, name)
		}
	}
	next := 0
	for some := range slices.Chunk(entries, each) {
		b := ledgerfile.Entries.Header()
		for _, one := range some {
			var err error
			b, err = ledgerfile.Entries.AppendFrame(b, one)
			must(t, err)
		}
		files[path.Join(entriesFolder, ledgerfile.EntriesName(uint64(next)))] = &fstest.MapFile{Data: b}
		next += len(some)
	}
}

// editCheckpoints changes an export's checkpoints.
func editCheckpoints(t testing.TB, files fstest.MapFS, edit func([]checkpoint.Signed) []checkpoint.Signed) {
	t.Helper()
	var all []checkpoint.Signed
	for f, err := range ledgerfile.Checkpoints.Read(bytes.NewReader(files[checkpointsFile].Data)) {
		must(t, err)
		s, _, err := checkpoint.Unmarshal(f.Content)
		must(t, err)
		all = append(all, s)
	}
	b := ledgerfile.Checkpoints.Header()
	for _, s := range edit(all) {
		encoded, err := s.Marshal()
		must(t, err)
		b, err = ledgerfile.Checkpoints.AppendFrame(b, encoded)
		must(t, err)
	}
	files[checkpointsFile] = &fstest.MapFile{Data: b}
}
