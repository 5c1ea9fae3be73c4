package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cloudflare/circl/group"

	"entente/crypto/ristretto"
)

const (
	// groupBatch is how many elements the suites of protocol/exact work on together.
	groupBatch = 1024
	// groupDomain is the domain that RFC 9497 gives the suite, so that hashing costs what it
	// costs there.
	groupDomain = "HashToGroup-OPRFV1-\x01-ristretto255-SHA512"
	// groupInput is the length of a hashed input in bytes: that of a phone number in a round,
	// label and agreement included.
	groupInput = 115
	// circlShare is how many times fewer elements the comparison works on.
	circlShare = 16
)

// runGroup measures the group on one core: decoding, multiplying by one secret scalar and
// encoding, the same from a hash, and the former with circl for comparison.
func runGroup(ctx context.Context, m *meter, p Params) error {
	n := int(p["n"])
	w, err := ristretto.NewWorker(ristretto.Auto)
	if err != nil {
		return err
	}
	m.result.Kernel = w.Kernel().String()
	scalar, err := ristretto.HashToScalar([]byte("bench"), []byte("entente/bench/scalar"))
	if err != nil {
		return err
	}
	inputs := make([][]byte, groupBatch)
	for i := range inputs {
		inputs[i] = binary.BigEndian.AppendUint64(make([]byte, groupInput-8, groupInput), uint64(i))
	}
	points, out := new(ristretto.Points), make([]byte, groupBatch*ristretto.Size)
	hashed := func() error {
		if err := w.HashToGroup(points, inputs, []byte(groupDomain)); err != nil {
			return err
		}
		w.Mul(points, points, &scalar)
		w.Encode(out, points)
		return nil
	}
	decoded := func() error { // what came out goes in again
		if err := w.Decode(points, out); err != nil {
			return err
		}
		w.Mul(points, points, &scalar)
		w.Encode(out, points)
		return nil
	}
	if err := m.rate(ctx, "hash_mul_encode", n, groupBatch, hashed); err != nil {
		return err
	}
	if err := m.rate(ctx, "decode_mul_encode", n, groupBatch, decoded); err != nil {
		return err
	}
	return m.rate(ctx, "circl_decode_mul_encode", max(1, n/circlShare), 1, withCircl(out[:ristretto.Size], scalar.Bytes()))
}

// withCircl is decoded for one element.
func withCircl(encoded, scalar []byte) func() error {
	return func() error {
		e, s := group.Ristretto255.NewElement(), group.Ristretto255.NewScalar()
		if err := e.UnmarshalBinary(encoded); err != nil {
			return err
		}
		if err := s.UnmarshalBinary(scalar); err != nil {
			return err
		}
		_, err := e.Mul(e, s).MarshalBinaryCompress()
		return err
	}
}

// rate measures a phase that works on at least n items, batch by batch, and sets the
// figure PHASE_per_second from its processor time.
func (m *meter) rate(ctx context.Context, phase string, n, batch int, work func() error) error {
	var spent time.Duration
	batches := (n + batch - 1) / batch
	err := m.measure(phase, func() error {
		start := processorTime()
		for range batches {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := work(); err != nil {
				return fmt.Errorf("%s: %w", phase, err)
			}
		}
		spent = processorTime() - start
		return nil
	})
	if err == nil && spent > 0 {
		m.figure(phase+"_per_second", float64(batches*batch)/spent.Seconds())
	}
	return err
}
