//go:build !windows

package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"entente/node/intake"
)

// BenchmarkSegment builds a segment of 10 million entries of 10 bytes, finds random keys
// in it, reads it through, and merges it with 16 small ones.
func BenchmarkSegment(b *testing.B) {
	const n, small = 10_000_000, 1000
	entry := func(i uint64) []byte { return append(binary.BigEndian.AppendUint64(nil, i<<20), 0, 0) }
	d := newDesk(b)
	build := func(count int, of func(i int) uint64) SegmentInfo {
		w, err := d.CreateSegment(10, 10)
		if err != nil {
			b.Fatal(err)
		}
		e := make([]byte, 10)
		for i := range count {
			binary.BigEndian.PutUint64(e, of(i)<<20)
			if err := w.Append(e); err != nil {
				b.Fatal(err)
			}
		}
		info, err := w.Commit()
		if err != nil {
			b.Fatal(err)
		}
		return info
	}
	for b.Loop() {
		before := cpu(b)
		g := d.open(b, build(n, func(i int) uint64 { return uint64(17 * i) }))
		b.ReportMetric((cpu(b) - before).Seconds(), "cpu-s/build")
		b.ReportMetric(peak(b), "MB-peak-build")

		const finds = 20_000
		r := rand.New(rand.NewPCG(1, 7))
		start := time.Now()
		for range finds {
			if _, found, err := g.Find(entry(17 * r.Uint64N(n))); err != nil || !found {
				b.Fatal(err)
			}
		}
		b.ReportMetric(finds/time.Since(start).Seconds(), "random-finds/s")
		start = time.Now()
		for i := range uint64(n / 10) {
			if _, found, err := g.Find(entry(170 * i)); err != nil || !found {
				b.Fatal(err)
			}
		}
		b.ReportMetric(n/10/time.Since(start).Seconds(), "ordered-finds/s")
		start = time.Now()
		seen := 0
		for _, err := range g.Range(nil) {
			if err != nil {
				b.Fatal(err)
			}
			seen++
		}
		b.ReportMetric(float64(seen)/time.Since(start).Seconds(), "range-entries/s")

		parts := []*Segment{g}
		for k := range 16 {
			parts = append(parts, d.open(b, build(small, func(i int) uint64 { return uint64(17*7919*i + k + 1) })))
		}
		before = cpu(b)
		merged, err := d.MergeSegments(b.Context(), parts, func(e []byte) bool { return e[4] == 1 })
		if err != nil || merged.Entries >= n+16*small {
			b.Fatal(err)
		}
		b.ReportMetric((cpu(b) - before).Seconds(), "cpu-s/merge")
		b.ReportMetric(peak(b), "MB-peak")
	}
}

// BenchmarkAllEligible reads a million values in bounded memory, and looks some up.
func BenchmarkAllEligible(b *testing.B) {
	const n = 1_000_000
	d := newDesk(b)
	l := d.list(b, "wanted", "suspect")
	i, err := d.Importer(b.Context(), l.ID)
	if err != nil {
		b.Fatal(err)
	}
	var some []Lookup
	for from := 0; from < n; from += 4096 {
		var batch []intake.Record
		for k := from; k < min(from+4096, n); k++ {
			batch = append(batch, row(b, k))
		}
		some = append(some, d.Lookup(batch[0].Value))
		if _, err := i.Add(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := i.Commit(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	spec := EligibleSpec{Lists: []int64{l.ID}, Partner: "ID", Now: moment0}
	base := peak(b)
	for b.Loop() {
		before, seen := cpu(b), 0
		for _, err := range d.AllEligible(b.Context(), spec) {
			if err != nil {
				b.Fatal(err)
			}
			seen++
		}
		b.ReportMetric((cpu(b)-before).Seconds()*1e6/float64(seen), "cpu-us/value")
		b.ReportMetric(peak(b)-base, "MB-more-than-import")
		before = cpu(b)
		got, err := d.Eligible(b.Context(), spec, some)
		if err != nil || len(got) != len(some) || seen != n {
			b.Fatal(fmt.Sprint(len(got), seen), err)
		}
		b.ReportMetric((cpu(b)-before).Seconds()*1e6/float64(len(some)), "cpu-us/lookup")
	}
}
