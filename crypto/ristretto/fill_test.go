//go:build !amd64

package ristretto

import "filippo.io/edwards25519"

// fill overwrites the points of a batch.
func fill(p *Points, points []*edwards25519.Point) { fillGeneric(p, points) }
