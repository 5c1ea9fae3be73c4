package tally

import (
	"entente/protocol/round"
	"entente/protocol/wire"
)

// Message is one frame to send or one frame received.
type Message struct {
	Kind wire.Kind
	Body any // the struct of this package that belongs to the kind: Signed, a message, or a Chunk
}

// Write writes one message as a frame.
func Write(c *wire.Conn, m Message) error {
	if chunk, ok := m.Body.(Chunk); ok {
		return c.SendBytes(m.Kind, chunk.bytes())
	}
	return c.Send(m.Kind, m.Body)
}

// Read reads one message. A frame of another kind, over its cap, or not in canonical form is
// the peer's fault.
func Read(c *wire.Conn) (Message, error) {
	kind, body, err := c.Receive(Limit)
	if err != nil {
		return Message{}, err
	}
	return Parse(kind, body)
}

// Parse decodes the body of one frame. A chunk shares the body's memory.
func Parse(kind wire.Kind, body []byte) (Message, error) {
	switch kind {
	case KindHello:
		return parse[round.Hello](kind, body)
	case KindProposal, KindAcceptance, KindKeyCall, KindPart, KindContribution, KindRequest, KindShare, KindRelease:
		return parse[Signed](kind, body)
	case KindReady:
		return parse[Ready](kind, body)
	case KindWanted:
		return parse[Wanted](kind, body)
	case KindReleased:
		return parse[Released](kind, body)
	case KindPublic, KindSealed, KindMask, KindBody, KindShareBlock:
		return parseChunk(kind, body)
	}
	return Message{}, fault(wire.Malformed, "frame kind %d does not belong to a tally", kind)
}

func parse[T any](kind wire.Kind, body []byte) (Message, error) {
	var v T
	if err := Decode(body, &v); err != nil {
		return Message{}, err
	}
	return Message{Kind: kind, Body: v}, nil
}

// parseChunk checks lengths, which the kind fixes but for sealed shares.
func parseChunk(kind wire.Kind, body []byte) (Message, error) {
	limit, _ := Limit(kind)
	short := len(body) < chunkHead || len(body) > int(limit)
	if kind == KindSealed && !short {
		short = len(body) == chunkHead
	} else if !short {
		short = len(body) != int(limit)
	}
	if short {
		return Message{}, fault(wire.Malformed, "a chunk of %d bytes for kind %d", len(body), kind)
	}
	return Message{Kind: kind, Body: Chunk{Of: body[0], Part: body[1], Data: body[chunkHead:]}}, nil
}
