package audit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"entente/protocol/entry"
)

func (b *book) compare(one, other fstest.MapFS) Comparison {
	b.t.Helper()
	c, err := Compare(one, other, b.receiptOf)
	must(b.t, err)
	return c
}

func names(faults []Fault, parts ...string) bool {
	return slices.ContainsFunc(faults, func(f Fault) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(f.String(), p) })
	})
}

func TestComparedFoldersAgree(t *testing.T) {
	b := story(t)
	au := b.export("AU")
	shorter := b.size
	b.round("AU", "ID", "fourth")
	b.tick()
	b.final()
	id := b.export("ID")
	c := b.compare(au, id)
	if !c.OK || len(c.Notes) != 1 || c.Common != shorter || b.compare(id, au).Common != shorter {
		t.Errorf("%d common, %v, %v, %v", c.Common, c.Faults, c.Reports[0].Faults, c.Reports[1].Faults)
	}
	var out bytes.Buffer
	if err := c.Write(&out); err != nil || !strings.Contains(out.String(), "both are right, and agree") {
		t.Errorf("%v: %s", err, &out)
	}
	if c := b.compare(au, b.folders["ID"].copy()); c.OK || !names(c.Faults, "no copy of the ledger") {
		t.Errorf("without a copy: %v", c.Faults)
	}
	if foreign := foreignFolder(t); !names(b.compare(au, foreign).Faults, "different federations") {
		t.Error("the ledgers of two federations are compared")
	}
	// A copy that was changed: the first entry that differs is named.
	entries := entriesIn(t, id)
	i := entryAt(t, entries, 20, "M01", entry.SealedDigest)
	entries[i], entries[i+1] = entries[i+1], entries[i]
	layEntries(t, id, entries, 1000)
	if c := b.compare(au, id); c.OK || !names(c.Faults, "entry 2", "AU and ID hold different entries") || int(c.Common) != i {
		t.Errorf("%d common, %v", c.Common, c.Faults)
	}
}

func foreignFolder(t testing.TB) fstest.MapFS {
	b := open(t, "lombok", 3)
	b.final()
	return b.export("ID")
}

// Two ledgers of one federation, each final: who signed both is told by the comparison.
func TestForkedLedgers(t *testing.T) {
	write := func(what byte) *book {
		b := open(t, "bali", 3)
		b.add("M00", entry.SealedDigest, entry.Sealed{Digest: bytes.Repeat([]byte{what}, 32)})
		b.final()
		return b
	}
	b := write(1)
	one, two := b.export("AU"), write(2).export("ID")
	for name, f := range b.folders["ID"].copy() { // so that it holds together by itself
		two[name] = f
	}
	c := b.compare(one, two)
	if c.OK || !names(c.Faults, "hold different entries", "evidence") {
		t.Errorf("%v", c.Faults)
	}
}

func TestOmittedRounds(t *testing.T) {
	b := story(t)
	b.now = b.now.Add(2 * settling)
	b.tick()
	b.final()
	au, id := b.export("AU"), b.export("ID")
	opening := openingOf(t, id, certificateLabel, "first")
	delete(id, opening)
	delete(id, "receipts/first.cbor")
	if r := b.check(id); !r.OK {
		t.Errorf("by itself the folder is right: %v", r.Faults)
	}
	if c := b.compare(au, id); c.OK || !names(c.Faults, "receipts/first.cbor", "omitted round", "AU", "with ID") || names(c.Faults, "second") {
		t.Errorf("%v", c.Faults)
	}
	// Days that the other does not show are left open.
	from := days.Last.String()
	id[manifestFile] = &fstest.MapFile{Data: bytes.Replace(id[manifestFile].Data, []byte(days.First.String()), []byte(from), 1)}
	if c := b.compare(au, id); !c.OK || len(c.Notes) != 1 {
		t.Errorf("%v, %v", c.Faults, c.Notes)
	}
}

// A member that writes to its chain and keeps it from the ledger is found by itself.
func TestHeldBack(t *testing.T) {
	b := story(t)
	b.round("AU", "ID", "withheld")
	b.pending = slices.DeleteFunc(b.pending, func(e []byte) bool {
		d, err := entry.Decode(e)
		must(t, err)
		return d.Entry().Member == "AU"
	})
	recent := b.export("AU") // final before the round
	if r := b.check(recent); !r.OK || !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "1 entries at the end") }) {
		t.Errorf("a recent one: %v, %v", r.Faults, r.Notes)
	}
	b.now = b.now.Add(2 * settling)
	for _, who := range b.roster.Sequencers {
		if who != "AU" {
			b.add(who, entry.Tick, nil)
		}
	}
	b.now = b.now.Add(time.Minute)
	b.final()
	r := b.check(b.export("AU"))
	if !names(r.Faults, "submitted.log", "is not on the ledger") || !names(r.Faults, "receipts/withheld.cbor", "omitted round") {
		t.Errorf("%v", r.Faults)
	}
	if c := b.compare(b.export("ID"), b.export("AU")); !names(c.Faults, "receipts/withheld.cbor", "omitted round", "ID has a receipt") {
		t.Errorf("%v", c.Faults)
	}
}

// large writes a ledger of about n entries.
func large(t testing.TB, n int) *book {
	t.Helper()
	b := open(t, "bali", 8)
	rekeyed := false
	for i := 0; int(b.size) < n; i++ {
		if i%100 == 0 {
			b.tick()
			if i%200 == 0 {
				b.grant(b.ids[2+i/200%8], 6400)
			}
			b.flush()
		}
		if i%1000 == 999 {
			b.round("AU", "ID", b.now.Format("0102-150405"))
		}
		id := b.ids[i%len(b.ids)]
		if i%3 == 0 && id[0] == 'M' {
			b.add(id, entry.BudgetSpent, entry.Spend{Kind: "phone", Period: 1, Class: 64})
		} else {
			b.add(id, entry.SealedDigest, entry.Sealed{Digest: fmt.Appendf(nil, "%32d", i)})
		}
		if i == n/2 {
			b.rotate("M03", 210)
		}
		if i > n/2 && !rekeyed {
			b.rekey("M04", 211)
			rekeyed = true
		}
		b.now = b.now.Add(10 * time.Second)
	}
	b.final()
	return b
}

func TestLargeLedger(t *testing.T) {
	b := large(t, 5000)
	files := b.export("AU")
	if r := b.check(files); !r.OK || r.Ledger.Final != b.size || r.Ledger.Checkpoints != 2 || r.Ledger.Version != 2 {
		t.Errorf("%d entries: %v, %+v", b.size, r.Faults, r.Ledger)
	}
	n := 0
	for name := range files {
		if strings.HasPrefix(name, entriesFolder) {
			n++
		}
	}
	if n < 2 {
		t.Errorf("%d files: the test sees too little", n)
	}
}

// BenchmarkLedgerCopy is the check of a copy of 100,000 entries.
func BenchmarkLedgerCopy(b *testing.B) {
	book := large(b, 100_000)
	files := book.export("AU")
	b.ResetTimer()
	for range b.N {
		if r := book.check(files); !r.OK {
			b.Fatal(r.Faults)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(book.size), "us/entry")
}
