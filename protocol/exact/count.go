package exact

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"

	"entente/crypto/oprf"
)

// countSuite is the suite "count": masked points that the sender shuffles.
type countSuite struct{ suite }

// countReceiver is the part of the side that learns the count.
type countReceiver struct {
	*side
	link     *link
	masked   once     // questions
	slots    []uint32 // value of each slot
	padding  []byte   // seed
	mask     oprf.Scalar
	tags     tagReceiver
	answered chan arrival // from the reader; closed when no more come
	own      []byte       // tags of the own list in the peer's order
	order    []uint32     // sorts them
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
	r.link.accept[tags] = func(ctx context.Context, index int, content []byte) error {
		if err := r.tags.take(content); err != nil {
			return err
		}
		return d.keep(ctx, r.link, tags, index, content)
	}
	var result Result
	err = r.link.run(ctx, func() { close(r.answered) }, r.ask,
		func(context.Context) error { return r.unmask(ctx) },
		func(inner context.Context) error {
			if err := r.link.waitAll(inner); err != nil {
				return err
			}
			return r.distinct()
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
	if r.slots, err = r.side.slots(); err != nil {
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
	r.own = make([]byte, 0, len(r.slots)*TagSize)
	f := r.plan[answers]
	durable[answers], err = r.diary.read(ctx, f.name, exactly(func(i int) int { return f.count(i) * TagSize },
		func(_ int, data []byte) error {
			r.own = append(r.own, data...)
			return nil
		}))
	if err != nil {
		return durable, err
	}
	durable[tags], err = r.tags.restore(ctx, r.side)
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
		return r.mask.MaskInputs(r.slotInputs(r.slots, r.padding, a.index))
	})
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
	return inOrder(ctx, arrivals(r.answered), func(a arrival) ([]byte, error) {
		points, err := r.mask.Unmask(a.content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.plan[answers].describe(a.index), blame(err))
		}
		return appendPointTags(make([]byte, 0, len(points)/elementSize*TagSize), points), nil
	}, func(own []byte) error {
		index := len(r.own) / (r.plan[answers].chunk * TagSize)
		r.own = append(r.own, own...)
		return r.keep(ctx, r.link, answers, index, own)
	})
}

// distinct refuses answers of which one counts twice.
func (r *countReceiver) distinct() error {
	own := r.tagsOfOwn()
	if r.order = own.sorted(); own.repeats(r.order) {
		return malformed("the same answer twice")
	}
	return nil
}

// conclude counts the own tags on the peer's list, and takes the noise's shift off.
func (r *countReceiver) conclude(ctx context.Context) (int, error) {
	count := -r.noise.Shift()
	_, err := r.join(ctx, r.tagsOfOwn(), r.order, func(uint32) { count++ })
	return max(count, 0), err
}

func (r *countReceiver) tagsOfOwn() column { return column{r.own, TagSize, 0, TagSize} }

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
	o.own = ownList{side: o.side, size: TagSize, dummies: dummies}
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
	return o.final(ctx, o.answers.send(ctx, o.link, o.shuffled, func(a arrival) ([]byte, error) {
		masked, err := o.key.Mask(a.content)
		return masked, blame(err)
	}))
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
		points := column{o.points, elementSize, 0, elementSize}
		order, err := o.root.order(shuffleLabel, points.len())
		if err == nil && points.repeats(points.sorted()) {
			err = malformed("the same question twice")
		}
		if err != nil {
			yield(arrival{}, err)
			return
		}
		for i := first; i < f.chunks(); i++ {
			chunk := make([]byte, 0, f.bytes(i))
			for _, from := range order[i*f.chunk : i*f.chunk+f.count(i)] {
				chunk = append(chunk, points.at(from)...)
			}
			if !yield(arrival{i, chunk}, nil) {
				return
			}
		}
	}
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
