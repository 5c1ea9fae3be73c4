package exact

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"slices"

	"entente/crypto/oprf"
	"entente/protocol/pipeline"
)

// countSuite is the suite "count": masked points that the sender shuffles.
type countSuite struct{ suite }

// countReceiver is the part of the side that learns the count.
type countReceiver struct {
	*side
	link     *link
	masked   once     // questions
	slots    []uint32 // value of each slot: items first, then dummies, then filling
	padding  []byte   // seed
	mask     oprf.Scalar
	tags     tagReceiver
	answered chan arrival // from the reader; closed when no more come
	own      ledger       // tags of the own list in the peer's order
	done     int          // records of them in the journal
}

// Receive counts the own items that the peer has, with noise as agreed.
func (c countSuite) Receive(ctx context.Context, rw io.ReadWriter, s Session, set Set, j Journal, p Progress) (Result, error) {
	d, err := openSide(ctx, c.suite, receiver, s, set, j)
	if err != nil {
		return refused(rw, err)
	}
	r := &countReceiver{side: d, masked: once{side: d, id: questions}, answered: make(chan arrival, 1)}
	durable, err := r.restore(ctx)
	if err != nil {
		return refused(rw, err)
	}
	r.link = d.link(rw, durable, p)
	r.link.begin = func(_ context.Context, have [flowCount]int) error { return r.masked.vet(have) }
	r.link.accept[answers] = r.takeAnswer
	r.link.accept[listed] = r.tags.accept(d, r.link)
	var result Result
	err = r.link.run(ctx, func() { close(r.answered) }, r.ask,
		func(context.Context) error { return r.unmask(ctx) },
		func(inner context.Context) error {
			if err := r.link.waitAll(inner); err != nil {
				return err
			}
			return r.distinct(inner)
		})
	if err == nil {
		// After Done, so that the sender cannot time it.
		result.Count, err = r.conclude(ctx)
	}
	return d.finish(ctx, r.link, result, err)
}

func (r *countReceiver) restore(ctx context.Context) (durable [flowCount]int, err error) {
	if err = r.masked.restore(ctx); err != nil {
		return durable, err
	}
	if r.slots, err = r.root.order(slotLabel, r.session.Receiver); err != nil {
		return durable, err
	}
	if r.padding, err = r.root.seed(padLabel); err != nil {
		return durable, err
	}
	seed, err := r.root.seed(maskLabel)
	if err != nil {
		return durable, err
	}
	// The root binds the list: under one mask two lists would show what they share.
	if r.mask, err = oprf.DeriveScalar(seed, 0); err != nil {
		return durable, err
	}
	f := r.plan[answers]
	r.own = ledger{side: r.side, record: f.name, class: f.items, chunk: f.chunk, size: TagSize}
	if r.done, err = r.own.count(ctx); err != nil {
		return durable, err
	}
	durable[answers] = r.done
	durable[listed], err = r.tags.restore(ctx, r.side)
	return durable, err
}

// ask masks and sends the points that the peer lacks.
func (r *countReceiver) ask(ctx context.Context) error {
	return r.masked.send(ctx, r.link, func(context.Context) iter.Seq2[arrival, error] {
		return func(yield func(arrival, error) bool) {
			for i := r.masked.chunks; i < r.plan[questions].chunks() && yield(arrival{index: i}, nil); i++ {
			}
		}
	}, func(a arrival) ([]byte, error) {
		return r.mask.MaskInputs(r.slotInputs(a.index))
	})
}

// slotInputs returns the inputs of one chunk of questions.
func (r *countReceiver) slotInputs(index int) [][]byte {
	f := r.plan[questions]
	inputs, filling := make([][]byte, f.count(index)), paddingOf(r.padding)
	for i := range inputs {
		slot := index*f.chunk + i
		value := int(r.slots[slot])
		var element []byte
		if value < r.size {
			element = r.list.at(value)
		}
		inputs[i] = r.input(element, value-r.size, r.noise.Max(), filling, uint32(slot))
	}
	return inputs
}

// takeAnswer queues a chunk of answers, which an honest peer has only when it has all
// questions: it shuffles them as a whole.
func (r *countReceiver) takeAnswer(_ context.Context, index int, content []byte) error {
	if _, sent := r.link.at(questions); sent != r.plan[questions].chunks() {
		return malformed("answer %d before all questions were sent", index)
	}
	return r.link.queue(r.answered, index, content)
}

// unmask takes the own mask off the answers and keeps their tags, also of those that came
// before the stream failed.
func (r *countReceiver) unmask(ctx context.Context) error {
	return pipeline.Ordered(ctx, arrivals(r.answered), func(a arrival) ([]byte, error) {
		points, err := r.mask.Unmask(a.content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.plan[answers].describe(a.index), blame(err))
		}
		return appendPointTags(make([]byte, 0, len(points)/elementSize*TagSize), points), nil
	}, func(own []byte) error {
		if err := r.keep(ctx, r.link, answers, r.done, own); err != nil {
			return err
		}
		r.done++
		return nil
	})
}

// distinct refuses answers of which one counts twice.
func (r *countReceiver) distinct(ctx context.Context) error {
	return r.own.sweep(ctx, byTag, func(part []entry) error {
		for i := 1; i < len(part); i++ {
			if part[i-1].tag == part[i].tag {
				return malformed("the same answer twice")
			}
		}
		return nil
	})
}

// conclude counts the own tags on the peer's list, and takes the noise's shift off.
func (r *countReceiver) conclude(ctx context.Context) (int, error) {
	count := -r.noise.Shift()
	_, err := r.own.join(ctx, func(entry) { count++ })
	return max(count, 0), err
}

// countSender is the part of the side that learns nothing.
type countSender struct {
	*side
	link    *link
	key     oprf.Scalar
	own     ownList
	answers once
	points  []byte // the questions, as they came
}

// Send lets the peer count, and learns nothing.
func (c countSuite) Send(ctx context.Context, rw io.ReadWriter, s Session, set Set, j Journal, p Progress) (Result, error) {
	d, err := openSide(ctx, c.suite, sender, s, set, j)
	if err != nil {
		return refused(rw, err)
	}
	o := &countSender{side: d, key: d.key.Scalar(), answers: once{side: d, id: answers}}
	durable, err := o.restore(ctx)
	if err != nil {
		return refused(rw, err)
	}
	o.link = d.link(rw, durable, p)
	o.link.begin = func(_ context.Context, have [flowCount]int) error { return o.answers.vet(have) }
	o.link.accept[questions] = func(ctx context.Context, index int, content []byte) error {
		o.points = append(o.points, content...)
		return d.keep(ctx, o.link, questions, index, content)
	}
	err = o.link.run(ctx, func() {}, o.answer, o.tell)
	return d.finish(ctx, o.link, Result{}, err)
}

func (o *countSender) restore(ctx context.Context) (durable [flowCount]int, err error) {
	dummies, err := o.drawNoise(ctx)
	if err != nil {
		return durable, err
	}
	o.own = newOwnList(o.side, TagSize, dummies)
	if err = o.answers.restore(ctx); err != nil {
		return durable, err
	}
	f := o.plan[questions]
	o.points = make([]byte, 0, f.items*f.size)
	durable[questions], err = o.diary.read(ctx, f.name, exactly(f.bytes, func(_ int, data []byte) error {
		o.points = append(o.points, data...)
		return nil
	}))
	if err != nil {
		return durable, err
	}
	if o.answers.chunks > 0 && durable[questions] != f.chunks() {
		return durable, fmt.Errorf("read journal: %d answers to %d questions of %d", o.answers.chunks, durable[questions], f.chunks())
	}
	return durable, o.own.restore(ctx)
}

// drawNoise returns how many dummies the list holds: drawn once, and durable before
// anything depends on it, Start included: how long a draw takes says a little about it. A
// second draw would let the peer average the noise away.
func (o *countSender) drawNoise(ctx context.Context) (int, error) {
	if o.noise.Max() == 0 {
		return 0, nil
	}
	var drawn uint32
	n, err := o.diary.read(ctx, noiseRecord, exactly(func(int) int { return 4 }, func(_ int, data []byte) error {
		drawn = binary.BigEndian.Uint32(data)
		return nil
	}))
	if err != nil {
		return 0, err
	}
	if n > 1 || drawn > uint32(o.noise.Max()) {
		return 0, fmt.Errorf("read journal: %d draws of noise, the last of %d, at most %d", n, drawn, o.noise.Max())
	}
	if n == 1 {
		return int(drawn), nil
	}
	dummies, err := o.noise.Sample()
	if err != nil {
		return 0, fmt.Errorf("noise of the count: %w", err)
	}
	return dummies, o.diary.put(ctx, noiseRecord, 0, binary.BigEndian.AppendUint32(nil, uint32(dummies)))
}

// answer masks all questions and sends them in a secret order of its own, so that the peer
// cannot tell which of its items hit.
func (o *countSender) answer(ctx context.Context) error {
	if err := o.link.wait(ctx, questions); err != nil {
		return err
	}
	return o.answers.send(ctx, o.link, o.shuffled, func(a arrival) ([]byte, error) {
		masked, err := o.key.Mask(a.content)
		return masked, blame(err)
	})
}

// shuffled are the questions in the order of the answers, without those that the journal
// has answers to.
func (o *countSender) shuffled(context.Context) iter.Seq2[arrival, error] {
	return func(yield func(arrival, error) bool) {
		f := o.plan[answers]
		first := o.answers.chunks
		if first == f.chunks() {
			return
		}
		order, err := o.root.order(shuffleLabel, f.items)
		if err == nil && repeated(o.points) {
			err = malformed("the same question twice")
		}
		if err != nil {
			yield(arrival{}, err)
			return
		}
		for i := first; i < f.chunks(); i++ {
			chunk := make([]byte, 0, f.bytes(i))
			for _, from := range order[i*f.chunk : i*f.chunk+f.count(i)] {
				chunk = append(chunk, o.points[int(from)*elementSize:][:elementSize]...)
			}
			if !yield(arrival{i, chunk}, nil) {
				return
			}
		}
	}
}

// repeated tells whether a point stands twice among others.
func repeated(points []byte) bool {
	all := make([][elementSize]byte, 0, len(points)/elementSize)
	for point := range slices.Chunk(points, elementSize) {
		all = append(all, [elementSize]byte(point))
	}
	slices.SortFunc(all, func(a, b [elementSize]byte) int { return bytes.Compare(a[:], b[:]) })
	return len(slices.Compact(all)) < len(points)/elementSize
}

// tell sends the own list.
func (o *countSender) tell(ctx context.Context) error {
	err := o.own.compute(ctx, func(inputs [][]byte) ([]byte, error) {
		points, err := o.key.MaskInputs(inputs)
		if err != nil {
			return nil, err
		}
		return appendPointTags(make([]byte, 0, len(inputs)*TagSize), points), nil
	})
	if err != nil {
		return err
	}
	return o.own.sendTags(ctx, o.link)
}
