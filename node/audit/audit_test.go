package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"entente/protocol/entry"
)

func TestRightFolder(t *testing.T) {
	f := joined(t)
	r := f.check(f.files)
	if !r.OK || len(r.Notes) != 0 {
		t.Fatalf("faults %v, notes %v", r.Faults, r.Notes)
	}
	if r.Member != "AU" || r.Federation == nil || r.Federation.Words != f.roster.Words() || !slices.Equal(r.Federation.Members, []string{"AU", "ID"}) {
		t.Errorf("member %s, federation %+v", r.Member, r.Federation)
	}
	if r.LocalHeads != (Counts{2, 2}) || r.Sealed != (Counts{2, 2}) || r.Receipts != 1 {
		t.Errorf("heads %v, digests %v, receipts %d", r.LocalHeads, r.Sealed, r.Receipts)
	}
	want := map[string]int{"submitted": 6, "local": 6}
	for _, c := range r.Chains {
		if c.Entries != want[c.Name] || c.First != "2026-09-21T14:13:20Z" && c.Name == "local" || len(c.Head) != 64 {
			t.Errorf("chain %+v", c)
		}
	}
}

func TestBeforeJoining(t *testing.T) {
	f := start(t)
	if r := f.check(f.files); !r.OK || r.Federation != nil {
		t.Errorf("faults %v", r.Faults)
	}
}

// One altered byte anywhere in the folder must be found, and in the file that holds it.
func TestEveryAlteredByteIsFound(t *testing.T) {
	f := joined(t)
	f.files["head"] = &fstest.MapFile{Data: []byte(f.head())}
	for name, file := range f.files {
		step := max(1, len(file.Data)/25)
		for i := 0; i < len(file.Data); i += step {
			files := f.copy()
			files[name].Data[i] ^= 1
			r := f.check(files)
			if r.OK || !slices.ContainsFunc(r.Faults, func(x Fault) bool { return blames(x, name) }) {
				t.Errorf("%s: byte %d altered; faults %v", name, i, r.Faults)
			}
		}
	}
}

// blames reports whether a fault names the file, or the roster for one of its signatures.
func blames(x Fault, name string) bool {
	return x.File == name || strings.HasPrefix(name, x.File+".") || strings.HasPrefix(x.File, name+".")
}

func TestFaultSaysWhere(t *testing.T) {
	f := joined(t)
	for i, offset := range f.offsets[entry.Local] {
		files := f.copy()
		files["local.log"].Data[offset+40] ^= 1
		r := f.check(files)
		if len(r.Faults) == 0 || r.Faults[0].Sequence == nil || *r.Faults[0].Sequence != uint64(i) || *r.Faults[0].Offset != offset {
			t.Errorf("entry %d at %d altered: %v", i, offset, r.Faults)
		}
	}
}

func TestFaults(t *testing.T) {
	f := joined(t)
	cut := func(log string, c entry.Chain, i int) func(fstest.MapFS) {
		return func(m fstest.MapFS) { m[log].Data = m[log].Data[:f.offsets[c][i]] }
	}
	remove := func(name string) func(fstest.MapFS) { return func(m fstest.MapFS) { delete(m, name) } }
	opening := ""
	for name := range f.files {
		if strings.HasPrefix(name, "openings/") && bytes.Contains(f.files[name].Data, []byte("agreement")) {
			opening = name
		}
	}
	for name, c := range map[string]struct {
		disturb func(fstest.MapFS)
		want    string // part of the first fault's line
	}{
		"no card":              {remove("member.json"), "member.json: is missing"},
		"no roster":            {remove("federation.json"), "federation.json: is missing, but the submitted chain says"},
		"signature missing":    {remove("federation.json.ID.sig"), "federation.json.ID.sig: is missing"},
		"no local log":         {remove("local.log"), "local.log: is missing"},
		"no submitted log":     {remove("submitted.log"), "submitted.log: is missing"},
		"local cut short":      {cut("local.log", entry.Local, 5), "seals a head that the local chain does not open"},
		"submitted cut short":  {cut("submitted.log", entry.Submitted, 5), "opens a sealed head that the submitted chain does not hold"},
		"local empty":          {cut("local.log", entry.Local, 0), "local.log: has no entry"},
		"local torn":           {func(m fstest.MapFS) { m["local.log"].Data = m["local.log"].Data[:f.offsets[entry.Local][5]+9] }, fmt.Sprintf("local.log, entry 5, offset %d: the file ends in the middle", f.offsets[entry.Local][5])},
		"logs exchanged":       {func(m fstest.MapFS) { m["local.log"], m["submitted.log"] = m["submitted.log"], m["local.log"] }, "no log of the submitted chain"},
		"another's card":       {func(m fstest.MapFS) { other(t, m, "ID", 2) }, "entry is by AU, not by ID"},
		"stranger's card":      {func(m fstest.MapFS) { other(t, m, "TH", 3) }, "has no entry for TH"},
		"card with other keys": {func(m fstest.MapFS) { other(t, m, "AU", 3) }, "names other keys than the card"},
		"receipt altered":      {func(m fstest.MapFS) { m["receipts/1.cbor"].Data[0]++ }, "receipts/1.cbor: signature does not verify"},
		"receipt too long":     {func(m fstest.MapFS) { m["receipts/1.cbor"].Data = make([]byte, maxReceipt+1) }, "receipts/1.cbor: read"},
		"opening invented": {func(m fstest.MapFS) {
			o, err := entry.Seal("x", nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := o.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			m["openings/x.cbor"] = &fstest.MapFile{Data: b}
		}, "openings/x.cbor: opens no sealed digest"},
		"opening twice":    {func(m fstest.MapFS) { m["openings/z.cbor"] = m[opening] }, "openings/z.cbor: opens what another file opens already"},
		"opening too long": {func(m fstest.MapFS) { m[opening].Data = make([]byte, entry.MaxEntry+1) }, "has more than"},
	} {
		files := f.copy()
		c.disturb(files)
		r := f.check(files)
		if len(r.Faults) == 0 || !strings.Contains(r.Faults[0].String(), c.want) {
			t.Errorf("%s: %v", name, r.Faults)
		}
	}
}

func other(t *testing.T, m fstest.MapFS, id string, seed byte) {
	t.Helper()
	b, err := card(t, id, seed).JSON()
	if err != nil {
		t.Fatal(err)
	}
	m["member.json"] = &fstest.MapFile{Data: b}
}

func TestErasedOpeningIsNoFault(t *testing.T) {
	f := joined(t)
	name := f.seal("entente/test/3", []byte("to be erased"))
	delete(f.files, name)
	r := f.check(f.files)
	if !r.OK || !slices.Contains(r.Notes, "1 sealed digests have no opening here") {
		t.Errorf("faults %v, notes %v", r.Faults, r.Notes)
	}
}

func TestReceiptMustBeSealed(t *testing.T) {
	f := joined(t)
	d := f.roster.Digest()
	unsealed := func([]byte, Rosters, string) (Receipt, error) {
		return Receipt{Roster: d, Sealed: []byte("never sealed")}, nil
	}
	r, err := Check(f.files, unsealed)
	if err != nil || len(r.Faults) != 1 || r.Receipts != 0 || !strings.Contains(r.Faults[0].String(), "receipts/1.cbor: the submitted chain has no opened digest") {
		t.Errorf("%v, %v", r.Faults, err)
	}
	free := func([]byte, Rosters, string) (Receipt, error) { return Receipt{Roster: d}, nil }
	if r, err = Check(f.files, free); err != nil || !r.OK || r.Receipts != 1 {
		t.Errorf("%v, %v", r.Faults, err)
	}
	if r, err = Check(f.files, nil); err != nil || r.OK {
		t.Errorf("receipts that nothing can check are right: %v", err)
	}
	g := start(t)
	g.files["receipts/1.cbor"] = f.files["receipts/1.cbor"]
	if r := g.check(g.files); r.OK {
		t.Error("a receipt without a roster is right")
	}
}

func TestRestoredGapIsNoted(t *testing.T) {
	f := joined(t)
	f.restore(entry.Local, f.heads[entry.Local].Sequence)
	f.restore(entry.Submitted, f.heads[entry.Submitted].Sequence+2)
	f.sealHead()
	r := f.check(f.files)
	if !r.OK || len(r.Notes) != 2 || !strings.Contains(r.Notes[0], "(2 known to be lost)") || !strings.Contains(r.Notes[1], "(none known to be lost)") {
		t.Fatalf("faults %v, notes %v", r.Faults, r.Notes)
	}
	for _, c := range r.Chains {
		if len(c.Gaps) != 1 || c.Gaps[0].First != 6 {
			t.Errorf("gaps of %s are %v", c.Name, c.Gaps)
		}
	}
}

// A member that rewrites its local chain, with right signatures throughout, is found out
// by the heads that it sealed before.
func TestRewrittenLocalChainIsFound(t *testing.T) {
	f := joined(t)
	g := start(t)
	g.add(entry.Local, entry.ListChanged, nil) // instead of the import
	d := f.roster.Digest()
	g.add(entry.Local, entry.RosterJoined, g.body(entry.RosterState{Version: 1, Digest: d[:]}))
	g.add(entry.Local, entry.Decision, nil)
	for _, i := range []int{4, 5} { // the old openings again
		n := 0
		for frame, err := range entry.ReadLog(bytes.NewReader(f.files["local.log"].Data), entry.Local) {
			if err != nil {
				t.Fatal(err)
			}
			e, err := frame.Signed.Decode()
			if err != nil {
				t.Fatal(err)
			}
			if n == i {
				g.add(entry.Local, e.Kind, e.Body)
			}
			n++
		}
	}
	files := f.copy()
	files["local.log"] = g.files["local.log"]
	r := f.check(files)
	if len(r.Faults) != 2 || !strings.Contains(r.Faults[0].String(), "local.log, entry 4, offset") || !strings.Contains(r.Faults[0].String(), "rewritten") {
		t.Errorf("faults %v", r.Faults)
	}
}

func TestOtherRosterThanJoined(t *testing.T) {
	f := joined(t)
	f.add(entry.Submitted, entry.RosterJoined, f.body(entry.RosterState{Version: 2, Digest: bytes.Repeat([]byte{9}, 32)}))
	r := f.check(f.files)
	if len(r.Faults) != 2 || !strings.Contains(r.Faults[0].String(), "submitted.log: the last entry is bound to another roster") ||
		!strings.Contains(r.Faults[1].String(), "is missing, but entry 6 of the submitted chain") {
		t.Errorf("faults %v", r.Faults)
	}
}

func TestReusedNonce(t *testing.T) {
	f := joined(t)
	o, err := entry.Seal("entente/test/3", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	f.sealOpening(entry.SealedDigest, o)
	f.sealOpening(entry.SealedDigest, o)
	r := f.check(f.files)
	if len(r.Faults) != 1 || !strings.Contains(r.Faults[0].String(), "entry 7") || !strings.Contains(r.Faults[0].String(), "used twice") {
		t.Errorf("faults %v", r.Faults)
	}
}

func TestStrangersAreNoted(t *testing.T) {
	f := joined(t)
	f.files["remark"] = &fstest.MapFile{}
	f.files["openings/readme.txt"] = &fstest.MapFile{}
	r := f.check(f.files)
	if !r.OK || !slices.Equal(r.Notes, []string{"not part of the check: openings/readme.txt", "not part of the check: remark"}) {
		t.Errorf("faults %v, notes %v", r.Faults, r.Notes)
	}
}

func TestManyFaultsAreBounded(t *testing.T) {
	f := joined(t)
	for i := range 300 {
		f.files[fmt.Sprintf("openings/x%d.cbor", i)] = &fstest.MapFile{Data: []byte("x")}
	}
	r := f.check(f.files)
	if len(r.Faults) != maxFaults || !slices.Contains(r.Notes, "there are more faults than are listed") {
		t.Errorf("%d faults, notes %v", len(r.Faults), r.Notes)
	}
}

func TestUnreadableFolder(t *testing.T) {
	if _, err := Check(os.DirFS("/none/at/all"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	r, err := Check(fstest.MapFS{}, nil)
	if err != nil || r.OK || r.Faults[0].String() != "member.json: is missing" {
		t.Errorf("an empty folder: %v, %v", r.Faults, err)
	}
}

func TestReportForms(t *testing.T) {
	f := joined(t)
	f.restore(entry.Submitted, 0)
	files := f.copy()
	files["local.log"].Data[f.offsets[entry.Local][2]+40] ^= 1
	files["evil\x1b[2Jname"] = &fstest.MapFile{}
	r := f.check(files)
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"member      AU\n", "bali, version 1, 2 members, signed by all\n", "WRONG       local.log, entry 2, offset ", "faults\n", "note        submitted chain: restored"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	if strings.Contains(text.String(), "\x1b") {
		t.Error("a file name reached the terminal with its control characters")
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	want := []string{"chains", "faults", "federation", "labels", "local_heads", "member", "notes", "ok", "receipts", "rosters", "sealed_digests", "standing"}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("JSON fields are %v", got)
	}
	if err := r.Write(failing{}); err == nil {
		t.Error("a failed write was not reported")
	}
	text.Reset()
	if err := f.check(start(t).files).Write(&text); err != nil || !strings.Contains(text.String(), "everything that is here is right") {
		t.Errorf("%v:\n%s", err, &text)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }
