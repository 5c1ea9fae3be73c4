//go:build !amd64

package ot

// newRowHash returns the only hash that is not for amd64.
func newRowHash() rowHash { return new(genericHash) }

// turnFast returns how many of the first rows it has turned: none, for want of a kernel.
func (m *matrix) turnFast([]Block) int { return 0 }
