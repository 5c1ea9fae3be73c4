package compare

import (
	"encoding/binary"
	"fmt"
	"io"

	"entente/crypto/ot"
)

// group is how many pairs are worked on at a time: their transfers begin and end with a key
// of the hash.
const group = 64

// Sender is the side that has x. It is not safe for concurrent use; chunks may overlap if
// both sides open them in the same order. After an error other than ErrOrder and
// ErrParameters it does nothing any more.
type Sender struct {
	secret
	parameters Parameters
	random     io.Reader
	base       *ot.BaseChooser
	transfers  *ot.Sender
	ended      bool
	zero, one  [group * inputBits]ot.Block
}

// NewSender begins a run and returns the request to the chooser, RequestSize bytes. All its
// randomness comes from the reader, which must be a source of secret random bytes: 16 for
// ot.DrawChoices, those of ot.NewBaseChooser, and for each chunk those of ot.Sender.Extend
// when it is opened and one byte a pair when its tables are made.
func NewSender(p Parameters, random io.Reader) (*Sender, []byte, error) {
	session, err := p.session()
	if err != nil {
		return nil, nil, fmt.Errorf("compare as sender: %w", err)
	}
	choices, err := ot.DrawChoices(random)
	if err != nil {
		return nil, nil, fmt.Errorf("compare as sender: %w", err)
	}
	base, err := ot.NewBaseChooser(session, choices, random)
	if err != nil {
		return nil, nil, fmt.Errorf("compare as sender: %w", err)
	}
	return &Sender{parameters: p, random: random, base: base}, base.Request(), nil
}

// Start reads the chooser's reply, ReplySize bytes. Errors are those of package ot, of which
// ot.ErrTrees also says that the sides do not agree about the parameters.
func (s *Sender) Start(reply []byte) error {
	if s.ended {
		return fmt.Errorf("start: %w", ErrEnded)
	}
	if s.transfers != nil {
		return fmt.Errorf("start: %w", ErrOrder)
	}
	transfers, err := s.start(reply)
	if err != nil {
		s.ended = true
		return fmt.Errorf("start: %w", err)
	}
	s.transfers = transfers
	return nil
}

func (s *Sender) start(reply []byte) (*ot.Sender, error) {
	if len(reply) != ReplySize() {
		return nil, fmt.Errorf("reply of %d bytes: %w", len(reply), ErrSize)
	}
	chosen, err := s.base.Finish(reply[:ot.AnswerSize])
	if err != nil {
		return nil, err
	}
	return ot.NewSender(chosen, reply[ot.AnswerSize:])
}

// step runs one step if it is the next one, and ends the session if it fails.
func step[T any](ended *bool, next *int, number int, run func() (T, error)) (T, error) {
	var none T
	if *ended {
		return none, ErrEnded
	}
	if *next != number {
		return none, ErrOrder
	}
	*next++
	result, err := run()
	if err != nil {
		*ended = true
		return none, err
	}
	return result, nil
}

// SenderChunk is a chunk under way at the sender.
type SenderChunk struct {
	secret
	sender  *Sender
	next    int
	x       []uint16 // less the threshold
	sending *ot.Sending
	pads    *ot.SenderPads
	shares  []byte
}

// Open begins a chunk from its x, at most MaxChunk of them, and the chooser's columns,
// ColumnsSize bytes. It returns the challenge to the chooser, ChallengeSize bytes.
func (s *Sender) Open(x []uint16, columns []byte) (*SenderChunk, []byte, error) {
	if err := checkChunk(len(x)); err != nil {
		return nil, nil, err
	}
	if s.transfers == nil && !s.ended {
		return nil, nil, fmt.Errorf("open chunk: %w", ErrOrder)
	}
	c := &SenderChunk{sender: s}
	challenge, err := step(&s.ended, &c.next, 0, func() ([]byte, error) {
		for _, v := range x {
			c.x = append(c.x, v-uint16(s.parameters.Threshold))
		}
		var challenge []byte
		var err error
		c.sending, challenge, err = s.transfers.Extend(perPair*len(x), columns, s.random)
		return challenge, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("open chunk: %w", err)
	}
	return c, challenge, nil
}

// Tables reads the chooser's choices, ChoicesSize bytes, checks the proof among them and
// returns the tables of all digits, TablesSize bytes. Errors are ErrSize, ErrMalformed,
// ot.ErrProof, ErrOrder, ErrEnded.
func (c *SenderChunk) Tables(choices []byte) ([]byte, error) {
	tables, err := step(&c.sender.ended, &c.next, 1, func() ([]byte, error) { return c.tables(choices) })
	if err != nil {
		return nil, fmt.Errorf("make tables: %w", err)
	}
	return tables, nil
}

func (c *SenderChunk) tables(choices []byte) ([]byte, error) {
	n := len(c.x)
	if len(choices) != ChoicesSize(n) {
		return nil, fmt.Errorf("choices of %d bytes for %d pairs: %w", len(choices), n, ErrSize)
	}
	var err error
	if c.pads, err = c.sending.Verify(choices[:ot.ProofSize]); err != nil {
		return nil, err
	}
	choices = choices[ot.ProofSize:]
	for i := range n {
		if choices[i*choiceSize]>>7 != 0 {
			return nil, fmt.Errorf("choices of pair %d: %w", i, ErrMalformed)
		}
	}
	c.shares = make([]byte, n)
	if _, err := io.ReadFull(c.sender.random, c.shares); err != nil {
		return nil, fmt.Errorf("%w: %w", ot.ErrRandom, err)
	}
	tables := make([]byte, 0, TablesSize(n))
	for from := 0; from < n; from += group {
		to := min(from+group, n)
		zero, one := c.sender.zero[:(to-from)*inputBits], c.sender.one[:(to-from)*inputBits]
		if err := c.pads.Take(zero, one); err != nil {
			return nil, err
		}
		for i := from; i < to; i++ {
			by := binary.BigEndian.Uint16(choices[i*choiceSize:])
			tables = appendTables(tables, c.x[i], by, c.shares[i], zero, one)
			zero, one = zero[inputBits:], one[inputBits:]
		}
	}
	return tables, nil
}

// appendTables appends the tables of one pair: those of g₀, g₁, p₁, g₂ and p₂.
func appendTables(to []byte, x, by uint16, shares byte, zero, one []ot.Block) []byte {
	table := func(digit int, g, p byte) uint64 {
		masks := uint64(-uint32(shares>>g&1)) | uint64(-uint32(shares>>p&1))<<32
		own, from := x>>(digit*digitBits)&31, digit*digitBits
		return move(carries(own), by>>(digit*digitBits)&31) ^ masks ^ pads(zero[from:from+digitBits], one[from:from+digitBits])
	}
	to = binary.BigEndian.AppendUint32(to, uint32(table(0, shareG0, shareG0)))
	for digit, shares := range [][2]byte{{shareG1, shareP1}, {shareG2, shareP2}} {
		both := table(1+digit, shares[0], shares[1])
		to = binary.BigEndian.AppendUint32(to, uint32(both))
		to = binary.BigEndian.AppendUint32(to, uint32(both>>32))
	}
	return to
}

// Combine reads the chooser's choices, CombiningSize bytes, and returns the last message,
// LastSize bytes. If the sender does not learn the chunk is over for it. Errors are ErrSize,
// ErrMalformed, ErrOrder and ErrEnded.
func (c *SenderChunk) Combine(choices []byte) ([]byte, error) {
	last, err := step(&c.sender.ended, &c.next, 2, func() ([]byte, error) { return c.combine(choices) })
	if err != nil {
		return nil, fmt.Errorf("combine: %w", err)
	}
	return last, nil
}

func (c *SenderChunk) combine(choices []byte) ([]byte, error) {
	n := len(c.x)
	if len(choices) != CombiningSize(n) {
		return nil, fmt.Errorf("choices of %d bytes for %d pairs: %w", len(choices), n, ErrSize)
	}
	if n%2 != 0 && choices[n/2]>>4 != 0 {
		return nil, fmt.Errorf("choices after pair %d: %w", n-1, ErrMalformed)
	}
	last := make([]byte, 0, LastSize(n, BothLearn))
	for from := 0; from < n; from += group {
		to := min(from+group, n)
		zero, one := c.sender.zero[:(to-from)*topBits], c.sender.one[:(to-from)*topBits]
		if err := c.pads.Take(zero, one); err != nil {
			return nil, err
		}
		for i := from; i < to; i++ {
			by := uint16(choices[i/2]>>(i%2*4)^c.shares[i]) & 15
			table := uint16(move(combining, by)^pads(zero[:topBits], one[:topBits])) ^ -uint16(c.shares[i]>>shareTop&1)
			last = binary.BigEndian.AppendUint16(last, table)
			zero, one = zero[topBits:], one[topBits:]
			c.shares[i] = (c.shares[i]>>shareG2 ^ c.shares[i]>>shareTop ^ byte(c.x[i]>>15) ^ 1) & 1
		}
	}
	if c.sender.parameters.Learns.chooser() {
		last = appendBits(last, c.shares)
	}
	return last, nil
}

// Finish reads the chooser's shares, SharesSize bytes, and returns the bit of each pair. It
// is the last step of a sender that learns; one that does not gets ErrOrder.
func (c *SenderChunk) Finish(shares []byte) ([]bool, error) {
	if !c.sender.parameters.Learns.sender() {
		return nil, fmt.Errorf("finish: the sender does not learn: %w", ErrOrder)
	}
	bits, err := step(&c.sender.ended, &c.next, 3, func() ([]bool, error) { return outcomes(c.shares, shares) })
	if err != nil {
		return nil, fmt.Errorf("finish: %w", err)
	}
	return bits, nil
}

// appendBits packs one bit of each byte, the lowest bit of a byte first.
func appendBits(to, bits []byte) []byte {
	from := len(to)
	to = append(to, make([]byte, SharesSize(len(bits)))...)
	for i, b := range bits {
		to[from+i/8] |= b << (i % 8)
	}
	return to
}

// outcomes adds the other side's packed shares to the own ones.
func outcomes(own, theirs []byte) ([]bool, error) {
	if len(theirs) != SharesSize(len(own)) {
		return nil, fmt.Errorf("shares of %d bytes for %d pairs: %w", len(theirs), len(own), ErrSize)
	}
	if left := len(own) % 8; left != 0 && theirs[len(theirs)-1]>>left != 0 {
		return nil, fmt.Errorf("shares after pair %d: %w", len(own)-1, ErrMalformed)
	}
	bits := make([]bool, len(own))
	for i := range bits {
		bits[i] = own[i]^theirs[i/8]>>(i%8)&1 == 1
	}
	return bits, nil
}
