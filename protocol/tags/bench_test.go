package tags

import (
	"fmt"
	"slices"
	"testing"
)

// BenchmarkList measures a whole list in blocks of 4,096: ns and bytes a tag.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{1 << 20, 10_000_000} {
		list := uniform(1, n)
		per := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/tag")
		}
		b.Run(fmt.Sprintf("sort/%d", n), func(b *testing.B) {
			shuffled := uniform(2, n)
			mix(shuffled)
			work := make([]Tag, n)
			for b.Loop() {
				copy(work, shuffled)
				Sort(work, itself)
			}
			per(b)
		})
		b.Run(fmt.Sprintf("encode/%d", n), func(b *testing.B) {
			c := code(b, n)
			buf := make([]byte, 0, c.MaxBlock(4096)+8)
			size := 0
			for b.Loop() {
				size = 0
				var before *Tag
				for block := range slices.Chunk(list, 4096) {
					out, err := c.AppendBlock(buf[:0], before, block)
					if err != nil {
						b.Fatal(err)
					}
					size += len(out)
					before = &block[len(block)-1]
				}
			}
			per(b)
			b.ReportMetric(float64(8*size)/float64(n), "bits/tag")
		})
		b.Run(fmt.Sprintf("decode/%d", n), func(b *testing.B) {
			c := code(b, n)
			blocks := encode(b, c, list, 4096)
			buf := make([]Tag, 0, 4096)
			for b.Loop() {
				var before *Tag
				for i, block := range blocks {
					out, err := c.DecodeBlock(buf[:0], before, min(4096, n-i*4096), block)
					if err != nil {
						b.Fatal(err)
					}
					last := out[len(out)-1]
					before = &last
				}
			}
			per(b)
		})
	}
}
