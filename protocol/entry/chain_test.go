package entry

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/wire"
)

func TestChainVerifies(t *testing.T) {
	for _, c := range []Chain{Local, Submitted} {
		g := five(t, c)
		k, err := check(t, c, g.signed)
		if err != nil {
			t.Fatal(err)
		}
		if k.Head().Digest != g.head.Digest || k.Head().Sequence != 4 || k.Head().Next() != 5 || len(k.Gaps()) != 0 {
			t.Errorf("%s: head is %+v", c, k.Head())
		}
		h, err := HeadOf(g.signed[4])
		if err != nil || h.Digest != g.head.Digest || h.Time != g.head.Time || !bytes.Equal(h.Federation, bytes.Repeat([]byte{7}, 32)) {
			t.Errorf("%s: HeadOf gives %+v, %v", c, h, err)
		}
	}
	if h := (Head{}); !h.Empty() || h.Next() != 0 {
		t.Error("the zero head is not that of an empty chain")
	}
}

func TestEveryBreakIsFound(t *testing.T) {
	g := five(t, Local)
	foreign := author(t, "AU", 2)
	forged, _, err := foreign.Next(Head{}, Local, Created, nil, start)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := author(t, "ID", 1).Next(Head{}, Local, Created, nil, start)
	if err != nil {
		t.Fatal(err)
	}
	twin := grow(t, Local)
	twin.now = start.Add(time.Minute)
	replaced := twin.add(Created, nil)
	flip := func(i int, change func(*Signed)) []Signed {
		ss := slices.Clone(g.signed)
		s := Signed{Entry: bytes.Clone(ss[i].Entry), Signature: bytes.Clone(ss[i].Signature)}
		change(&s)
		ss[i] = s
		return ss
	}
	for name, c := range map[string]struct {
		signed []Signed
		want   string
	}{
		"first dropped":     {g.signed[1:], "digest of the one before"},
		"middle dropped":    {slices.Delete(slices.Clone(g.signed), 2, 3), "digest of the one before"},
		"repeated":          {slices.Insert(slices.Clone(g.signed), 2, g.signed[1]), "digest of the one before"},
		"swapped":           {[]Signed{g.signed[0], g.signed[2], g.signed[1]}, "digest of the one before"},
		"first replaced":    {flip(0, func(s *Signed) { *s = replaced }), "digest of the one before"},
		"other key":         {[]Signed{forged}, sign.ErrSignature.Error()},
		"other member":      {[]Signed{other}, "by ID"},
		"other chain":       {five(t, Submitted).signed, "submitted chain"},
		"Ed25519 altered":   {flip(3, func(s *Signed) { s.Signature[0] ^= 1 }), sign.ErrSignature.Error()},
		"ML-DSA altered":    {flip(3, func(s *Signed) { s.Signature[100] ^= 1 }), sign.ErrSignature.Error()},
		"signature missing": {flip(3, func(s *Signed) { s.Signature = nil }), sign.ErrSignature.Error()},
		"entry altered":     {flip(3, func(s *Signed) { s.Entry[10] ^= 1 }), "entry"},
	} {
		if _, err := check(t, Local, c.signed); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryAlteredBitOfAnEntryIsFound(t *testing.T) {
	g := five(t, Submitted)
	s := g.signed[2]
	for i := range s.Entry {
		altered := Signed{Entry: bytes.Clone(s.Entry), Signature: s.Signature}
		altered.Entry[i] ^= 1 << (i % 8)
		if _, err := check(t, Submitted, []Signed{g.signed[0], g.signed[1], altered}); err == nil {
			t.Errorf("byte %d altered and not found", i)
		}
	}
}

// resign signs any entry, as a member would that breaks the rules itself.
func resign(t *testing.T, e Entry) Signed {
	t.Helper()
	b, err := wire.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	s, err := author(t, "AU", 1).Key.Sign(entryDomain, b)
	if err != nil {
		t.Fatal(err)
	}
	return Signed{Entry: b, Signature: s}
}

func TestSignedBreaksAreFoundToo(t *testing.T) {
	g := five(t, Local)
	next := valid()
	next.Federation, next.Sequence, next.Previous, next.Time = g.head.Federation, 5, g.head.Digest[:], g.head.Time+1
	gap := func(e *Entry, first uint64, milli int64) {
		e.Kind, e.Time, e.Sequence = Restored, milli, uint64(milli)*perMilli
		e.Body = body(t, Gap{First: first, Last: e.Sequence - 1})
	}
	for name, c := range map[string]struct {
		change func(*Entry)
		want   string
	}{
		"as it is":          {func(*Entry) {}, ""},
		"number skipped":    {func(e *Entry) { e.Sequence = 6 }, "number 6 where 5 follows"},
		"number repeated":   {func(e *Entry) { e.Sequence = 4 }, "number 4 where 5 follows"},
		"time goes back":    {func(e *Entry) { e.Time = g.head.Time - 1 }, "earlier"},
		"same time":         {func(e *Entry) { e.Time = g.head.Time }, ""},
		"other roster":      {func(e *Entry) { e.Federation = bytes.Repeat([]byte{1}, 32) }, "another roster"},
		"no roster":         {func(e *Entry) { e.Federation = []byte{} }, "another roster"},
		"restored":          {func(e *Entry) { gap(e, 5, g.head.Time+1) }, ""},
		"restored too wide": {func(e *Entry) { gap(e, 4, g.head.Time+1) }, "gap from 4 where 5 follows"},
		"restored narrow":   {func(e *Entry) { gap(e, 6, g.head.Time+1) }, "gap from 6 where 5 follows"},
		"restored at once":  {func(e *Entry) { gap(e, 5, g.head.Time) }, "number from its time"},
		"restored to choice": {func(e *Entry) {
			e.Kind, e.Sequence, e.Body = Restored, 100, body(t, Gap{First: 5, Last: 99})
		}, "number from its time"},
	} {
		e := next
		c.change(&e)
		_, err := check(t, Local, append(slices.Clone(g.signed), resign(t, e)))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClockGoingBackRepeatsTheTime(t *testing.T) {
	g := five(t, Local)
	was := g.head.Time
	g.now = start.Add(-time.Hour)
	g.add(Imported, nil)
	if g.head.Time != was {
		t.Errorf("time is %d after %d", g.head.Time, was)
	}
	if _, err := check(t, Local, g.signed); err != nil {
		t.Error(err)
	}
}

func TestNextRefusesRestored(t *testing.T) {
	g := five(t, Local)
	if _, _, err := g.author.Next(g.head, Local, Restored, body(t, Gap{First: 5, Last: 6}), g.now); err == nil {
		t.Error("a gap was made without Restore")
	}
	if _, _, err := g.author.Next(g.head, Submitted, Decision, nil, g.now); err == nil {
		t.Error("a decision was submitted")
	}
	if _, _, err := g.author.Next(g.head, Local, RosterJoined, []byte{0x01}, g.now); err == nil {
		t.Error("a roster was joined without a digest")
	}
}

func TestRestoreStatesItsGap(t *testing.T) {
	for _, c := range []Chain{Local, Submitted} {
		g := five(t, c)
		g.restore(g.head.Sequence)
		g.add(PolicyActivated, body(t, PolicyState{Version: 4, Digest: bytes.Repeat([]byte{9}, 32)}))
		g.now = g.now.Add(time.Hour)
		g.restore(g.head.Sequence + 3)
		k, err := check(t, c, g.signed)
		if err != nil {
			t.Fatal(err)
		}
		gaps := k.Gaps()
		if len(gaps) != 2 || gaps[0].First != 5 || gaps[0].Lost != 0 || gaps[1].Lost != 3 || gaps[1].Last+1 != g.head.Sequence {
			t.Errorf("%s: gaps are %+v", c, gaps)
		}
	}
}

func TestRestoreOfAnEmptyChain(t *testing.T) {
	g := grow(t, Local)
	g.restore(0)
	g.add(Imported, nil)
	k, err := check(t, Local, g.signed)
	if err != nil || len(k.Gaps()) != 1 || k.Gaps()[0].First != 0 || k.Gaps()[0].Lost != 0 {
		t.Errorf("gaps are %+v, %v", k.Gaps(), err)
	}
}

func TestRestoreNeedsTheClock(t *testing.T) {
	g := five(t, Local)
	for name, c := range map[string]struct {
		now    time.Time
		newest uint64
	}{
		"before the last entry": {time.UnixMilli(g.head.Time - 1), 4},
		"at the last entry":     {time.UnixMilli(g.head.Time), 4},
		"before a known number": {time.UnixMilli(g.head.Time + 1), uint64(g.head.Time+1) * perMilli},
		"no clock":              {time.Time{}, 4},
		"before 2020":           {time.UnixMilli(0), 4},
	} {
		if _, _, err := g.author.Restore(g.head, Local, c.newest, c.now); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	if _, _, err := g.author.Restore(Head{}, Local, 0, time.UnixMilli(minTime-1)); err == nil {
		t.Error("an empty chain was restored before 2020")
	}
}

// A node that crashes, loses its disk and restores whatever backup it finds, any number
// of times, must never sign two entries with one number in one chain.
func TestRestoredChainsNeverFork(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	a := author(t, "AU", 1)
	for range 20 {
		used := map[uint64][32]byte{}
		backups := []Head{{}}
		head, now := Head{}, start
		for range 40 {
			now = now.Add(time.Duration(1+random.IntN(5)) * time.Millisecond)
			var s Signed
			var err error
			if random.IntN(4) == 0 {
				old := backups[random.IntN(len(backups))]
				s, head, err = a.Restore(old, Local, old.Sequence, now)
			} else {
				s, head, err = a.Next(head, Local, Imported, nil, now)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, twice := used[head.Sequence]; twice {
				t.Fatalf("number %d was used twice", head.Sequence)
			}
			used[head.Sequence] = s.Digest()
			if random.IntN(3) == 0 {
				backups = append(backups, head)
			}
		}
	}
}

func TestCheckStaysAfterAnError(t *testing.T) {
	g := five(t, Local)
	k := NewCheck("AU", Local, g.author.Key.Public())
	if _, err := k.Add(g.signed[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Add(g.signed[2]); err == nil {
		t.Fatal("a gap was accepted")
	}
	if _, err := k.Add(g.signed[1]); err != nil {
		t.Errorf("the check did not stay where it was: %v", err)
	}
	if _, err := k.Add(Signed{}); err == nil || errors.Is(err, sign.ErrSignature) {
		t.Errorf("an empty entry: %v", err)
	}
}
