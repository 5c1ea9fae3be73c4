package exact

import (
	"encoding/binary"
	"errors"
	"fmt"

	"entente/crypto/oprf"
	"entente/protocol/wire"
)

// Kinds of frames.
const (
	kindStart     wire.Kind = 1 // startMessage
	kindProgress  wire.Kind = 2 // progressMessage
	kindDone      wire.Kind = 3 // empty; the last frame of a side
	kindQuestions wire.Kind = 4
	kindAnswers   wire.Kind = 5
	kindTags      wire.Kind = 6
	kindReturns   wire.Kind = 7
)

const (
	elementSize         = oprf.ElementSize
	evaluationProofSize = oprf.ProofSize

	// maxStart and maxProgress are the longest encodings in bytes: array head, role,
	// digest with head, two numbers of at most five bytes; array head, two numbers.
	maxStart    = 1 + 1 + 34 + 5 + 5
	maxProgress = 1 + 5 + 5
)

// startMessage opens a side: who it is, which run it means, how many chunks of each of its
// incoming flows are durable. The peer goes on from there.
type startMessage struct {
	_       struct{} `codec:",toarray"`
	Role    uint8
	Session [32]byte
	First   uint32
	Second  uint32
}

// progressMessage says how many chunks of the incoming flows are durable. It also keeps
// the stream alive while a side computes.
type progressMessage struct {
	_      struct{} `codec:",toarray"`
	First  uint32
	Second uint32
}

// malformed blames the peer for bytes that break the layout.
func malformed(format string, args ...any) error {
	return &wire.ProtocolError{Code: wire.Malformed, Err: fmt.Errorf(format, args...)}
}

// blame turns an error of the group into the fault of the peer whose bytes they were.
func blame(err error) error {
	var code wire.Code
	switch {
	case err == nil:
		return nil
	case errors.Is(err, oprf.ErrElement):
		code = wire.BadPoint
	case errors.Is(err, oprf.ErrProof):
		code = wire.BadProof
	default:
		return err
	}
	return &wire.ProtocolError{Code: code, Err: err}
}

// decodeStart reads the opening of a peer in role r for the run named by session.
func decodeStart(body []byte, r role, session [32]byte, p plan) (startMessage, error) {
	var m startMessage
	if err := wire.Unmarshal(body, &m); err != nil {
		return m, malformed("start: %w", err)
	}
	if m.Role != uint8(r) {
		return m, &wire.ProtocolError{Code: wire.Unexpected, Err: fmt.Errorf("start of role %d, expected the %s", m.Role, r)}
	}
	if m.Session != session {
		return m, &wire.ProtocolError{Code: wire.Altered, Err: errors.New("start: the peer means another session")}
	}
	for i, n := range [2]uint32{m.First, m.Second} {
		if f := p[r.incoming()[i]]; int64(n) > int64(f.chunks()) {
			return m, malformed("start: %d chunks of %d %s", n, f.chunks(), f.name)
		}
	}
	return m, nil
}

// decodeChunk checks place and length of the next chunk of a flow, which must have the
// given index, and returns its content. The length of a chunk of tags is up to a bound here.
func decodeChunk(f flow, index int, body []byte) ([]byte, error) {
	if index >= f.chunks() {
		return nil, malformed("more %s than %d chunks", f.name, f.chunks())
	}
	if !f.fits(index, len(body)-indexSize) {
		return nil, malformed("%s: %d bytes, expected %d", f.describe(index), len(body), indexSize+f.bytes(index))
	}
	if got := binary.BigEndian.Uint32(body); got != uint32(index) {
		return nil, malformed("%s: marked %d", f.describe(index), got)
	}
	return body[indexSize:], nil
}

// encodeChunk puts the index before a chunk's content.
func encodeChunk(index int, content []byte) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, indexSize+len(content)), uint32(index))
	return append(b, content...)
}
