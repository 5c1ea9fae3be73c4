package memory

import "testing"

var kept []byte // so that what is allocated is not left out by the compiler

func TestAllocated(t *testing.T) {
	const size = 1 << 20
	if got := Allocated(func() { kept = make([]byte, size) }); got < size || got > 2*size {
		t.Errorf("a mebibyte was measured as %d bytes", got)
	}
	if got := Allocated(func() {}); got > enough {
		t.Errorf("nothing was measured as %d bytes", got)
	}
	calls := 0
	if got := Allocated(func() {
		if calls++; calls < 3 {
			kept = make([]byte, size)
		}
	}); got > enough || calls != 3 {
		t.Errorf("what is allocated twice only was measured as %d bytes after %d calls", got, calls)
	}
}
