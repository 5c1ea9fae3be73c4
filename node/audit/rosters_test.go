package audit

import (
	"strings"
	"testing"
	"testing/fstest"

	"entente/protocol/entry"
	"entente/protocol/roster"
)

// twice is a folder whose member joined two versions of the roster and has receipts
// under both; one round went over the change.
func twice(t testing.TB) (f *folder, first, second roster.Roster) {
	t.Helper()
	f = start(t)
	first, second = f.draw("bali", 1, "AU", "ID"), f.draw("bali", 2, "AU", "ID", "TH")
	f.bind(first)
	f.certify(first, "ID", f.now.UnixMilli())
	over, agreement := certificate(t, first, "ID", f.now.UnixMilli()+1)
	f.seal(agreementLabel, agreement[:])
	f.bind(second)
	f.receipt(over, certificateLabel)
	f.certify(second, "TH", f.now.UnixMilli())
	f.sealHead()
	return f, first, second
}

func TestReceiptsUnderTwoRosters(t *testing.T) {
	f, first, second := twice(t)
	r := audited(t, f.files)
	if !r.OK || len(r.Notes) != 0 || r.Receipts != 3 || r.Federation.Version != 2 {
		t.Fatalf("faults %v, notes %v, %d receipts", r.Faults, r.Notes, r.Receipts)
	}
	if len(r.Rosters) != 2 || r.Rosters[0].Words != first.Words() || r.Rosters[0].Receipts != 2 ||
		r.Rosters[1].Words != second.Words() || r.Rosters[1].Receipts != 1 || len(r.Rosters[1].Members) != 3 {
		t.Errorf("rosters %+v", r.Rosters)
	}
	var text strings.Builder
	if err := r.Write(&text); err != nil || !strings.Contains(text.String(), "roster    version 1 of bali, 2 members, 2 receipts\n") {
		t.Errorf("%v:\n%s", err, &text)
	}
	f.lay(rosterName, second) // joined again, with fresh signatures
	f.enter(2, second.Digest())
	if r := audited(t, f.files); !r.OK {
		t.Errorf("joined again: %v", r.Faults)
	}
}

func TestEveryAlteredRosterIsFound(t *testing.T) {
	f, _, _ := twice(t)
	for name, file := range f.files {
		if strings.HasSuffix(name, ".log") || name == "member.json" {
			continue // other tests alter these
		}
		for i := 0; i < len(file.Data); i += max(1, len(file.Data)/6) {
			files := f.copy()
			files[name].Data[i] ^= 1
			r := audited(t, files)
			found := false
			for _, x := range r.Faults {
				found = found || blames(x, name)
			}
			if !found {
				t.Errorf("%s: byte %d altered; faults %v", name, i, r.Faults)
			}
		}
	}
}

func TestRosterFaults(t *testing.T) {
	f, first, second := twice(t)
	one, two := keptName(first.Digest()), keptName(second.Digest())
	third := f.draw("bali", 3, "AU", "ID", "TH", "NZ")
	without := func(m fstest.MapFS, prefix string) {
		for name := range m {
			if strings.HasPrefix(name, prefix) {
				delete(m, name)
			}
		}
	}
	for name, c := range map[string]struct {
		disturb func(m fstest.MapFS)
		want    []string // parts of the faults' lines, in order
	}{
		"old one missing": {func(m fstest.MapFS) { without(m, one) }, []string{
			one + ": is missing, but entry 1 of the submitted chain says that this roster was joined",
			"agreed under a roster that is not here, or not right: " + one, "agreed under a roster that is not here"}},
		"old signature missing": {func(m fstest.MapFS) { delete(m, one+".ID.sig") }, []string{
			one + ".ID.sig: is missing", "not here, or not right", "not here, or not right"}},
		"old signature by another": {func(m fstest.MapFS) { m[one+".ID.sig"] = m[one+".AU.sig"] }, []string{
			one + ".ID.sig: not in the expected format", "not here, or not right", "not here, or not right"}},
		"old signature of the new one": {func(m fstest.MapFS) { m[one+".ID.sig"] = m[two+".ID.sig"] }, []string{
			one + ".ID.sig: the signature is for another roster", "not here, or not right", "not here, or not right"}},
		"old one renamed member": {func(m fstest.MapFS) {
			m[one].Data = []byte(strings.Replace(string(m[one].Data), "Member ID", "Member XX", 1))
		}, []string{"signature is for another roster", "signature is for another roster", "not here, or not right", "not here, or not right"}},
		"swapped": {func(m fstest.MapFS) {
			for _, s := range []string{"", ".AU.sig", ".ID.sig", ".TH.sig"} {
				a, b := m[one+s], m[two+s]
				delete(m, one+s)
				delete(m, two+s)
				if a != nil {
					m[two+s] = a
				}
				if b != nil {
					m[one+s] = b
				}
			}
		}, []string{"holds another roster than the one whose digest is its name", "holds another roster", "not here, or not right", "not here, or not right"}},
		"the old one in force again": {func(m fstest.MapFS) {
			without(m, rosterName)
			for name, file := range m {
				if s, ok := strings.CutPrefix(name, one); ok {
					m[rosterName+s] = file
				}
			}
		}, []string{"submitted.log: the last entry is bound to another roster than federation.json", "local.log: the last entry"}},
		"one that nobody joined": {func(m fstest.MapFS) {
			g := &folder{t: t, files: m}
			g.lay(keptName(third.Digest()), third)
		}, []string{keptName(third.Digest()) + ": no entry of the submitted chain", "no entry of the local chain"}},
		"without the member": {func(m fstest.MapFS) {
			g := &folder{t: t, files: m}
			r := f.draw("bali", 3, "ID", "TH")
			g.lay(keptName(r.Digest()), r)
		}, []string{"has no entry for AU"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := f.copy()
			c.disturb(files)
			r := audited(t, files)
			if len(r.Faults) != len(c.want) {
				t.Fatalf("faults %v", r.Faults)
			}
			for i, part := range c.want {
				if !strings.Contains(r.Faults[i].String(), part) {
					t.Errorf("fault %d is %q, want %q", i, r.Faults[i], part)
				}
			}
		})
	}
	if r := audited(t, f.copy()); !r.OK {
		t.Errorf("a case altered the others' folder: %v", r.Faults)
	}
}

// The roster in force alone is enough: a folder of a node that has joined once.
func TestKeptCopyOfTheRosterInForceMayLack(t *testing.T) {
	f := joined(t)
	for name := range f.files {
		if strings.HasPrefix(name, rostersName) {
			delete(f.files, name)
		}
	}
	if r := f.check(f.files); !r.OK || len(r.Rosters) != 1 {
		t.Errorf("faults %v, rosters %v", r.Faults, r.Rosters)
	}
}

func TestRosterMustHaveBeenInForce(t *testing.T) {
	first := func(f *folder) roster.Roster { return f.draw("bali", 1, "AU", "ID") }
	second := func(f *folder) roster.Roster { return f.draw("bali", 2, "AU", "ID", "TH") }
	for name, c := range map[string]struct {
		fill func(f *folder) (file string)
		want string // part of the only fault; empty: none
	}{
		"agreed before the roster was joined": {func(f *folder) string {
			f.bind(first(f))
			file := f.certify(second(f), "ID", f.now.UnixMilli())
			f.bind(second(f))
			return file
		}, "was agreed under version 2 of the roster in entry 2 of the submitted chain, but the roster was joined in entry 4"},
		"offered after it was replaced": {func(f *folder) string {
			f.bind(first(f))
			f.bind(second(f))
			return f.certify(first(f), "ID", f.now.UnixMilli()+clocks.Milliseconds())
		}, "under version 1 of the roster, which had been replaced in entry 2 of the submitted chain at"},
		"offered while clocks may differ": {func(f *folder) string {
			f.bind(first(f))
			f.bind(second(f))
			return f.certify(first(f), "ID", f.now.UnixMilli())
		}, ""},
		"agreed before, and the agreement's opening erased": {func(f *folder) string {
			f.bind(first(f))
			c, _ := certificate(f.t, second(f), "ID", f.now.UnixMilli())
			file := f.receipt(c, certificateLabel)
			f.bind(second(f))
			return file
		}, "in entry 2 of the submitted chain, but the roster was joined in entry 3"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			file := c.fill(f)
			r := audited(t, f.files)
			if c.want == "" {
				if !r.OK || r.Receipts != 1 {
					t.Errorf("faults %v", r.Faults)
				}
				return
			}
			only(t, r, file, c.want)
		})
	}
}

func TestJoinsOfAChain(t *testing.T) {
	for name, c := range map[string]struct {
		fill func(f *folder)
		want string // part of the first fault
	}{
		"back to an older version": {func(f *folder) {
			f.bind(f.draw("bali", 2, "AU", "ID"))
			f.bind(f.draw("bali", 1, "AU", "ID"))
		}, "joins version 1 of the roster after version 2"},
		"two of one version": {func(f *folder) {
			f.bind(f.draw("bali", 1, "AU", "ID"))
			f.bind(f.draw("bali", 1, "AU", "ID", "TH"))
		}, "joins version 1 of the roster after version 1"},
		"another version than it says": {func(f *folder) {
			r := f.draw("bali", 1, "AU", "ID")
			f.bind(r)
			f.enter(2, r.Digest())
		}, "says that it joins version 2 of the roster, which is version 1"},
		"another federation": {func(f *folder) {
			f.bind(f.draw("bali", 1, "AU", "ID"))
			f.bind(f.draw("other", 2, "AU", "ID"))
		}, "is the roster of another federation than rosters/"},
	} {
		f := start(t)
		c.fill(f)
		r := audited(t, f.files)
		if len(r.Faults) == 0 || !strings.Contains(r.Faults[0].String(), c.want) {
			t.Errorf("%s: %v", name, r.Faults)
		}
	}
}

// A restored node may have lost the entry by which it joined a roster that it still has.
func TestRosterJoinedInAGap(t *testing.T) {
	f := joined(t)
	f.restore(entry.Local, f.heads[entry.Local].Sequence)
	f.restore(entry.Submitted, f.heads[entry.Submitted].Sequence)
	lost := f.draw("bali", 2, "AU", "ID", "TH")
	f.lay(keptName(lost.Digest()), lost)
	f.bind(f.draw("bali", 3, "AU", "ID", "TH", "NZ"))
	f.roster = f.draw("bali", 1, "AU", "ID") // of the receipt
	r := f.check(f.files)
	if !r.OK || len(r.Rosters) != 3 || !strings.Contains(strings.Join(r.Notes, "\n"), keptName(lost.Digest())+": no entry of the local chain joins this roster") {
		t.Errorf("faults %v, notes %v", r.Faults, r.Notes)
	}
}

func TestStrangersAmongRosters(t *testing.T) {
	f := joined(t)
	for _, name := range []string{"rosters/readme", "rosters/00.json", "rosters/" + strings.Repeat("AB", 32) + ".json", "rosters/" + strings.Repeat("ab", 32) + ".json.ID.sig"} {
		f.files[name] = &fstest.MapFile{}
	}
	if r := f.check(f.files); !r.OK || len(r.Notes) != 4 {
		t.Errorf("faults %v, notes %v", r.Faults, r.Notes)
	}
}
