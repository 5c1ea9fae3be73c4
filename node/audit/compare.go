package audit

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"

	"entente/protocol/ledgerfile"
	"entente/protocol/roster"
)

// rightReceipt is a receipt that is right by itself.
type rightReceipt struct {
	file   string
	x      Receipt
	sealed *publication // in the member's chain; nil if the chain has a fault before it, or none is asked for
}

// omitted names the receipts whose sealed digest should be on the ledger and is not.
func (c *check) omitted() {
	if c.copy == nil || c.copy.broken {
		return
	}
	for _, r := range c.right {
		if r.sealed != nil && !c.copy.holds(r.sealed.sequence) && c.copy.late(r.sealed.time) {
			c.report.fault(r.file, fmt.Sprintf("omitted round: its sealed digest, entry %d of the submitted chain, is not on the ledger", r.sealed.sequence))
		}
	}
}

// Comparison is what the folders of two members say of each other. OK is true only if
// both are right by themselves and nothing is wrong between them. Its JSON form is stable.
type Comparison struct {
	OK      bool      `json:"ok"`
	Reports [2]Report `json:"reports"`
	Common  uint64    `json:"common"` // entries of the ledger up to which both agree
	Faults  []Fault   `json:"faults"` // between the two
	Notes   []string  `json:"notes"`
}

// Compare checks the folders of two members, and then whether their copies of the ledger
// agree and each other's rounds are sealed in them. The error is for folders that cannot be
// read at all.
func Compare(one, other fs.FS, receipts ReceiptCheck) (Comparison, error) {
	at := min(copied(one), copied(other))
	out := Comparison{Faults: []Fault{}, Notes: []string{}}
	var checks [2]*check
	for i, fsys := range []fs.FS{one, other} {
		c, err := run(fsys, receipts, at)
		if err != nil {
			return Comparison{}, err
		}
		checks[i], out.Reports[i] = c, c.report
	}
	a, b := checks[0], checks[1]
	if a.copy == nil || b.copy == nil {
		out.fault(ledgerfile.Folder, "one of the two has no copy of the ledger that could be compared")
	} else {
		out.trees(a, b, at)
		out.rounds(a, b)
		out.rounds(b, a)
	}
	out.OK = out.Reports[0].OK && out.Reports[1].OK && len(out.Faults) == 0
	return out, nil
}

// copied is how many entries a folder says that it has; 0 if it does not.
func copied(fsys fs.FS) uint64 {
	b, err := roster.ReadLimited(fsys, manifestFile, ledgerfile.MaxManifest)
	if err != nil {
		return 0
	}
	m, err := ledgerfile.ParseManifest(b)
	if err != nil {
		return 0
	}
	return m.Entries
}

func (o *Comparison) fault(file, problem string) {
	o.Faults = append(o.Faults, Fault{File: file, Problem: problem})
}

// trees compares the two trees at the smaller of the two sizes.
func (o *Comparison) trees(a, b *check, at uint64) {
	switch {
	case a.copy.origin != b.copy.origin: // of the first term
		o.fault(firstRosterFile, fmt.Sprintf("%s and %s hold the ledgers of different federations", a.member, b.member))
	case a.copy.tree.Size() >= at && b.copy.tree.Size() >= at && a.copy.roots[at] == b.copy.roots[at]:
		o.Common = at
	default:
		o.differ(a, b, at)
	}
}

// differ finds the first entry that is not the same.
func (o *Comparison) differ(a, b *check, at uint64) {
	nextA, stopA := iter.Pull2(copiedEntries(a.fsys))
	defer stopA()
	nextB, stopB := iter.Pull2(copiedEntries(b.fsys))
	defer stopB()
	for ; o.Common < at; o.Common++ {
		pa, errA, okA := nextA()
		pb, errB, okB := nextB()
		if !okA || !okB || errA != nil || errB != nil {
			o.fault(entriesFolder, fmt.Sprintf("the copies of %s and %s can be compared up to entry %d only, of %d", a.member, b.member, o.Common, at))
			return
		}
		if !bytes.Equal(pa.bytes, pb.bytes) {
			f := Fault{File: pa.file, Sequence: &o.Common, Offset: &pa.offset, Problem: fmt.Sprintf("%s and %s hold different entries", a.member, b.member)}
			if a.copy.out.Final > o.Common && b.copy.out.Final > o.Common {
				f.Problem += ", and a final checkpoint of each: whoever signed both broke the rules, and the two are evidence of it"
			}
			o.Faults = append(o.Faults, f)
			return
		}
	}
}

// copiedEntries lists a folder's entries as they are.
func copiedEntries(fsys fs.FS) iter.Seq2[placed, error] {
	return func(yield func(placed, error) bool) {
		files, err := fs.ReadDir(fsys, entriesFolder)
		if err != nil {
			yield(placed{}, err)
			return
		}
		for _, e := range files {
			name := path.Join(entriesFolder, e.Name())
			f, err := fsys.Open(name)
			if err != nil {
				yield(placed{}, err)
				return
			}
			for frame, err := range ledgerfile.Entries.Read(f) {
				if !yield(placed{name, frame.Offset, frame.Content}, err) {
					f.Close()
					return
				}
			}
			f.Close()
		}
	}
}

// rounds looks in the other member's folder for what a member's receipts are about.
func (o *Comparison) rounds(of, other *check) {
	for _, r := range of.right {
		if r.x.Partner != other.member || r.x.Sealed == nil {
			continue
		}
		p := other.openedUnder(certificateLabel, r.x.Sealed)
		switch {
		case p != nil && (other.copy.holds(p.sequence) || other.heldBy(of.copy, p)):
		case p != nil && other.copy.late(p.time):
			o.fault(r.file, fmt.Sprintf("omitted round: %s has a receipt of a round with %s, whose sealed digest, entry %d of its chain, is not on the ledger",
				of.member, other.member, p.sequence))
		case p != nil:
			o.Notes = append(o.Notes, fmt.Sprintf("%s of %s: the sealed digest of %s is not on the ledger as it is here", r.file, of.member, other.member))
		case !other.copy.manifest.Holds(r.x.Offered) || !other.copy.late(r.x.Offered):
			o.Notes = append(o.Notes, fmt.Sprintf("%s of %s is of a time that the folder of %s does not show", r.file, of.member, other.member))
		default:
			o.fault(r.file, fmt.Sprintf("omitted round: %s has a receipt of a round with %s, in whose folder nothing opens a sealed digest of it",
				of.member, other.member))
		}
	}
}

// heldBy reports whether another member's copy of the ledger, which may be the longer one,
// holds a member's entry.
func (c *check) heldBy(l *ledgerCopy, p *publication) bool {
	head := l.state.Head(c.member)
	return !head.Empty() && p.sequence <= head.Sequence
}

// Write prints both reports and what is between them for a person.
func (o Comparison) Write(w io.Writer) error {
	for _, r := range o.Reports {
		if err := r.Write(w); err != nil {
			return err
		}
	}
	p := printer{w: w}
	p.line("compared    %s with %s: the same %d entries of the ledger", o.Reports[0].Member, o.Reports[1].Member, o.Common)
	for _, n := range o.Notes {
		p.line("note        %s", n)
	}
	for _, f := range o.Faults {
		p.line("WRONG       %s", f)
	}
	if o.OK {
		p.line("both are right, and agree")
	} else {
		p.line("%d faults between the two", len(o.Faults))
	}
	return p.err
}
