package machine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entente/crypto/he/collective"
	"entente/protocol/tally"
)

// TestSizesAgree: the numbers that protocol/tally states are the arithmetic's.
func TestSizesAgree(t *testing.T) {
	for name, pair := range map[string][2]int{
		"cells of a block":    {tally.CellsPerBlock, collective.CountersPerBlock},
		"cells":               {tally.MaxCells, collective.MaxCounters},
		"contributors":        {tally.MaxMembers, collective.MaxContributors},
		"holders":             {tally.MaxMembers, collective.MaxHolders},
		"range":               {tally.MaxCount + tally.MaxNoise, collective.MaxValue},
		"bytes of polynomial": {tally.PolynomialSize, collective.PolynomialSize},
		"bytes of seed":       {tally.SeedSize, collective.SeedSize},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d and %d", name, pair[0], pair[1])
		}
	}
}

// TestTally runs whole tallies, with and without every side being loaded anew after each
// message, and compares what is shown with the sums in the clear.
func TestTally(t *testing.T) {
	for _, reload := range []bool{false, true} {
		r := newRig(t, proposal(corridors(7), 5, 4, 3))
		r.reload = reload
		r.random(1, 6)
		release := r.run(t)
		sums := r.clear(r.proposal.Contributors...)
		shown := 0
		for i, n := range release.Cells {
			switch {
			case sums[i] < tally.MinLimit && n != 0:
				t.Errorf("cell %d of %d is shown", i, sums[i])
			case sums[i] >= tally.MinLimit && n != uint32(sums[i]):
				t.Errorf("cell %d is %d, not %d", i, n, sums[i])
			case n != 0:
				shown++
			}
		}
		if shown == 0 || shown == len(release.Cells) {
			t.Errorf("%d of %d cells are shown: the test tests nothing", shown, len(release.Cells))
		}
		for _, n := range r.names {
			got, ok := r.members[n].Release()
			if !ok || !slices.Equal(got.Cells, release.Cells) {
				t.Errorf("%s has another release, or none", n)
			}
			if m := r.members[n]; len(m.rec.Dealing)+len(m.rec.Share) > 0 {
				t.Errorf("%s still has a secret of the key", n)
			}
		}
		if err := r.collector.Audit(); err != nil {
			t.Error(err)
		}
	}
}

// TestHoldersWhoDoNotContribute has holders, contributors and a collector that are different
// members, and points that are not 1 to t.
func TestHoldersWhoDoNotContribute(t *testing.T) {
	p := proposal(corridors(3), 7, 1, 1)
	p.Contributors = []string{name(1), name(2), name(3)}
	p.Holders = []string{name(4), name(5), name(6), name(7)}
	p.Threshold = 3
	r := newRig(t, p)
	r.random(2, 100)
	r.until(t, Contributing)
	r.until(t, Done)
	r.contribute(t, p.Contributors...)
	if err := r.collector.Open([]string{name(7), name(5), name(4)}); err != nil {
		t.Fatal(err)
	}
	r.until(t, Done)
	release, ok := r.collector.Release()
	if !ok || !slices.Equal(release.Cells, tally.Suppress(r.clear(p.Contributors...), p.Limit)) {
		t.Errorf("released: %v", ok)
	}
}

// TestAbsentMembers: some never answer, at each stage. The rest go on while they are enough.
func TestAbsentMembers(t *testing.T) {
	p := proposal(corridors(4), 6, 6, 5)
	r := newRig(t, p)
	r.random(3, 40)
	for _, n := range p.Contributors[:4] {
		r.talk(t, n)
	}
	if err := r.collector.Close(); !errors.Is(err, ErrFew) {
		t.Errorf("four holders of five make a key: %v", err)
	}
	r.talk(t, p.Contributors[4])
	if err := r.collector.Close(); err != nil {
		t.Fatal(err)
	}
	late := r.members[name(5)]
	if late != nil {
		t.Fatal("the sixth was asked")
	}
	r.names = r.names[:5]
	r.until(t, Contributing)
	r.until(t, Done)
	r.contribute(t, p.Contributors[:2]...)
	if err := r.collector.Open(p.Holders[:5]); !errors.Is(err, ErrFew) {
		t.Errorf("a sum of two is opened: %v", err)
	}
	r.contribute(t, p.Contributors[2]) // the fourth and fifth do not
	for name, active := range map[string][]string{
		"too few": p.Holders[:4], "one without a share": {name(0), name(1), name(2), name(3), name(5)}, "nobody": nil, "one twice": {name(0), name(0), name(1), name(2), name(3)},
	} {
		if err := r.collector.Open(active); err == nil {
			t.Errorf("%s: the sum is opened", name)
		}
	}
	if err := r.collector.Open(p.Holders[:5]); err != nil {
		t.Fatal(err)
	}
	r.until(t, Done)
	release, ok := r.collector.Release()
	if !ok || !slices.Equal(release.Cells, tally.Suppress(r.clear(p.Contributors[:3]...), p.Limit)) || !bytes.Equal(release.Included, []byte{0, 1, 2}) {
		t.Errorf("released: %v, of %v", ok, release.Included)
	}
	if err := r.collector.Close(); !errors.Is(err, ErrState) {
		t.Errorf("a tally that is done goes on: %v", err)
	}
}

// TestCollectorLosesWords brings the collector back from before what members say of their own
// accord: they say it again on the next stream, and the contribution when it is wanted.
func TestCollectorLosesWords(t *testing.T) {
	r := newRig(t, proposal(corridors(3), 3, 3, 3))
	r.random(12, 100)
	lose := func(say func()) {
		b, err := r.collector.Record()
		if err != nil {
			t.Fatal(err)
		}
		say()
		if r.collector, err = LoadCollector(b, r.collectorConfig()); err != nil {
			t.Fatal(err)
		}
		for _, n := range r.names {
			for _, m := range r.members[n].Pending() {
				if err := r.collector.Step(n, through(t, m), r.now); err != nil {
					t.Fatalf("%s says again: %v", n, err)
				}
			}
		}
	}
	lose(func() { r.until(t, Dealing) })
	if got := r.collector.Stage(); got != Dealing {
		t.Fatalf("after the acceptances: %s", got)
	}
	r.until(t, Contributing)
	lose(func() { r.until(t, Done) })
	if got := len(r.collector.Holding()); got != 3 {
		t.Fatalf("%d have the key", got)
	}
	lose(func() { r.contribute(t, r.names...) })
	if r.collector.seat(name(1)).Contributed {
		t.Fatal("nothing was lost")
	}
	r.reload = true // and the members compute their contributions again
	for range 2 {
		for _, n := range r.names {
			r.talk(t, n)
		}
	}
	if err := r.collector.Open(r.names); err != nil {
		t.Fatal(err)
	}
	r.until(t, Done)
	if release, ok := r.collector.Release(); !ok || !slices.Equal(release.Cells, tally.Suppress(r.clear(r.names...), r.proposal.Limit)) {
		t.Errorf("released: %v", ok)
	}
}

// TestSecretsDoNotPrint formats both sides with every verb.
func TestSecretsDoNotPrint(t *testing.T) {
	r := newRig(t, proposal(corridors(2), 3, 3, 3))
	r.random(13, 100)
	r.run(t)
	for _, v := range []any{r.members[name(1)], r.collector} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); len(got) > 40 || !strings.HasPrefix(got, "[tally of ") {
				t.Errorf("%s prints %d bytes", verb, len(got))
			}
		}
	}
}

// TestAuditFindsChanges changes what a collector stored, or released, bit by bit.
func TestAuditFindsChanges(t *testing.T) {
	r := newRig(t, proposal(corridors(3), 3, 3, 3))
	r.random(6, 100)
	r.run(t)
	if err := r.collector.Audit(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"acceptance/M01", "part/0", "public/1", "contribution/2", "mask/0/0", "body/1/0", "share/1", "share-block/2/0"} {
		old := r.store[name]
		r.store[name] = bytes.Clone(old)
		r.store[name][len(old)/2] ^= 1
		if err := r.collector.Audit(); err == nil {
			t.Errorf("a changed %s is not seen", name)
		}
		delete(r.store, name)
		if err := r.collector.Audit(); !errors.Is(err, errEmpty) {
			t.Errorf("a missing %s: %v", name, err)
		}
		r.store[name] = old
	}
	r.collector.release.Cells = slices.Clone(r.collector.release.Cells)
	for i, n := range r.collector.release.Cells {
		if n > 0 {
			r.collector.release.Cells[i]++
			break
		}
	}
	if err := r.collector.Audit(); !errors.Is(err, ErrAudit) {
		t.Errorf("a changed release is not seen: %v", err)
	}
}

// TestFortyFive has 45 members count 36,100 corridors, of 190 origins and destinations, without
// noise: what is shown are the sums in the clear.
func TestFortyFive(t *testing.T) {
	members, places := 45, 190
	if testing.Short() { // few members are enough for the race detector
		members, places = 9, 20
	}
	r := newRig(t, proposal(corridors(places), members, 7, 5))
	r.random(9, 2)
	release := r.run(t)
	want := tally.Suppress(r.clear(r.proposal.Contributors...), r.proposal.Limit)
	if len(want) != places*places || !slices.Equal(release.Cells, want) || len(release.Included) != members {
		t.Errorf("%d cells of %d contributors are not the sums", len(release.Cells), len(release.Included))
	}
}
