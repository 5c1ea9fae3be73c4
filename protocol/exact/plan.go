package exact

import (
	"fmt"

	"entente/protocol/tags"
	"entente/protocol/wire"
)

// flowID names a flow of chunks in one direction.
type flowID int

const (
	questions flowID = iota // receiver to sender: blinded elements, or masked points
	answers                 // sender to receiver: the same under the sender's key
	listed                  // sender to receiver: its list as sorted tags
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
	name  string     // in the journal
	kind  wire.Kind  // of its frames
	items int        // in all; 0: there is no such flow
	chunk int        // items in a full chunk
	size  int        // bytes of an item
	tail  int        // bytes after the items of each chunk
	code  *tags.Code // tags: how a chunk is coded, which has no fixed length; else nil
}

func (f flow) chunks() int { return (f.items + f.chunk - 1) / f.chunk }

// count returns how many items chunk i holds.
func (f flow) count(i int) int { return min(f.chunk, f.items-i*f.chunk) }

// bytes returns the length of chunk i, without index; of tags the longest.
func (f flow) bytes(i int) int {
	if f.code != nil {
		return f.code.MaxBlock(f.count(i))
	}
	return f.count(i)*f.size + f.tail
}

// fits tells whether chunk i may have so many bytes.
func (f flow) fits(i, n int) bool {
	return n == f.bytes(i) || f.code != nil && n > 0 && n < f.bytes(i)
}

// upTo returns the length of the first n chunks, without indices. Of tags it is nominal: a
// share of the most that the list takes.
func (f flow) upTo(n int) int64 {
	items := int64(min(n*f.chunk, f.items))
	if f.code != nil {
		return f.code.MaxSize(f.chunk) * items / int64(f.items)
	}
	return items*int64(f.size) + int64(n)*int64(f.tail)
}

// plan is the shape of a run.
type plan [flowCount]flow

// newPlan returns the shape of a run between two classes. Tests divide the chunks, so that
// small runs have many.
func newPlan(suite string, receiverClass, senderClass int, mutual bool, divide int) plan {
	code, _ := tags.NewCode(senderClass) // a class is within its bounds
	p := plan{
		questions: {name: "questions", kind: kindQuestions, items: receiverClass, chunk: questionChunk / divide, size: elementSize},
		answers:   {name: "answers", kind: kindAnswers, items: receiverClass, chunk: questionChunk / divide, size: elementSize},
		listed:    {name: "tags", kind: kindTags, items: senderClass, chunk: tagChunk / divide, code: &code},
		returns:   {name: "returns", kind: kindReturns, chunk: returnChunk / divide, size: ProofSize},
	}
	if suite != nameCount {
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
		return [2]flowID{answers, listed}
	}
	return [2]flowID{questions, returns}
}

func (r role) outgoing() [2]flowID { return r.other().incoming() }

func (r role) other() role { return receiver + sender - r }

// Processor time of one item in seconds, measured on one core of a 3.6 GHz server processor
// with the kernel IFMA of crypto/ristretto, journal in memory included; the generic kernel,
// for all other processors, takes about eight times as long. BenchmarkRun compares.
const (
	blindSeconds    = 9.5e-6 // receiver: read, hash to the group, blind
	evaluateSeconds = 7e-6   // sender: decode, multiply, prove
	finalizeSeconds = 9.5e-6 // receiver: decode, verify, unblind, tag and proof
	standardSeconds = 4e-6   // what the proof of the RFC costs both sides more
	outputSeconds   = 9e-6   // sender: own item to tag and proof
	maskSeconds     = 8e-6   // count: each of mask, remask, unmask and own tag
)

// Estimate returns what an undisturbed run costs both sides together: the bytes in both
// directions, frames included (an upper bound but for keepalives: 14 bytes each 5 s), and
// processor time, for planning. Sizes are classes. An unknown suite costs nothing.
func Estimate(name string, receiverClass, senderClass int, mutual bool) (bytes int64, cpuSeconds float64) {
	r, s := float64(receiverClass), float64(senderClass)
	switch name {
	case nameOPRF, nameRFC:
		cpuSeconds = r*(blindSeconds+evaluateSeconds+finalizeSeconds) + s*outputSeconds
		if name == nameRFC {
			cpuSeconds += r * standardSeconds
		}
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
