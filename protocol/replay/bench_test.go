package replay

import (
	"testing"

	"entente/protocol/entry"
	"entente/protocol/roster"
)

// BenchmarkApply is what one entry costs everybody who replays the ledger.
func BenchmarkApply(b *testing.B) {
	w := found(b, 4, 4, roster.Spread{})
	sealed := body(b, entry.Sealed{Digest: make([]byte, 32)})
	made := make([][]byte, b.N)
	for i := range made {
		made[i], w.heads[id(3)] = w.next(3, entry.SealedDigest, sealed)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range made {
		w.state.members[id(3)].entries = 0
		if _, err := w.state.Apply(made[i]); err != nil {
			b.Fatal(err)
		}
	}
}
