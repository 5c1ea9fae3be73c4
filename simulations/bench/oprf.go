package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync"
	"time"

	"entente/crypto/oprf"
	"entente/crypto/ristretto"
	"entente/protocol/exact"
	"entente/protocol/wire"
	"entente/simulations/measure"
)

// sharedItems is how many items both lists of the bench hold.
const sharedItems = 50

// runExact runs suite oprf between two lists of n items that share fifty; the receiver
// learns which. What its proofs cost is measured besides, on a few batches.
func runExact(ctx context.Context, m *meter, p Params) error {
	m.result.Kernel = ristretto.Detect().String()
	if err := m.exactRun(ctx, p); err != nil {
		return err
	}
	return m.proofs(ctx)
}

func (m *meter) exactRun(ctx context.Context, p Params) error {
	n := int(p["n"])
	suite, err := exact.Lookup("oprf")
	if err != nil {
		return err
	}
	shared := min(n, sharedItems)
	a, b := numbers{0, n}, numbers{n - shared, n}
	session := exact.Session{Agreement: [32]byte{1}, Kind: "phone", Version: 1,
		Receiver: wire.SizeClass(n), Sender: wire.SizeClass(n)}
	left, right := session, session
	if left.Secret, _, err = suite.NewSecret(); err != nil {
		return err
	}
	if right.Secret, left.PeerPublic, err = suite.NewSecret(); err != nil {
		return err
	}
	var got exact.Result
	err = m.measure("run", func() error {
		x, y := net.Pipe()
		var sent error
		var peer sync.WaitGroup
		peer.Go(func() {
			_, sent = suite.Send(ctx, y, right, b, nil, nil)
			sent = errors.Join(sent, y.Close())
		})
		var received error
		got, received = suite.Receive(ctx, x, left, a, nil, nil)
		received = errors.Join(received, x.Close())
		peer.Wait()
		return errors.Join(received, sent)
	})
	if err != nil {
		return err
	}
	if len(got.Positions) != shared {
		return fmt.Errorf("found %d shared items, not %d", len(got.Positions), shared)
	}
	m.result.BytesPerItem = float64(got.BytesSent+got.BytesReceived) / float64(n)
	m.figure("items_per_second", float64(n)/m.result.WallSeconds)
	m.figure("cpu_us_per_item", m.result.CPUSeconds*1e6/float64(n))
	return nil
}

// proofBatches is how many batches the cost of proofs is measured on; the least of three
// rounds counts, for either form.
const proofBatches = 16

// proofs sets the figure verifiable_cost_percent: by how much the proofs of suite oprf
// raise what an item costs both parties, from blinding to the output of either side.
func (m *meter) proofs(ctx context.Context) error {
	least := map[oprf.Form]time.Duration{}
	err := m.prepare("proofs", func() error {
		for range 3 {
			for _, form := range []oprf.Form{oprf.Unproven, oprf.Batched} {
				spent, err := batchCost(ctx, form)
				if err != nil {
					return err
				}
				if least[form] == 0 || spent < least[form] {
					least[form] = spent
				}
			}
		}
		return nil
	})
	if err == nil && least[oprf.Unproven] > 0 {
		m.figure("verifiable_cost_percent", 100*(least[oprf.Batched].Seconds()/least[oprf.Unproven].Seconds()-1))
	}
	return err
}

// batchCost is the processor time of all that both parties do with some batches.
func batchCost(ctx context.Context, form oprf.Form) (time.Duration, error) {
	seed := make([]byte, oprf.SeedSize)
	key, err := oprf.DeriveKey(form, seed, []byte("bench"))
	if err != nil {
		return 0, err
	}
	inputs, blinds := make([][]byte, groupBatch), make([]oprf.Scalar, groupBatch)
	start := measure.ProcessorTime()
	for n := range proofBatches {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		for i := range inputs {
			inputs[i] = binary.BigEndian.AppendUint64(make([]byte, groupInput-8, groupInput), uint64(n*groupBatch+i))
			if blinds[i], err = oprf.DeriveScalar(seed, uint64(n*groupBatch+i)); err != nil {
				return 0, err
			}
		}
		batch, err := key.Public().Blind(inputs, blinds)
		if err != nil {
			return 0, err
		}
		evaluated, proof, err := key.Evaluate(batch.Blinded())
		if err != nil {
			return 0, err
		}
		if _, err := batch.Finalize(evaluated, proof); err != nil {
			return 0, err
		}
		if _, err := key.Outputs(inputs); err != nil {
			return 0, err
		}
	}
	return measure.ProcessorTime() - start, nil
}

// numbers is a set of consecutive numbers as elements.
type numbers struct{ first, length int }

func (s numbers) Len() int { return s.length }

func (s numbers) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for i := range s.length {
			if !yield(binary.BigEndian.AppendUint64([]byte{1}, uint64(s.first+i)), nil) {
				return
			}
		}
	}
}
