package rounds_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entente/node"
	"entente/node/intake"
	"entente/protocol/indicator"
	"entente/simulations/fabric"
)

// nearPhones are n pairs of numbers that differ in their last digit, in one digit in the
// middle, or in the country alone.
func nearPhones(n int) (ours, theirs []string) {
	for i := range n {
		last := 10*(10_000+i) + 2
		ours = append(ours, fmt.Sprintf("+61412%06d", last))
		theirs = append(theirs, []string{
			fmt.Sprintf("+61412%06d", last+1), fmt.Sprintf("+61413%06d", last), fmt.Sprintf("+62812%06d", last),
		}[i%3])
	}
	return ours, theirs
}

// TestThinLine runs 10,000 × 10,000 over 512 kbit/s with 600 ms there and back and two
// disconnects, in the lists' worst shape: all but 50 are near-identical pairs, which must
// not match. It completes, goes on where it stopped, and its progress never goes back,
// claims no end before the end, and never runs ahead of what the line can have carried.
func TestThinLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bits = 512_000
		w := newWorld(t, pilot, "AU", "ID")
		ours, theirs := nearPhones(9_950)
		common := phones(0, 50)
		w.list("AU", "wanted", "suspect", append(ours, common...)...)
		w.list("ID", "watch", "suspect", append(theirs, common...)...)
		au, id := w.fresh("AU"), w.fresh("ID")
		w.net.link = fabric.Link{Latency: 300 * time.Millisecond, Bandwidth: bits}
		from := time.Now()
		round := w.propose(au, request("ID"))
		var last, before int64
		cuts := []int64{300_000, 700_000}
		for {
			time.Sleep(100 * time.Millisecond)
			v, err := au.Show(t.Context(), round)
			must(t, err)
			if v.Done < last || v.Done > v.Total || v.Total != before && before != 0 {
				t.Fatalf("progress went from %d of %d to %d of %d", last, before, v.Done, v.Total)
			}
			if carried := time.Since(from).Seconds() * bits / 8 * 2; float64(v.Done) > carried {
				t.Fatalf("%d bytes after %s: the line carries %.0f", v.Done, time.Since(from), carried)
			}
			last, before = v.Done, v.Total
			if len(cuts) > 0 && v.Done > cuts[0] {
				cuts = cuts[1:]
				w.net.heal()
				time.Sleep(10 * time.Second)
			}
			if v.State == "done" {
				break
			}
			if time.Since(from) > 10*time.Minute {
				t.Fatalf("still %s after %s: %d of %d, %s", v.State, time.Since(from), v.Done, v.Total, v.Note)
			}
		}
		took := time.Since(from)
		if last != before || len(cuts) != 0 {
			t.Errorf("done with progress %d of %d and %d cuts to come", last, before, len(cuts))
		}
		a, b := w.values(au, round), w.values(id, w.wait(id, round).ID)
		if !slices.Equal(a, common) || !slices.Equal(b, common) {
			t.Errorf("%d and %d hits instead of the 50 that are shared", len(a), len(b))
		}
		v := w.wait(au, round)
		if extra := int64(v.Sent+v.Received) - before; extra < 0 || extra > before/5 {
			t.Errorf("%d bytes passed for %d bytes of content: what had arrived was sent again", v.Sent+v.Received, before)
		}
		t.Logf("%s on the line, %d bytes, %d of content", took, v.Sent+v.Received, before)
		w.halt(au, id)
	})
}

// TestNearIdenticalDocuments matches 2,000 pairs of documents that differ in a letter, a
// digit or the issuer, and finds nothing.
func TestNearIdenticalDocuments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID")
		var ours, theirs []string
		for i := range 2000 {
			ours = append(ours, fmt.Sprintf("PA%07d,AUS", 1_234_567+3*i))
			theirs = append(theirs, []string{
				fmt.Sprintf("PB%07d,AUS", 1_234_567+3*i), fmt.Sprintf("PA%07d,AUS", 1_234_568+3*i), fmt.Sprintf("PA%07d,IDN", 1_234_567+3*i),
			}[i%3])
		}
		for id, rows := range map[string][]string{"AU": ours, "ID": append(theirs, ours[0])} {
			w.edit(id, func(n *node.Node) {
				i := node.Import{List: "papers", File: "papers.csv"}
				i.Options = intake.Options{Kind: indicator.Document}
				i.Handling = indicator.Handling{Category: indicator.Suspect, Purpose: "trafficking", Basis: id + "-TIP"}
				report, err := n.ImportList(t.Context(), i, lines("document,issuer", rows))
				must(t, err)
				if report.Ready != len(rows) {
					t.Fatalf("%d of %d rows are ready: %v", report.Ready, len(rows), report.Reasons)
				}
			})
		}
		au, id := w.fresh("AU"), w.fresh("ID")
		r := request("ID")
		r.List, r.Kind = "papers", "document"
		round := w.propose(au, r)
		if v := w.wait(au, round); v.State != "done" {
			t.Fatalf("%s: %s", v.State, v.Note)
		}
		w.wait(id, round)
		if a, b := w.values(au, round), w.values(id, round); len(a) != 1 || len(b) != 1 {
			t.Errorf("%d and %d hits instead of the one that is planted", len(a), len(b))
		}
		w.halt(au, id)
	})
}
