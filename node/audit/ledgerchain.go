package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/protocol/entry"
)

// settling is how much older than the ledger's clock an entry of the member's chain may be
// and not be on the ledger yet: members' clocks differ, and a node may be cut off for a while.
const settling = time.Hour

// maxNamed bounds the entries that one note lists.
const maxNamed = 10

// Ledger is what a folder's copy of the ledger holds, as far as it is right.
type Ledger struct {
	Begins      Federation `json:"begins"` // with which roster
	Entries     uint64     `json:"entries"`
	Void        uint64     `json:"void"`        // of these: they have no effect
	Final       uint64     `json:"final"`       // entries that the newest right checkpoint covers
	Root        string     `json:"root"`        // of the tree over these, hex
	Checkpoints int        `json:"checkpoints"` // that are right
	Clock       string     `json:"clock"`       // the ledger's time after all entries; empty if it has none
	Version     uint64     `json:"version"`     // of the roster after all entries
	Members     []string   `json:"members"`     // in that roster
	Sequencers  []string   `json:"sequencers"`
	Terms       int        `json:"terms"` // after the first, which people had to begin
	Suspended   []string   `json:"suspended"`
	Convicted   []string   `json:"convicted"` // against whom the ledger holds evidence
	First       string     `json:"first"`     // day that the asker wanted to see
	Last        string     `json:"last"`
	Within      uint64     `json:"within"` // entries of these days, by their authors' clocks
	Own         uint64     `json:"own"`    // of these, the member's
	Sealed      Counts     `json:"sealed"` // the member's sealed digests, of all days
}

// describe fills in what the state is after the entries.
func (l *ledgerCopy) describe() {
	l.out.Version = l.state.Roster().Version
	if clock := l.state.Clock(); clock > 0 {
		l.out.Clock = moment(clock)
	}
	l.out.Members, l.out.Suspended, l.out.Convicted = []string{}, []string{}, []string{}
	for _, m := range l.state.Roster().Members {
		l.out.Members = append(l.out.Members, m.ID)
	}
	l.out.Suspended = append(l.out.Suspended, l.state.Suspended()...)
	l.out.Sequencers = append([]string{}, l.state.Sequencers()...)
	for id := range l.state.Convicted() {
		l.out.Convicted = append(l.out.Convicted, id)
	}
	slices.Sort(l.out.Convicted)
}

// chain compares the member's submitted chain with what the ledger holds of it.
func (l *ledgerCopy) chain() {
	log := entry.Submitted.LogName()
	mine := l.digests[entry.Submitted]
	for _, o := range l.own {
		digest, found := l.digestOf(entry.Submitted, o.sequence)
		switch {
		case found && digest != o.digest:
			l.report.add(Fault{File: log, Sequence: &o.sequence, Problem: fmt.Sprintf("is another entry than the one that the ledger holds as entry %d", o.index)})
			return
		case found:
			continue
		case l.check.broken[entry.Submitted] && (len(mine) == 0 || o.sequence > mine[len(mine)-1].sequence):
			return // it may follow the fault
		}
		l.report.add(Fault{File: log, Sequence: &o.sequence, Problem: fmt.Sprintf("is missing: the ledger holds it as entry %d", o.index)})
		return
	}
	if l.broken {
		return // the ledger may hold what follows
	}
	later, held := 0, false
	for _, n := range mine {
		if l.holds(n.sequence) {
			continue
		}
		if later++; !held && l.late(n.time) {
			held = true
			l.report.add(Fault{File: log, Sequence: &n.sequence, Problem: fmt.Sprintf(
				"is not on the ledger, whose clock is at %s, an hour or more after the entry's %s: it was held back, or was not let in",
				moment(l.state.Clock()), moment(n.time))})
		}
	}
	if later > 0 && !held {
		l.report.note("%d entries at the end of the submitted chain are not on the ledger as it is here", later)
	}
}

// head is the number of the member's newest entry on the ledger; false if there is none.
func (l *ledgerCopy) head() (uint64, bool) {
	if len(l.own) == 0 {
		return 0, false
	}
	return l.own[len(l.own)-1].sequence, true
}

// holds reports whether the ledger holds the member's chain up to a number.
func (l *ledgerCopy) holds(sequence uint64) bool {
	head, any := l.head()
	return any && sequence <= head
}

// late reports whether an entry of that time should be on the ledger by now. Those of a
// member that has no part are not let in.
func (l *ledgerCopy) late(milliseconds int64) bool {
	_, member := l.state.Roster().Find(l.member)
	part := member && !slices.Contains(l.state.Suspended(), l.member)
	return part && milliseconds+settling.Milliseconds() < l.state.Clock()
}

// unopened checks that what the folder opens is sealed on the ledger, and says what is not
// open there.
func (l *ledgerCopy) unopened() {
	opened := map[[32]byte]bool{}
	for d, p := range l.published {
		if p.kind != entry.SealedDigest || p.opening == nil || !l.holds(p.sequence) {
			continue
		}
		if _, ok := l.sealed[d]; !ok {
			l.report.faultAt(entry.Submitted.LogName(), p.sequence, p.offset, "seals what the ledger does not hold")
			continue
		}
		opened[d] = true
	}
	l.out.Sealed.Opened = len(opened)
	within := map[uint64]bool{} // entries of the ledger by the days asked for
	for _, o := range l.own {
		within[o.index] = l.manifest.Holds(o.time)
	}
	var names []uint64
	for d, index := range l.sealed {
		if !opened[d] && within[index] {
			names = append(names, index)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	var list []string
	for _, n := range names[:min(len(names), maxNamed)] {
		list = append(list, fmt.Sprint(n))
	}
	if len(names) > maxNamed {
		list = append(list, "…")
	}
	l.report.note("ledger: %d digests that %s sealed from %s to %s have no opening here: entries %s",
		len(names), l.member, l.out.First, l.out.Last, strings.Join(list, ", "))
}

// write prints what the copy holds for a person.
func (l *Ledger) write(p *printer, member string) {
	clock := l.Clock
	if clock == "" {
		clock = "not begun"
	}
	p.line("ledger      %d entries, %d of them void; %d final by %d checkpoints; clock %s", l.Entries, l.Void, l.Final, l.Checkpoints, clock)
	p.line("  begins    %s, version %d, %d members, signed by all", l.Begins.Name, l.Begins.Version, len(l.Begins.Members))
	p.line("  words     %s", l.Begins.Words)
	p.line("  now       version %d of the roster, %d members, %d of them suspended; sequencers %s",
		l.Version, len(l.Members), len(l.Suspended), strings.Join(l.Sequencers, ", "))
	if l.Terms > 0 {
		p.line("  terms     %d begun after the first, by pledges of enough members", l.Terms)
	}
	if len(l.Convicted) > 0 {
		p.line("  convicted %s", strings.Join(l.Convicted, ", "))
	}
	p.line("  days      %s to %s: %d entries, %d of %s", l.First, l.Last, l.Within, l.Own, member)
	p.line("  digests   %d sealed by %s, %d opened and right", l.Sealed.Published, member, l.Sealed.Opened)
}
