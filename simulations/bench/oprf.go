package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync"

	"entente/protocol/exact"
	"entente/protocol/wire"
)

// sharedItems is how many items both lists of the bench hold.
const sharedItems = 50

// runExact runs suite oprf between two lists of n items that share fifty, both
// parties learning which.
func runExact(ctx context.Context, m *meter, p Params) error {
	n := int(p["n"])
	suite, err := exact.Lookup("oprf")
	if err != nil {
		return err
	}
	shared := min(n, sharedItems)
	a, b := numbers{0, n}, numbers{n - shared, n}
	session := exact.Session{Agreement: [32]byte{1}, Kind: "phone", Version: 1, Mutual: true,
		Receiver: wire.SizeClass(n), Sender: wire.SizeClass(n)}
	left, right := session, session
	if left.Secret, _, err = suite.NewSecret(); err != nil {
		return err
	}
	if right.Secret, left.PeerPublic, err = suite.NewSecret(); err != nil {
		return err
	}
	var got, given exact.Result
	err = m.measure("run", func() error {
		x, y := net.Pipe()
		var sent error
		var peer sync.WaitGroup
		peer.Go(func() {
			given, sent = suite.Send(ctx, y, right, b, nil, nil)
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
	if len(got.Positions) != shared || len(given.Positions) != shared {
		return fmt.Errorf("found %d and %d shared items, not %d", len(got.Positions), len(given.Positions), shared)
	}
	m.result.BytesPerItem = float64(got.BytesSent+got.BytesReceived) / float64(n)
	m.figure("items_per_second", float64(n)/m.result.WallSeconds)
	m.figure("cpu_us_per_item", m.result.CPUSeconds*1e6/float64(n))
	return nil
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
