package standing

import (
	"encoding/binary"
	"errors"
	"fmt"

	"entente/crypto/oprf"
	"entente/protocol/wire"
)

// Kinds of frames inside a feed.
const (
	kindState         wire.Kind = 16 // stateMessage
	kindPeriod        wire.Kind = 17 // round.Signed
	kindPosition      wire.Kind = 18 // positionMessage
	kindBlock         wire.Kind = 19 // index and tags of the publication
	kindRun           wire.Kind = 20 // round.Signed
	kindTags          wire.Kind = 21 // tags of a run
	kindRunsDone      wire.Kind = 22 // runsDoneMessage
	kindApplied       wire.Kind = 23 // round.Signed
	kindQuestions     wire.Kind = 24
	kindAnswers       wire.Kind = 25
	kindAcknowledged  wire.Kind = 26 // acknowledgedMessage
	kindQuestionsDone wire.Kind = 27 // empty; the asker's last frame
	kindFeedDone      wire.Kind = 28 // empty; the holder's last frame
	kindAlive         wire.Kind = 29 // empty; either side, while it computes
)

const (
	elementSize   = oprf.ElementSize
	questionsHead = 4 + 1 // number, flags
	answersHead   = 4     // number
	flagUrgent    = 1

	maxQuestions = questionsHead + MaxPlaces*elementSize
	maxAnswers   = answersHead + MaxPlaces*elementSize + AnswerExtra
	// maxMessage is longer than any CBOR message of a feed that is not signed.
	maxMessage = 256
)

// stateMessage opens a feed: what the asker's cache holds.
type stateMessage struct {
	_         struct{} `codec:",toarray"`
	Agreement [32]byte
	Feed      uint8
	Index     uint32   // tag period; 0: none
	Body      [32]byte // digest of the period's signed bytes; zeros: none
	Blocks    uint32
	Mark      Mark
}

// positionMessage says up to which run the holder will send, and where its account is.
type positionMessage struct {
	_       struct{} `codec:",toarray"`
	Last    uint32
	Account Position
}

// runsDoneMessage says that the asker now has all runs up to this one.
type runsDoneMessage struct {
	_    struct{} `codec:",toarray"`
	Last uint32
}

// acknowledgedMessage says that the asker durably holds the answers of all chunks below.
type acknowledgedMessage struct {
	_    struct{} `codec:",toarray"`
	Next uint32
}

// askerLimit is the cap of each kind that an asker sends.
func askerLimit(k wire.Kind) (uint32, bool) {
	switch k {
	case kindState, kindAcknowledged:
		return maxMessage, true
	case kindApplied:
		return maxSmall, true
	case kindQuestions:
		return maxQuestions, true
	case kindQuestionsDone, kindAlive:
		return 0, true
	}
	return 0, false
}

// holderLimit is the cap of each kind that a holder sends.
func holderLimit(k wire.Kind) (uint32, bool) {
	switch k {
	case kindPosition, kindRunsDone:
		return maxMessage, true
	case kindPeriod, kindRun:
		return maxSmall, true
	case kindBlock:
		return maxBlock, true
	case kindTags:
		return maxTags, true
	case kindAnswers:
		return maxAnswers, true
	case kindFeedDone, kindAlive:
		return 0, true
	}
	return 0, false
}

// decode reads a CBOR body.
func decode[T any](body []byte) (T, error) {
	var v T
	if err := wire.Unmarshal(body, &v); err != nil {
		return v, &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return v, nil
}

// asked is a chunk of questions as it came.
type asked struct {
	number  uint32
	urgent  bool
	blinded []byte
}

func (a asked) class() int { return len(a.blinded) / elementSize }

func encodeQuestions(a asked) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, questionsHead+len(a.blinded)), a.number)
	flags := byte(0)
	if a.urgent {
		flags = flagUrgent
	}
	return append(append(b, flags), a.blinded...)
}

// decodeQuestions checks the layout; elements are the evaluation's to check.
func decodeQuestions(body []byte) (asked, error) {
	if len(body) < questionsHead || (len(body)-questionsHead)%elementSize != 0 {
		return asked{}, fault(wire.Malformed, "questions of %d bytes", len(body))
	}
	a := asked{number: binary.BigEndian.Uint32(body), urgent: body[4] == flagUrgent, blinded: body[questionsHead:]}
	switch {
	case body[4] > flagUrgent:
		return a, fault(wire.Malformed, "chunk %d has unknown flags", a.number)
	case a.class() > MaxPlaces, !wire.IsSizeClass(a.class()):
		return a, fault(wire.Malformed, "chunk %d has %d places", a.number, a.class())
	case a.urgent && a.class() != MinPlaces:
		return a, fault(wire.Malformed, "chunk %d is urgent and has %d places", a.number, a.class())
	}
	return a, nil
}

func encodeAnswers(number uint32, answer []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, answersHead+len(answer)), number), answer...)
}

// decodeAnswers checks number and length against the chunk that is due.
func decodeAnswers(body []byte, number uint32, class int) (evaluated, proof []byte, err error) {
	if len(body) != answersHead+class*elementSize+AnswerExtra {
		return nil, nil, fault(wire.Malformed, "an answer of %d bytes to %d places", len(body), class)
	}
	if got := binary.BigEndian.Uint32(body); got != number {
		return nil, nil, fault(wire.Malformed, "an answer to chunk %d when %d was due", got, number)
	}
	at := answersHead + class*elementSize
	return body[answersHead:at], body[at:], nil
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

// told is the number of the error that a peer hears.
func told(err error) wire.Code {
	var protocol *wire.ProtocolError
	switch {
	case errors.As(err, &protocol):
		return protocol.Code
	case errors.Is(err, ErrOver):
		return wire.Expired
	}
	return wire.Internal
}

// in names the place of an error.
func in(s *Session, side string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s of feed %d: %w", side, s.Feed, err)
}
