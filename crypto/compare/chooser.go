package compare

import (
	"encoding/binary"
	"fmt"
	"io"

	"entente/crypto/ot"
)

// Chooser is the side that has y. It is not safe for concurrent use; chunks may overlap if
// both sides open them in the same order. After an error other than ErrOrder and
// ErrParameters it does nothing any more.
type Chooser struct {
	secret
	parameters Parameters
	transfers  *ot.Receiver
	ended      bool
	blocks     [group * inputBits]ot.Block
	chosen     [group * inputBits]byte
}

// NewChooser answers the sender's request, RequestSize bytes, and returns the reply,
// ReplySize bytes. From the reader, a source of secret random bytes, it reads those of
// ot.AnswerBase and nothing later.
func NewChooser(p Parameters, request []byte, random io.Reader) (*Chooser, []byte, error) {
	session, err := p.session()
	if err != nil {
		return nil, nil, fmt.Errorf("compare as chooser: %w", err)
	}
	pairs, answer, err := ot.AnswerBase(session, request, random)
	if err != nil {
		return nil, nil, fmt.Errorf("compare as chooser: %w", err)
	}
	transfers, trees := ot.NewReceiver(pairs)
	return &Chooser{parameters: p, transfers: transfers}, append(answer, trees...), nil
}

// ChooserChunk is a chunk under way at the chooser.
type ChooserChunk struct {
	secret
	chooser   *Chooser
	next      int
	y         []uint16
	receiving *ot.Receiving
	pads      *ot.ReceiverPads
	indices   []uint16 // of the entries of each pair whose pads are known, five bits for each digit
	shares    []byte
}

// Open begins a chunk from its y, at most MaxChunk of them, and returns the columns to the
// sender, ColumnsSize bytes.
func (h *Chooser) Open(y []uint16) (*ChooserChunk, []byte, error) {
	if err := checkChunk(len(y)); err != nil {
		return nil, nil, err
	}
	c := &ChooserChunk{chooser: h, y: append([]uint16(nil), y...)}
	columns, err := step(&h.ended, &c.next, 0, func() ([]byte, error) {
		var columns []byte
		var err error
		c.receiving, columns, err = h.transfers.Extend(perPair * len(y))
		return columns, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("open chunk: %w", err)
	}
	return c, columns, nil
}

// Choose reads the sender's challenge, ChallengeSize bytes, and returns the proof and the
// choices for all digits, ChoicesSize bytes.
func (c *ChooserChunk) Choose(challenge []byte) ([]byte, error) {
	choices, err := step(&c.chooser.ended, &c.next, 1, func() ([]byte, error) { return c.choose(challenge) })
	if err != nil {
		return nil, fmt.Errorf("choose: %w", err)
	}
	return choices, nil
}

// choose keeps, of each pair, the indices and the pads of three entries.
func (c *ChooserChunk) choose(challenge []byte) ([]byte, error) {
	var choices []byte
	var err error
	if c.pads, choices, err = c.receiving.Prove(challenge); err != nil {
		return nil, err
	}
	n := len(c.y)
	c.indices, c.shares = make([]uint16, n), make([]byte, n)
	for from := 0; from < n; from += group {
		to := min(from+group, n)
		blocks, chosen := c.chooser.blocks[:(to-from)*inputBits], c.chooser.chosen[:(to-from)*inputBits]
		if err := c.pads.Take(blocks, chosen); err != nil {
			return nil, err
		}
		for i := from; i < to; i++ {
			for bit, b := range chosen[:inputBits] {
				c.indices[i] |= uint16(b) << bit
			}
			for digit, g := range []byte{shareG0, shareG1, shareG2} {
				sum := sumPads(blocks[digit*digitBits:][:digitBits]) >> (c.indices[i] >> (digit * digitBits) & 31)
				c.shares[i] |= byte(sum&1) << g
				if digit > 0 {
					p := []byte{shareP1, shareP2}[digit-1]
					c.shares[i] |= byte(sum>>32&1) << p
				}
			}
			choices = binary.BigEndian.AppendUint16(choices, (c.indices[i]^c.y[i])&(1<<inputBits-1))
			blocks, chosen = blocks[inputBits:], chosen[inputBits:]
		}
	}
	return choices, nil
}

// sumPads adds the pads of the blocks of one index.
func sumPads(blocks []ot.Block) uint64 {
	var sum uint64
	for i := range blocks {
		sum ^= pad(&blocks[i])
	}
	return sum
}

// Combine reads the sender's tables, TablesSize bytes, and returns the choices for the
// combining tables, CombiningSize bytes.
func (c *ChooserChunk) Combine(tables []byte) ([]byte, error) {
	choices, err := step(&c.chooser.ended, &c.next, 2, func() ([]byte, error) { return c.combine(tables) })
	if err != nil {
		return nil, fmt.Errorf("combine: %w", err)
	}
	return choices, nil
}

func (c *ChooserChunk) combine(tables []byte) ([]byte, error) {
	n := len(c.y)
	if len(tables) != TablesSize(n) {
		return nil, fmt.Errorf("tables of %d bytes for %d pairs: %w", len(tables), n, ErrSize)
	}
	choices := make([]byte, CombiningSize(n))
	for from := 0; from < n; from += group {
		to := min(from+group, n)
		blocks, chosen := c.chooser.blocks[:(to-from)*topBits], c.chooser.chosen[:(to-from)*topBits]
		if err := c.pads.Take(blocks, chosen); err != nil {
			return nil, err
		}
		for i := from; i < to; i++ {
			shares := c.shares[i] ^ entries(tables[i*tableSize:], c.indices[i])
			var index byte
			for bit, b := range chosen[:topBits] {
				index |= b << bit
			}
			choices[i/2] |= (index ^ shares) & 15 << (i % 2 * 4)
			top := byte(sumPads(blocks[:topBits])>>index) & 1
			c.indices[i] = uint16(index)
			c.shares[i] = shares>>shareG2&1 ^ top ^ byte(c.y[i]>>15)
			blocks, chosen = blocks[topBits:], chosen[topBits:]
		}
	}
	return choices, nil
}

// entries returns the entries of the tables of one pair at the indices, in the places of
// shares.
func entries(tables []byte, indices uint16) byte {
	entry := func(table int, digit int) byte {
		return byte(binary.BigEndian.Uint32(tables[4*table:])>>(indices>>(digit*digitBits)&31)) & 1
	}
	return entry(0, 0)<<shareG0 | entry(1, 1)<<shareG1 | entry(2, 1)<<shareP1 |
		entry(3, 2)<<shareG2 | entry(4, 2)<<shareP2
}

// Finish reads the sender's last message, LastSize bytes. It returns the bit of each pair if
// the chooser learns, else nil, and the shares to the sender, SharesSize bytes, if the sender
// learns, else nil.
func (c *ChooserChunk) Finish(last []byte) (bits []bool, shares []byte, err error) {
	bits, err = step(&c.chooser.ended, &c.next, 3, func() ([]bool, error) {
		n, learns := len(c.y), c.chooser.parameters.Learns
		if len(last) != LastSize(n, learns) {
			return nil, fmt.Errorf("last message of %d bytes for %d pairs: %w", len(last), n, ErrSize)
		}
		for i := range c.shares {
			c.shares[i] ^= byte(binary.BigEndian.Uint16(last[i*topSize:])>>(c.indices[i]&15)) & 1
		}
		if learns.sender() {
			shares = appendBits(nil, c.shares)
		}
		if !learns.chooser() {
			return nil, nil
		}
		return outcomes(c.shares, last[n*topSize:])
	})
	if err != nil {
		return nil, nil, fmt.Errorf("finish: %w", err)
	}
	return bits, shares, nil
}
