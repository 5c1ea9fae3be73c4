//go:build !amd64

package ristretto

// haveIFMA reports whether the kernel IFMA runs here.
func haveIFMA() bool { return false }

// vectors is empty where the kernel IFMA cannot run.
type vectors struct{}

func (*vectors) resize(int) {}

// newVectorEngine is never called where haveIFMA is false.
func newVectorEngine() engine { return new(genericEngine) }
