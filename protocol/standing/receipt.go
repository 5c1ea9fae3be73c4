package standing

import (
	"fmt"

	"entente/crypto/sign"
	"entente/protocol/round"
	"entente/protocol/wire"
)

const domainApplied sign.Domain = "entente/standing/applied/1"

// Applied is what an asker signs when its cache has reached a mark: the deletion receipt.
// It proves that the asker's node stated that it holds the set with this digest, so without
// what was removed up to this run. It does not prove that no copy exists.
type Applied struct {
	_         struct{} `codec:",toarray"`
	Version   uint16
	Agreement [32]byte
	Feed      uint8
	Index     uint32 // tag period
	Run       uint32
	Digest    [32]byte
	Living    uint32
	Removed   uint32 // tombstones of all runs of the period up to this one, dummies included
	Time      int64  // the asker's, Unix milliseconds
}

// signApplied makes the receipt for a mark.
func signApplied(s *Session, index uint32, m Mark) (round.Signed, error) {
	return signed(s.Key, domainApplied, Applied{
		Version: Version, Agreement: s.Agreement, Feed: s.Feed, Index: index,
		Run: m.Run, Digest: m.Digest, Living: m.Living, Removed: m.Removed, Time: s.Now().UnixMilli(),
	})
}

// OpenApplied verifies and decodes a receipt. It is also for whoever audits one.
func OpenApplied(asker *sign.PublicKey, s round.Signed) (Applied, error) {
	var a Applied
	if err := open(asker, domainApplied, s, &a); err != nil {
		return a, fmt.Errorf("receipt: %w", err)
	}
	if a.Version != Version {
		return a, fault(wire.UnsupportedVersion, "the receipt has version %d", a.Version)
	}
	return a, nil
}

// fits checks a receipt against the mark that the asker must have reached.
func (a *Applied) fits(s *Session, index uint32, m Mark, now int64) error {
	switch {
	case a.Agreement != s.Agreement, a.Feed != s.Feed, a.Index != index:
		return fault(wire.Altered, "the receipt belongs to another feed or tag period")
	case a.Run != m.Run, a.Digest != m.Digest, a.Living != m.Living, a.Removed != m.Removed:
		return fault(wire.Altered, "the receipt does not say what was published")
	case a.Time > now+maxSkew, a.Time < now-maxSkew:
		return fault(wire.Clock, "the receipt's time differs by more than five minutes")
	}
	return nil
}
