package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"strings"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/ledgerfile"
	"entente/protocol/recovery"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// Files of the copy of the ledger as an audit folder has them.
var (
	manifestFile    = path.Join(ledgerfile.Folder, ledgerfile.ManifestName)
	firstRosterFile = path.Join(ledgerfile.Folder, ledgerfile.RosterName)
	entriesFolder   = path.Join(ledgerfile.Folder, ledgerfile.EntriesFolder)
	checkpointsFile = path.Join(ledgerfile.Folder, ledgerfile.CheckpointsName)
	termsFile       = path.Join(ledgerfile.Folder, ledgerfile.TermsName)
)

// Bounds of what is replayed together.
const (
	replayedEntries = 1024
	replayedBytes   = 4 << 20
)

// placed is an entry in the copy of the ledger.
type placed struct {
	file   string
	offset int64
	bytes  []byte
}

// ownEntry is an entry of the member whose folder it is, as the ledger has it.
type ownEntry struct {
	numbered
	index uint64 // in the ledger
}

// inForceFrom is a roster that came into force by an entry of the ledger.
type inForceFrom struct {
	roster.Roster
	entry uint64
	file  string
}

// ledgerCopy is what a folder's copy of the ledger comes to, as far as it is right.
type ledgerCopy struct {
	*check
	manifest ledgerfile.Manifest
	origin   checkpoint.Origin
	first    roster.Roster
	state    *replay.State
	tree     checkpoint.Peaks
	out      *Ledger
	broken   bool // at an entry

	rosters []inForceFrom // that followed the first

	keys   keysInForce
	own    []ownEntry
	sealed map[[32]byte]uint64 // the member's sealed digests, by entry

	pull       func() (ledgerfile.Frame, error, bool)
	next       *signedCheckpoint // not compared with the tree yet
	seen       uint64            // size of the one before
	unreadable bool              // a fault in the file has hidden some
	astray     bool              // the tree was another one at a checkpoint

	terms  []openedTerm               // that have not begun yet
	newest checkpoint.Origin          // of the last checkpoint that is right
	roots  map[uint64]checkpoint.Hash // of the tree at sizes that are asked for; zero until then
}

// openedTerm is the opening of a ledger term in the copy.
type openedTerm struct {
	recovery.Opening
	base   uint64 // entries with which it begins
	offset int64
}

type signedCheckpoint struct {
	signed checkpoint.Signed
	checkpoint.Checkpoint
	offset int64
}

// ledger replays the copy of the ledger, if there is one. It comes before rosters and
// chains, since rosters that are signed by nobody but in force on the ledger bind them.
func (c *check) ledger() {
	if _, err := fs.Stat(c.fsys, ledgerfile.Folder); errors.Is(err, fs.ErrNotExist) {
		return
	}
	l := &ledgerCopy{check: c, sealed: map[[32]byte]uint64{}, roots: map[uint64]checkpoint.Hash{c.compareAt: {}}}
	if !l.readManifest() || !l.readFirst() {
		return
	}
	c.copy, c.report.Ledger = l, l.out
	if !l.readTerms() {
		return
	}
	stop := l.openCheckpoints()
	defer stop()
	l.begin()
	l.walk()
	l.complete()
	l.describe()
	l.leftovers()
}

// accounted compares the folder with its copy of the ledger.
func (c *check) accounted() {
	l := c.copy
	if l == nil {
		return
	}
	l.joinedFirst()
	l.chain()
	l.unopened()
}

func (l *ledgerCopy) readManifest() bool {
	b, err := roster.ReadLimited(l.fsys, manifestFile, ledgerfile.MaxManifest)
	if err == nil {
		l.manifest, err = ledgerfile.ParseManifest(b)
	}
	if err != nil {
		l.report.fault(manifestFile, fileProblem(err))
		return false
	}
	return true
}

// readFirst reads the roster with which the ledger begins.
func (l *ledgerCopy) readFirst() bool {
	r, signatures, err := roster.Load(l.fsys, firstRosterFile)
	if err == nil {
		err = r.Verify(signatures)
	}
	var v *roster.VerifyError
	switch {
	case errors.As(err, &v):
		l.blame(firstRosterFile, v)
		return false
	case err != nil:
		l.report.fault(firstRosterFile, fileProblem(err))
		return false
	}
	if l.state, err = replay.New(r); err != nil {
		l.report.fault(firstRosterFile, err)
		return false
	}
	if own, ok := r.Find(l.member); ok {
		l.keys.begin(own.Sign)
	}
	l.first, l.origin = r, checkpoint.Origin{Federation: r.Digest(), Term: 1}
	l.out = &Ledger{Begins: *describe(r), First: l.manifest.First.String(), Last: l.manifest.Last.String()}
	if l.manifest.Origin.Federation != l.origin.Federation {
		l.report.fault(manifestFile, fmt.Sprintf("names the ledger %s, but %s begins %s", l.manifest.Origin, firstRosterFile, l.origin))
	}
	return true
}

// readTerms reads the openings of later terms, and notes of which trees roots are needed.
func (l *ledgerCopy) readTerms() bool {
	f, err := l.fsys.Open(termsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		l.report.fault(termsFile, fileProblem(err))
		return false
	}
	defer f.Close()
	for frame, err := range ledgerfile.Terms.Read(f) {
		var o recovery.Opening
		if err == nil {
			o, err = recovery.Unmarshal(frame.Content)
		}
		var base checkpoint.Checkpoint
		if err == nil {
			base, err = o.Tree()
		}
		if err == nil && len(l.terms) == recovery.MaxTerms {
			err = errors.New("more terms than there can be")
		}
		if err != nil {
			offset := frame.Offset
			l.report.add(Fault{File: termsFile, Offset: &offset, Problem: err.Error()})
			return false
		}
		l.terms = append(l.terms, openedTerm{o, base.Size, frame.Offset})
		for _, size := range o.Sizes() {
			l.roots[size] = checkpoint.Hash{}
		}
	}
	return true
}

// begin begins those of the terms whose trees go on from here.
func (l *ledgerCopy) begin() {
	for len(l.terms) > 0 && l.terms[0].base == l.state.Size() && !l.broken {
		next := l.terms[0]
		err := l.state.Begin(next.Opening, func(size uint64) (checkpoint.Hash, error) {
			if size == l.tree.Size() {
				return l.tree.Root(), nil
			}
			if root, ok := l.roots[size]; ok && size < l.tree.Size() {
				return root, nil
			}
			return checkpoint.Hash{}, errors.New("it names a tree beyond its base")
		})
		if err != nil {
			l.stop(Fault{File: termsFile, Offset: &next.offset, Problem: err.Error()})
			return
		}
		l.terms = l.terms[1:]
		l.out.Terms++
	}
}

// walk replays the entries, file after file, up to the first that is not right.
func (l *ledgerCopy) walk() {
	files, err := fs.ReadDir(l.fsys, entriesFolder)
	if err != nil {
		l.stop(Fault{File: entriesFolder, Problem: fileProblem(err)})
		return
	}
	for _, f := range files {
		if l.broken {
			return
		}
		name := path.Join(entriesFolder, f.Name())
		want := ledgerfile.EntriesName(l.state.Size())
		if f.Name() != want || f.IsDir() {
			l.stop(Fault{File: name, Problem: fmt.Sprintf("is not the file that begins with entry %d, which comes next: %s is missing",
				l.state.Size(), path.Join(entriesFolder, want))})
			return
		}
		l.readEntries(name)
	}
	if len(files) == 0 {
		l.stop(Fault{File: entriesFolder, Problem: "holds no entry"})
	}
}

func (l *ledgerCopy) readEntries(name string) {
	f, err := l.fsys.Open(name)
	if err != nil {
		l.stop(Fault{File: name, Problem: fileProblem(err)})
		return
	}
	defer f.Close()
	var some []placed
	size, before := 0, l.state.Size()
	for frame, err := range ledgerfile.Entries.Read(f) {
		if err != nil {
			if l.replay(some); !l.broken {
				l.stopAt(name, err)
			}
			return
		}
		some, size = append(some, placed{name, frame.Offset, frame.Content}), size+len(frame.Content)
		if len(some) == replayedEntries || size >= replayedBytes {
			if l.replay(some); l.broken {
				return
			}
			some, size = some[:0], 0
		}
	}
	if l.replay(some); !l.broken && l.state.Size() == before {
		l.stop(Fault{File: name, Problem: "holds no entry"})
	}
}

// stop notes the fault that ends the replay: what follows hangs on nothing.
func (l *ledgerCopy) stop(f Fault) {
	l.report.add(f)
	l.broken = true
	l.report.note("ledger: what follows the fault was not checked")
}

// stopAt is stop for a file that cannot be read on.
func (l *ledgerCopy) stopAt(name string, err error) {
	next := l.state.Size()
	var e *ledgerfile.Error
	if errors.As(err, &e) {
		l.stop(Fault{File: name, Sequence: &next, Offset: &e.Offset, Problem: e.Err.Error()})
		return
	}
	l.stop(Fault{File: name, Sequence: &next, Problem: err.Error()})
}

// replay applies the next entries, and compares the tree where there is a checkpoint.
func (l *ledgerCopy) replay(some []placed) {
	for len(l.terms) > 0 && !l.broken {
		n := l.terms[0].base - min(l.terms[0].base, l.state.Size())
		if n == 0 || n >= uint64(len(some)) {
			break
		}
		l.apply(some[:n])
		some = some[n:]
	}
	if !l.broken {
		l.apply(some)
	}
}

func (l *ledgerCopy) apply(some []placed) {
	contents := make([][]byte, len(some))
	for i, p := range some {
		contents[i] = p.bytes
	}
	applied, err := l.state.ApplyAll(context.Background(), contents)
	for i, a := range applied {
		l.tree.Add(checkpoint.Leaf(contents[i]))
		l.count(a)
		l.noteKey(a)
		if a.Roster != nil {
			l.rosters = append(l.rosters, inForceFrom{*a.Roster, a.Index, some[i].file})
		}
		if _, wanted := l.roots[l.tree.Size()]; wanted {
			l.roots[l.tree.Size()] = l.tree.Root()
		}
		if i+1 == len(contents) {
			l.begin()
		}
		for l.next != nil && l.next.Size <= l.tree.Size() {
			l.compare()
		}
	}
	if err != nil {
		p := some[len(applied)]
		next := l.state.Size()
		l.stop(Fault{File: p.file, Sequence: &next, Offset: &p.offset, Problem: "cannot come next: " + err.Error()})
	}
}

// count takes down what a report says of an entry.
func (l *ledgerCopy) count(a replay.Applied) {
	l.out.Entries++
	if a.Void != nil {
		l.out.Void++
	}
	within := l.manifest.Holds(a.Entry.Time)
	if within {
		l.out.Within++
	}
	if a.Entry.Member != l.member {
		return
	}
	if within {
		l.out.Own++
	}
	l.own = append(l.own, ownEntry{numbered{a.Entry.Sequence, a.Digest, a.Entry.Time}, a.Index})
	if a.Entry.Kind == entry.SealedDigest {
		if d, err := a.Entry.SealedDigest(); err == nil {
			l.sealed[d] = a.Index
			l.out.Sealed.Published++
		}
	}
}

// openCheckpoints begins to read the checkpoints, and returns how to end that.
func (l *ledgerCopy) openCheckpoints() func() {
	f, err := l.fsys.Open(checkpointsFile)
	if err != nil {
		l.report.fault(checkpointsFile, fileProblem(err))
		l.unreadable = true
		return func() {}
	}
	pull, stop := iter.Pull2(ledgerfile.Checkpoints.Read(f))
	l.pull = pull
	l.advance()
	return func() { stop(); f.Close() }
}

// advance reads the next checkpoint.
func (l *ledgerCopy) advance() {
	if l.next != nil {
		l.seen, l.next = l.next.Size, nil
	}
	frame, err, ok := l.pull()
	var e *ledgerfile.Error
	switch {
	case !ok:
		return
	case errors.As(err, &e):
		l.checkpointFault(e.Offset, e.Err)
		l.unreadable = true
		return
	case err != nil:
		l.report.fault(checkpointsFile, err)
		l.unreadable = true
		return
	}
	s, c, err := checkpoint.Unmarshal(frame.Content)
	switch {
	case err != nil:
	case c.Origin.Federation != l.origin.Federation:
		err = fmt.Errorf("the checkpoint of %d entries is of the ledger %s, not of %s", c.Size, c.Origin, l.origin)
	case c.Size <= l.seen:
		err = fmt.Errorf("the checkpoint of %d entries comes after one of %d", c.Size, l.seen)
	}
	if err != nil {
		l.checkpointFault(frame.Offset, err)
		l.unreadable = true // what it hides cannot be told
		return
	}
	l.next = &signedCheckpoint{s, c, frame.Offset}
}

func (l *ledgerCopy) checkpointFault(offset int64, problem any) {
	l.report.add(Fault{File: checkpointsFile, Offset: &offset, Problem: fmt.Sprint(problem)})
}

// compare checks the next checkpoint, whose size the tree has now, and goes on to the one
// after it. The state may be ahead of it: it knows who decided before.
func (l *ledgerCopy) compare() {
	defer l.advance()
	n := l.next
	if l.astray {
		return // all that follow would say the same
	}
	if l.tree.Root() != n.Root {
		l.astray = true
		l.checkpointFault(n.offset, fmt.Sprintf(
			"the checkpoint of %d entries is of another tree: of entries %d to %d, at least one was changed, moved, left out or put in, or the checkpoint was changed",
			n.Size, l.out.Final, n.Size-1))
		return
	}
	if b, ok := l.state.Boundary(l.seen); ok && b < n.Size {
		l.checkpointFault(n.offset, fmt.Sprintf("a checkpoint of %d entries is missing before this one, of %d: who decides changes there", b, n.Size))
	}
	if !l.state.HasTree(n.Origin, n.Size) {
		l.checkpointFault(n.offset, fmt.Sprintf("the checkpoint of %d entries is of a term, %s, that had no such tree", n.Size, n.Origin))
		return
	}
	if err := l.state.CommitteeOf(n.Origin, n.Size).Final(n.signed); err != nil {
		l.checkpointFault(n.offset, fmt.Sprintf("the checkpoint of %d entries is not final: %v", n.Size, err))
		return
	}
	l.newest = n.Origin
	l.out.Final, l.out.Root = n.Size, fmt.Sprintf("%x", n.Root[:])
	l.out.Checkpoints++
}

// complete checks that entries, checkpoints and manifest end together.
func (l *ledgerCopy) complete() {
	if l.broken {
		return
	}
	size := l.tree.Size()
	if len(l.terms) > 0 {
		l.report.fault(termsFile, fmt.Sprintf("a term begins with %d entries, where there are %d", l.terms[0].base, size))
	}
	if l.manifest.Origin != l.state.Term() {
		l.report.fault(manifestFile, fmt.Sprintf("names the ledger %s, but these entries are of %s", l.manifest.Origin, l.state.Term()))
	}
	if len(l.terms) == 0 && l.out.Final == size && l.newest != l.state.Term() {
		l.report.fault(termsFile, fmt.Sprintf("nothing is final in %s, the last term", l.state.Term()))
	}
	if size != l.manifest.Entries {
		l.report.fault(manifestFile, fmt.Sprintf("says that there are %d entries, and there are %d", l.manifest.Entries, size))
	}
	switch {
	case l.next != nil:
		l.checkpointFault(l.next.offset, fmt.Sprintf("the checkpoint of %d entries goes beyond those that are here: entries from %d on are missing", l.next.Size, size))
	case l.unreadable: // and said to be
	case l.seen == 0:
		l.report.fault(checkpointsFile, "holds no checkpoint: nothing vouches for the entries")
	case l.seen < size:
		l.report.fault(checkpointsFile, fmt.Sprintf("ends with the checkpoint of %d entries: nothing vouches for entries %d to %d", l.seen, l.seen, size-1))
	}
}

// joinedFirst ties the ledger to the rosters that the member joined.
func (l *ledgerCopy) joinedFirst() {
	_, began := l.first.Find(l.member)
	_, joined := l.check.rosters[l.origin.Federation]
	_, now := l.state.Roster().Find(l.member)
	switch {
	case began && !joined && !l.refused[l.origin.Federation]:
		l.report.fault(firstRosterFile, "is not among the rosters that "+l.member+" joined")
	case !began && !now && len(l.own) == 0 && !l.broken:
		l.report.fault(firstRosterFile, "begins a ledger in which "+l.member+" has never been a member")
	}
}

// leftovers notes what lies in the copy and was not looked at.
func (l *ledgerCopy) leftovers() {
	entries, err := fs.ReadDir(l.fsys, ledgerfile.Folder)
	if err != nil {
		l.report.fault(ledgerfile.Folder, err)
	}
	for _, e := range entries {
		switch n := e.Name(); n {
		case ledgerfile.ManifestName, ledgerfile.RosterName, ledgerfile.EntriesFolder, ledgerfile.CheckpointsName, ledgerfile.TermsName:
		default:
			if !strings.HasPrefix(n, ledgerfile.RosterName+".") || !strings.HasSuffix(n, ".sig") {
				l.report.note("not part of the check: %s", path.Join(ledgerfile.Folder, n))
			}
		}
	}
}

// before reports whether a roster is the one with which the ledger began, when the member
// was none yet: it has never joined it, and has it to begin the replay.
func (c *check) before(r roster.Roster) bool {
	_, member := r.Find(c.member)
	return !member && c.copy != nil && r.Digest() == c.copy.origin.Federation
}

// vouched finds a roster that the ledger had in force by a final entry. Everybody who
// replays the ledger has it, so nobody signs it.
func (c *check) vouched(digest [32]byte) (*joinedRoster, bool) {
	if c.copy == nil {
		return nil, false
	}
	for _, r := range c.copy.rosters {
		if r.entry < c.copy.out.Final && r.Digest() == digest {
			return &joinedRoster{r.Roster, fmt.Sprintf("%s, entry %d", r.file, r.entry)}, true
		}
	}
	return nil, false
}
