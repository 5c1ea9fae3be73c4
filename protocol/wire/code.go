package wire

import "fmt"

// Code is the meaning of an Error frame. The numbers are part of the protocol: they are
// never given another meaning. A code says nothing of indicators, rules or persons.
type Code uint16

// The codes; SPEC.md has the same table. Whose fault it is, see [Code.Fault].
const (
	NotAvailable       Code = 1  // the neutral refusal: every ground of policy, quota or casework
	Malformed          Code = 2  // bytes that are not a canonical message or break a stated layout
	Unexpected         Code = 3  // a kind of frame that has no place at this point
	UnsupportedVersion Code = 4  // protocol, suite or normaliser version that this side lacks
	Expired            Code = 5  // offer or round past its end
	Replayed           Code = 6  // message that was used before
	Altered            Code = 7  // digest or signature does not fit
	AboveGrant         Code = 8  // answer or run asks more than was granted
	TooLarge           Code = 9  // frame, chunk or set over its stated limit
	BadPoint           Code = 10 // group element not canonical, or the identity
	BadProof           Code = 11 // zero-knowledge proof does not verify
	Busy               Code = 12 // this side runs as many rounds as it may; try later
	UnknownRound       Code = 13 // round that this side does not hold (any more)
	Clock              Code = 14 // clocks of the two sides lie too far apart
	Quota              Code = 15 // more items than the agreement allows, found during a run
	Internal           Code = 16 // this side failed: disk, memory, defect
	Cancelled          Code = 17 // a person of this side ended it
	Pending            Code = 18 // a person of this side has yet to decide
	Stalled            Code = 19 // nothing came for longer than the deadline
	OtherRoster        Code = 20 // the two sides live by different rosters
)

// Fault tells whose fault a code states, seen from the side that states it.
type Fault uint8

// Faults. Network is for what neither side can be blamed for alone.
const (
	Nobody Fault = iota
	Self
	Peer
	Network
)

// String returns the fault in one word.
func (f Fault) String() string {
	switch f {
	case Self:
		return "self"
	case Peer:
		return "peer"
	case Network:
		return "network"
	default:
		return "nobody"
	}
}

type meaning struct {
	text  string
	fault Fault
}

// meaning is a switch and not a table, so that nothing can change it.
func (c Code) meaning() (meaning, bool) {
	switch c {
	case NotAvailable:
		return meaning{"not available", Nobody}, true
	case Malformed:
		return meaning{"malformed message", Peer}, true
	case Unexpected:
		return meaning{"message out of place", Peer}, true
	case UnsupportedVersion:
		return meaning{"version not supported", Nobody}, true
	case Expired:
		return meaning{"expired", Nobody}, true
	case Replayed:
		return meaning{"used before", Peer}, true
	case Altered:
		return meaning{"digest or signature does not fit", Peer}, true
	case AboveGrant:
		return meaning{"more than was granted", Peer}, true
	case TooLarge:
		return meaning{"over the size limit", Peer}, true
	case BadPoint:
		return meaning{"bad group element", Peer}, true
	case BadProof:
		return meaning{"proof does not verify", Peer}, true
	default:
		return c.laterMeaning()
	}
}

func (c Code) laterMeaning() (meaning, bool) {
	switch c {
	case Busy:
		return meaning{"busy, try later", Self}, true
	case UnknownRound:
		return meaning{"round not known", Nobody}, true
	case Clock:
		return meaning{"clocks too far apart", Nobody}, true
	case Quota:
		return meaning{"more items than agreed", Peer}, true
	case Internal:
		return meaning{"internal failure", Self}, true
	case Cancelled:
		return meaning{"cancelled", Self}, true
	case Pending:
		return meaning{"waiting for a person's decision", Nobody}, true
	case OtherRoster:
		return meaning{"the two sides live by different rosters", Nobody}, true
	case Stalled:
		return meaning{"no answer in time", Network}, true
	default:
		return meaning{}, false
	}
}

// String returns the meaning in plain words, or the number of a code from a later version.
func (c Code) String() string {
	if m, ok := c.meaning(); ok {
		return m.text
	}
	return fmt.Sprintf("error %d", uint16(c))
}

// Fault returns whose fault it is, seen from the side that states the code; Nobody for a
// code from a later version.
func (c Code) Fault() Fault {
	m, _ := c.meaning()
	return m.fault
}

// PeerError is what the peer stated in an Error frame. The stream stays usable.
type PeerError struct{ Code Code }

// Error returns the code's meaning as the partner's statement.
func (e *PeerError) Error() string { return "partner answered: " + e.Code.String() }

// Fault returns whose fault the peer states, seen from this side.
func (e *PeerError) Fault() Fault {
	switch f := e.Code.Fault(); f {
	case Self:
		return Peer
	case Peer:
		return Self
	default:
		return f
	}
}

// ProtocolError says that a stream cannot go on: the peer broke the protocol, or its Code says
// that nobody did. The caller sends Code to the peer and resets the stream, since what follows
// on it has no meaning.
type ProtocolError struct {
	Code Code
	Err  error // what exactly; never holds the peer's content
}

// Error returns code and reason, and whether the partner is to blame.
func (e *ProtocolError) Error() string {
	who := "cannot go on: "
	if e.Code.Fault() == Peer {
		who = "partner broke the protocol: "
	}
	if e.Err == nil {
		return who + e.Code.String()
	}
	return fmt.Sprintf("%s%s: %v", who, e.Code, e.Err)
}

// Unwrap returns the reason.
func (e *ProtocolError) Unwrap() error { return e.Err }
