package round

import (
	"entente/protocol/wire"
)

// Write writes one message as a frame.
func Write(c *wire.Conn, m Message) error { return c.Send(m.Kind, m.Body) }

// Read reads one message of a round. A frame of another kind, over its cap, or
// not in canonical form is the peer's fault.
func Read(c *wire.Conn) (Message, error) {
	kind, body, err := c.Receive(Limit)
	if err != nil {
		return Message{}, err
	}
	return Parse(kind, body)
}

// Parse decodes the body of one frame.
func Parse(kind wire.Kind, body []byte) (Message, error) {
	switch kind {
	case KindHello:
		return parse[Hello](kind, body)
	case KindOffer, KindAnswer, KindReceipt:
		return parse[Signed](kind, body)
	case KindPending:
		return parse[Pending](kind, body)
	case KindConfirm:
		return parse[Confirm](kind, body)
	case KindConfirmed:
		return parse[Confirmed](kind, body)
	case KindDone:
		return parse[Done](kind, body)
	case KindCountersigned:
		return parse[CountersignedNote](kind, body)
	case KindClosed:
		return parse[ClosedNote](kind, body)
	case KindCancel:
		return parse[Cancel](kind, body)
	case KindCancelled:
		return parse[CancelledNote](kind, body)
	}
	return Message{}, fault(wire.Malformed, "frame kind %d does not belong to a round", kind)
}

func parse[T any](kind wire.Kind, body []byte) (Message, error) {
	var v T
	if err := wire.Unmarshal(body, &v); err != nil {
		return Message{}, &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return Message{Kind: kind, Body: v}, nil
}
