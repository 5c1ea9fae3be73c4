package exact

import (
	"encoding/binary"
	"errors"
	"fmt"

	"entente/crypto/dp"
	"entente/crypto/oprf"
	"entente/crypto/transcript"
	"entente/protocol/wire"
)

const (
	nameOPRF  = "oprf"
	nameRFC   = "oprf-rfc9497"
	nameCount = "count"

	// sessionLabel is the label of the digest that both sides compare first of all.
	sessionLabel = "entente/exact/session/1"
	// maxKind is the longest name of an indicator kind in bytes.
	maxKind = 64
	// maxRun is the largest index of a run.
	maxRun = 1<<16 - 1
)

// ErrChanged says that a journal belongs to another session or another list than those
// given: going on would pair used secrets with other items, so the run is over.
var ErrChanged = errors.New("the list or the agreement is not the one that the run began with")

// role is a side of a run; its number stands in Start.
type role uint8

const (
	receiver role = 1
	sender   role = 2
)

func (r role) String() string {
	if r == receiver {
		return "receiver"
	}
	return "sender"
}

// check refuses sessions that no agreement should have led to.
func (s *Session) check(suite string) error {
	switch {
	case len(s.Secret) != SecretSize:
		return fmt.Errorf("session: secret of %d bytes", len(s.Secret))
	case s.Kind == "" || len(s.Kind) > maxKind:
		return fmt.Errorf("session: kind of %d bytes", len(s.Kind))
	case s.Run < 0 || s.Run > maxRun:
		return fmt.Errorf("session: run %d", s.Run)
	case !wire.IsSizeClass(s.Receiver) || s.Receiver > maxItems(suite):
		return fmt.Errorf("session: %d is no size class of a receiver", s.Receiver)
	case !wire.IsSizeClass(s.Sender) || s.Sender > maxItems(suite):
		return fmt.Errorf("session: %d is no size class of a sender", s.Sender)
	case suite == nameCount && s.Mutual:
		return errors.New("session: a count is never mutual")
	case suite != nameCount && s.EpsilonMilli != 0:
		return errors.New("session: noise is for counts only")
	}
	return nil
}

// maxItems is the largest size class of a suite.
func maxItems(suite string) int {
	if suite == nameCount {
		return MaxCountItems
	}
	return MaxItems
}

// CheckPublic checks the public key that a peer gives for a suite, before it is agreed on.
// It returns nil or a *wire.ProtocolError: UnsupportedVersion for a suite that is none,
// BadPoint for a key of an "oprf" suite of another length, not canonical or the identity, Malformed
// for anything that NewSecret of "count" cannot have given: no point of its runs depends
// on it, but it is part of what they are bound to.
func CheckPublic(suite string, public []byte) error {
	_, err := parsePublic(suite, public)
	return err
}

func parsePublic(suite string, public []byte) (*oprf.PublicKey, error) {
	code := wire.BadPoint
	switch suite {
	case nameOPRF, nameRFC:
	case nameCount:
		code = wire.Malformed
	default:
		return nil, &wire.ProtocolError{Code: wire.UnsupportedVersion, Err: fmt.Errorf("public key for suite %.32q", suite)}
	}
	key, err := oprf.ParsePublicKey(formOf(suite), public)
	if err != nil {
		return nil, &wire.ProtocolError{Code: code, Err: fmt.Errorf("the sender's key for suite %s: %w", suite, err)}
	}
	return key, nil
}

// digest names the run. It covers all that both sides must see alike.
func (s *Session) digest(suite string, senderPublic []byte) [32]byte {
	var mutual byte
	if s.Mutual {
		mutual = 1
	}
	be := binary.BigEndian
	return transcript.Digest(sessionLabel, []byte(suite), s.Agreement[:], []byte(s.Kind),
		be.AppendUint16(nil, s.Version), be.AppendUint32(nil, uint32(s.Run)),
		be.AppendUint32(nil, uint32(s.Receiver)), be.AppendUint32(nil, uint32(s.Sender)),
		[]byte{mutual}, be.AppendUint32(nil, s.EpsilonMilli), senderPublic)
}

// own returns the size class of a role.
func (s *Session) own(r role) int {
	if r == receiver {
		return s.Receiver
	}
	return s.Sender
}

// NoiseItems returns by how many items the noise lengthens the list of each side of a
// count: the public dummies. A size class is that of the list plus these. 0 without noise.
func NoiseItems(epsilonMilli uint32) (int, error) {
	n, err := noise(epsilonMilli)
	if err != nil {
		return 0, err
	}
	return n.Max(), nil
}

// noise returns the distribution; for 0 the one that is always 0.
func noise(epsilonMilli uint32) (dp.Noise, error) {
	if epsilonMilli == 0 {
		return dp.Noise{}, nil
	}
	n, err := dp.NewNoise(epsilonMilli)
	if err != nil {
		return dp.Noise{}, fmt.Errorf("noise of the count: %w", err)
	}
	return n, nil
}
