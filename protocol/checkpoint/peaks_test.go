package checkpoint

import (
	"fmt"
	"testing"
)

func TestPeaksHaveTheTreesRoot(t *testing.T) {
	var p Peaks
	var m Memory
	for size := range uint64(300) {
		want, err := Root(size, m)
		if err != nil {
			t.Fatal(err)
		}
		if p.Root() != want || p.Size() != size || len(p.roots) > 9 {
			t.Fatalf("%d entries: another root, size %d, %d hashes", size, p.Size(), len(p.roots))
		}
		leaf := Leaf(fmt.Append(nil, "entry ", size))
		p.Add(leaf)
		hashes, err := Append(size, leaf, m)
		if err != nil {
			t.Fatal(err)
		}
		m = append(m, hashes...)
	}
}
