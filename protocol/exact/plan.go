package exact

import (
	"fmt"

	"entente/protocol/wire"
)

// flowID names a flow of chunks in one direction.
type flowID int

const (
	questions flowID = iota // receiver to sender: blinded elements, or masked points
	answers                 // sender to receiver: the same under the sender's key
	tags                    // sender to receiver: its list as sorted tags
	returns                 // receiver to sender: proofs of hits, filled with random bytes
	flowCount
)

// Items in a chunk. All but the last chunk of a flow are full. A chunk of questions costs
// about a third of a second of one core in all and half a second on a link of 512 kbit/s.
const (
	questionChunk = 1024
	tagChunk      = 4096
	returnChunk   = 2048

	// indexSize is the length of the index before each chunk in bytes.
	indexSize = 4
)

// flow is the shape of a flow, which both sides know from the session.
type flow struct {
	name  string    // in the journal
	kind  wire.Kind // of its frames
	items int       // in all; 0: there is no such flow
	chunk int       // items in a full chunk
	size  int       // bytes of an item
	tail  int       // bytes after the items of each chunk
}

func (f flow) chunks() int { return (f.items + f.chunk - 1) / f.chunk }

// count returns how many items chunk i holds.
func (f flow) count(i int) int { return min(f.chunk, f.items-i*f.chunk) }

// bytes returns the length of chunk i, without index.
func (f flow) bytes(i int) int { return f.count(i)*f.size + f.tail }

// upTo returns the length of the first n chunks, without indices.
func (f flow) upTo(n int) int64 {
	return int64(min(n*f.chunk, f.items))*int64(f.size) + int64(n)*int64(f.tail)
}

// plan is the shape of a run.
type plan [flowCount]flow

// newPlan returns the shape of a run between two classes. Tests divide the chunks, so that
// small runs have many.
func newPlan(suite string, receiverClass, senderClass int, mutual bool, divide int) plan {
	p := plan{
		questions: {"questions", kindQuestions, receiverClass, questionChunk / divide, elementSize, 0},
		answers:   {"answers", kindAnswers, receiverClass, questionChunk / divide, elementSize, 0},
		tags:      {"tags", kindTags, senderClass, tagChunk / divide, TagSize, 0},
		returns:   {"returns", kindReturns, 0, returnChunk / divide, ProofSize, 0},
	}
	if suite == nameOPRF {
		p[answers].tail = evaluationProofSize
		if mutual {
			p[returns].items = receiverClass
		}
	}
	return p
}

// total returns the bytes of all chunks, without indices.
func (p plan) total() (n int64) {
	for _, f := range p {
		n += f.upTo(f.chunks())
	}
	return n
}

// incoming and outgoing name the flows of a role, in the order of Start and Progress.
func (r role) incoming() [2]flowID {
	if r == receiver {
		return [2]flowID{answers, tags}
	}
	return [2]flowID{questions, returns}
}

func (r role) outgoing() [2]flowID { return r.other().incoming() }

func (r role) other() role { return receiver + sender - r }

// Processor time of one item in seconds, measured with circl on one core of a 3.6 GHz
// server processor, journal not included.
const (
	blindSeconds    = 58e-6  // receiver, oprf: hash to the group, blind
	evaluateSeconds = 106e-6 // sender, oprf: decode, multiply, prove
	finalizeSeconds = 174e-6 // receiver, oprf: decode, verify, unblind
	outputSeconds   = 60e-6  // sender: own item to tag and proof
	maskSeconds     = 55e-6  // count: each of mask, remask, unmask and own tag
)

// Estimate returns what an undisturbed run costs both sides together: the bytes in both
// directions, frames included (an upper bound but for keepalives: 14 bytes each 5 s), and
// processor time, for planning. Sizes are classes. An unknown suite costs nothing.
func Estimate(name string, receiverClass, senderClass int, mutual bool) (bytes int64, cpuSeconds float64) {
	r, s := float64(receiverClass), float64(senderClass)
	switch name {
	case nameOPRF:
		cpuSeconds = r*(blindSeconds+evaluateSeconds+finalizeSeconds) + s*outputSeconds
	case nameCount:
		cpuSeconds = (3*r + s) * maskSeconds
		mutual = false
	default:
		return 0, 0
	}
	p := newPlan(name, receiverClass, senderClass, mutual, 1)
	bytes = p.total() + 2*(2*wire.HeaderSize+maxStart)
	for _, f := range p {
		// Each chunk has its frame, and at most one Progress that says it has arrived.
		bytes += int64(f.chunks()) * (wire.HeaderSize + indexSize + wire.HeaderSize + maxProgress)
	}
	return bytes, cpuSeconds
}

// describe names a chunk in errors.
func (f flow) describe(i int) string { return fmt.Sprintf("%s %d of %d", f.name, i, f.chunks()) }
