package ristretto

import "testing"

// BenchmarkRoutines measures the assembly, in ns for eight lanes.
func BenchmarkRoutines(b *testing.B) {
	if Detect() != IFMA {
		return
	}
	w := newWorker(b, IFMA)
	a := w.engine.(*vectorEngine)
	p := decode(b, w, elements(b, "micro", width))
	x, y := &a.v[0], &a.v[1]
	*x, *y = p.blocks[0].x, p.blocks[0].y
	a.multiplyBlock(&a.other, &p.blocks[0])
	for name, f := range map[string]func(){
		"multiply":             func() { fieldMultiply(x, x, y) },
		"multiply independent": func() { fieldMultiply(&a.v[2], x, y) },
		"square100":            func() { fieldSquare(x, x, 100) },
		"square1":              func() { fieldSquare(x, x, 1) },
		"add":                  func() { fieldAdd(x, x, y) },
		"parity":               func() { fieldParity(&a.mask[0], y) },
		"double":               func() { pointDouble(&a.other, &a.other, &a.work) },
		"addition":             func() { pointAdd(&a.other, &a.other, &a.table[0], &a.work) },
		"sum":                  func() { sumAdd(&a.sum, &a.sum, &a.table[0], &a.work) },
		"cache":                func() { pointCache(&a.entry, &p.blocks[0], &a.twiceD) },
		"product":              func() { pointMultiply(&a.other, &a.table, &a.digits, &a.work) },
		"table":                func() { a.multiplyBlock(&a.other, &p.blocks[0]) },
	} {
		b.Run(name, func(b *testing.B) {
			a.other = p.blocks[0]
			for b.Loop() {
				f()
			}
		})
	}
}
