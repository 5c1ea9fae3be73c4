package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"entente/node/transport"
	"entente/protocol/entry"
)

// ErrAddressesByPairs says that only a roster can change addresses.
var ErrAddressesByPairs = errors.New("the members of this federation keep account in pairs: addresses change with a roster of a higher version, which every member signs")

// ChangeAddresses has the others dial this member elsewhere from the moment on that the ledger
// has it final. None means that this member only calls others.
func (n *Node) ChangeAddresses(ctx context.Context, addresses []string) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	l, err := n.Ledger()
	if err != nil {
		return ErrAddressesByPairs
	}
	f := n.joined.Load()
	if _, suspended := l.Members(); f == nil || slices.Contains(suspended, n.ID()) {
		return ErrNoPart
	}
	for _, a := range addresses {
		if err := transport.CheckAddress(a); err != nil {
			return fmt.Errorf("%w: %w", ErrWanted, err)
		}
	}
	own := f.Own().Member
	own.Addresses = addresses
	if err := own.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrWanted, err)
	}
	if own.Equal(f.Own().Member) {
		return fmt.Errorf("%w: these are the addresses that the roster names already", ErrWanted)
	}
	err = submitted{n.store}.Append(ctx, entry.AddressesChanged, func(entry.Head) ([]byte, error) {
		return entry.Body(entry.AddressState{Addresses: addresses})
	})
	if err != nil {
		return fmt.Errorf("change addresses: %w", err)
	}
	return n.Mirror(ctx)
}
