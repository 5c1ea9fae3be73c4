package standing

import (
	"entente/protocol/round"
	"entente/protocol/wire"
)

// Write writes one message outside feeds as a frame.
func Write(c *wire.Conn, m round.Message) error { return c.Send(m.Kind, m.Body) }

// Read reads one message outside feeds. A frame of another kind, over its cap, or not in
// canonical form is the peer's fault.
func Read(c *wire.Conn) (round.Message, error) {
	kind, body, err := c.Receive(Limit)
	if err != nil {
		return round.Message{}, err
	}
	return Parse(kind, body)
}

// Parse decodes the body of one frame outside feeds.
func Parse(kind wire.Kind, body []byte) (round.Message, error) {
	switch kind {
	case KindHello:
		return parse[round.Hello](kind, body)
	case KindOffer, KindAnswer, KindEnd:
		return parse[round.Signed](kind, body)
	case KindPending:
		return parse[Pending](kind, body)
	case KindConfirm:
		return parse[Confirm](kind, body)
	case KindConfirmed:
		return parse[Confirmed](kind, body)
	case KindEnded:
		return parse[EndedNote](kind, body)
	case KindSync:
		return parse[Sync](kind, body)
	case KindReady:
		return parse[Ready](kind, body)
	case KindDone:
		return parse[Done](kind, body)
	}
	return round.Message{}, fault(wire.Malformed, "frame kind %d does not belong to a subscription", kind)
}

func parse[T any](kind wire.Kind, body []byte) (round.Message, error) {
	var v T
	if err := wire.Unmarshal(body, &v); err != nil {
		return round.Message{}, &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return round.Message{Kind: kind, Body: v}, nil
}
