package similar

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"entente/protocol/wire"
)

// vectors are a list in memory.
type vectors [][]int8

func (v vectors) Len() int { return len(v) }

func (v vectors) Vectors(_ context.Context, positions []int) ([][]int8, error) {
	out := make([][]int8, len(positions))
	for i, p := range positions {
		out[i] = v[p]
	}
	return out, nil
}

// memory is a journal in memory.
type memory struct{ flows map[string][][]byte }

func newMemory() *memory { return &memory{map[string][][]byte{}} }

func (m *memory) Put(_ context.Context, flow string, sequence int, data []byte) error {
	if sequence != len(m.flows[flow]) {
		return errors.New("out of sequence")
	}
	m.flows[flow] = append(m.flows[flow], append([]byte{}, data...))
	return nil
}

func (m *memory) Chunks(_ context.Context, flow string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, b := range m.flows[flow] {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// drawn draws vectors with coordinates of a few bits.
func drawn(r *rand.Rand, count, dimension, most int) vectors {
	out := make(vectors, count)
	for i := range out {
		out[i] = make([]int8, dimension)
		for j := range out[i] {
			out[i][j] = int8(r.IntN(2*most+1) - most)
		}
	}
	return out
}

// inTheClear are the positions on both sides that reach the threshold.
func inTheClear(probes, templates vectors, threshold int) (asker, answerer []int) {
	hit := make([]bool, len(templates))
	for i, p := range probes {
		any := false
		for j, t := range templates {
			sum := 0
			for k, x := range p {
				sum += int(x) * int(t[k])
			}
			if sum >= threshold {
				any, hit[j] = true, true
			}
		}
		if any {
			asker = append(asker, i)
		}
	}
	for j, h := range hit {
		if h {
			answerer = append(answerer, j)
		}
	}
	return asker, answerer
}

// sides are both ends of a run, with what they keep between attempts.
type sides struct {
	asker, answerer       Session
	probes, templates     vectors
	askerLog, answererLog *memory
}

func newSides(s Session, probes, templates vectors) *sides {
	s.Model, s.Agreement = "model", [32]byte{1}
	asks, answers := Secret{2}, Secret{3}
	s.AskerCommitment, s.AnswererCommitment = asks.Commit(), answers.Commit()
	own, other := s, s
	own.Secret, other.Secret = asks, answers
	return &sides{own, other, probes, templates, newMemory(), newMemory()}
}

// outcome is what an attempt gave both sides.
type outcome struct {
	asker, answerer         Result
	askerError, answerError error
}

// attempt runs both sides over a pipe; each end may be wrapped.
func (x *sides) attempt(t testing.TB, wrap func(role, net.Conn) io.ReadWriter) (o outcome) {
	t.Helper()
	a, b := net.Pipe()
	var one sync.Mutex // what taps look at belongs to both sides
	tap := func(as role, c net.Conn) io.ReadWriter {
		rw := wrap(as, c)
		if tapped, ok := rw.(tapped); ok {
			tapped.one = &one
			return tapped
		}
		return rw
	}
	var both sync.WaitGroup
	both.Go(func() {
		defer a.Close() // as whoever opened a stream does
		o.asker, o.askerError = Ask(t.Context(), tap(asker, a), x.asker, x.probes, x.askerLog, nil)
	})
	both.Go(func() {
		defer b.Close()
		o.answerer, o.answerError = Answer(t.Context(), tap(answerer, b), x.answerer, x.templates, x.answererLog, nil)
	})
	both.Wait()
	return o
}

func plain(_ role, c net.Conn) io.ReadWriter { return c }

// tapped is a stream of whose frames a test sees each as it is written, and may change it;
// nil instead cuts the stream.
type tapped struct {
	net.Conn
	change func(k wire.Kind, body []byte) []byte
	one    *sync.Mutex
}

func (t tapped) Write(b []byte) (int, error) {
	t.one.Lock()
	body := t.change(wire.Kind(b[0]), append([]byte{}, b[wire.HeaderSize:]...))
	t.one.Unlock()
	if body == nil {
		t.Close()
		return 0, errors.New("cut")
	}
	frame := append(append([]byte{}, b[:wire.HeaderSize]...), body...)
	frame[1], frame[2], frame[3], frame[4] = byte(len(body)>>24), byte(len(body)>>16), byte(len(body)>>8), byte(len(body))
	if _, err := t.Conn.Write(frame); err != nil {
		return 0, err
	}
	return len(b), nil
}
