package names

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"

	"entente/protocol/exact"
	"entente/protocol/similar"
	"entente/protocol/wire"
)

// list are records in memory.
type list struct {
	keys    [][][]byte
	vectors [][]int8
}

func (l *list) Len() int { return len(l.vectors) }

func (l *list) Keys(_ context.Context, position int) ([][]byte, error) { return l.keys[position], nil }

func (l *list) Vectors(_ context.Context, positions []int) ([][]int8, error) {
	out := make([][]int8, len(positions))
	for i, p := range positions {
		out[i] = l.vectors[p]
	}
	return out, nil
}

// drawn draws records with up to so many keys of a number of keys.
func drawn(r *rand.Rand, records, dimension, keys, of int) *list {
	l := &list{}
	for range records {
		v := make([]int8, dimension)
		for i := range v {
			v[i] = int8(r.IntN(7) - 3)
		}
		var own [][]byte
		for range r.IntN(keys + 1) {
			k := binary.BigEndian.AppendUint32([]byte("key "), uint32(r.IntN(of)))
			if !slices.ContainsFunc(own, func(x []byte) bool { return string(x) == string(k) }) {
				own = append(own, k)
			}
		}
		l.keys, l.vectors = append(l.keys, own), append(l.vectors, v)
	}
	return l
}

// sides are both ends of a run, with what they keep between attempts.
type sides struct {
	asker, answerer       Session
	probes, templates     *list
	askerLog, answererLog *exact.MemoryJournal
}

func newSides(t testing.TB, s Session, probes, templates *list) *sides {
	t.Helper()
	suite, err := exact.Lookup(keySuite)
	if err != nil {
		t.Fatal(err)
	}
	s.Agreement, s.Kind, s.Version, s.Model = [32]byte{1}, "person key", 1, "person"
	asks, answers := similar.Secret{2}, similar.Secret{3}
	s.AskerCommitment, s.AnswererCommitment = asks.Commit(), answers.Commit()
	own, other := s, s
	own.Secret, other.Secret = asks, answers
	if own.KeySecret, _, err = suite.NewSecret(); err != nil {
		t.Fatal(err)
	}
	if other.KeySecret, own.KeyPublic, err = suite.NewSecret(); err != nil {
		t.Fatal(err)
	}
	return &sides{own, other, probes, templates, new(exact.MemoryJournal), new(exact.MemoryJournal)}
}

// small is a run of some fifty candidates.
func small(t testing.TB, learns similar.Learns) *sides {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 5))
	s := Session{Dimension: 16, Threshold: 25, Probes: 64, Templates: 64, Candidates: 500, Learns: learns}
	return newSides(t, s, drawn(r, 30, 16, 3, 60), drawn(r, 40, 16, 3, 60))
}

// inTheClear are the positions on both sides that reach the threshold with a record that they
// have a key in common with, and the number of such pairs and of the common keys.
func (x *sides) inTheClear() (asker, answerer []int, pairs, labels int) {
	under := func(l *list) map[string][]int {
		out := map[string][]int{}
		for i, keys := range l.keys {
			for _, k := range keys {
				out[string(k)] = append(out[string(k)], i)
			}
		}
		return out
	}
	a, b := under(x.probes), under(x.templates)
	met := map[[2]int]bool{}
	for k, probes := range a {
		if len(probes) > BucketCap || len(b[k]) > BucketCap || len(b[k]) == 0 {
			continue
		}
		labels++
		for _, i := range probes {
			for _, j := range b[k] {
				met[[2]int{i, j}] = true
			}
		}
	}
	hits := [2]map[int]bool{{}, {}}
	for p := range met {
		sum := 0
		for k, v := range x.probes.vectors[p[0]] {
			sum += int(v) * int(x.templates.vectors[p[1]][k])
		}
		if sum >= x.asker.Threshold {
			hits[0][p[0]], hits[1][p[1]] = true, true
		}
	}
	sorted := func(m map[int]bool) (out []int) {
		for i := range m {
			out = append(out, i)
		}
		slices.Sort(out)
		return out
	}
	return sorted(hits[0]), sorted(hits[1]), len(met), labels
}

// outcome is what an attempt gave both sides.
type outcome struct {
	asker, answerer         Result
	askerError, answerError error
}

// attempt runs both sides over a pipe, of whose frames a test sees each as it is written, and
// may change it; nil instead cuts the stream.
func (x *sides) attempt(t testing.TB, change func(as role, k wire.Kind, body []byte) []byte) (o outcome) {
	t.Helper()
	a, b := net.Pipe()
	var one sync.Mutex
	var both sync.WaitGroup
	both.Go(func() {
		defer a.Close()
		o.asker, o.askerError = Ask(t.Context(), tapped{a, asker, change, &one}, x.asker, x.probes, x.askerLog, nil)
	})
	both.Go(func() {
		defer b.Close()
		o.answerer, o.answerError = Answer(t.Context(), tapped{b, answerer, change, &one}, x.answerer, x.templates, x.answererLog, nil)
	})
	both.Wait()
	return o
}

func plain(_ role, _ wire.Kind, body []byte) []byte { return body }

type tapped struct {
	net.Conn
	as     role
	change func(as role, k wire.Kind, body []byte) []byte
	one    *sync.Mutex
}

var _ io.ReadWriter = tapped{}

func (t tapped) Write(b []byte) (int, error) {
	t.one.Lock()
	body := t.change(t.as, wire.Kind(b[0]), append([]byte{}, b[wire.HeaderSize:]...))
	t.one.Unlock()
	if body == nil {
		t.Close()
		return 0, errors.New("cut")
	}
	frame := binary.BigEndian.AppendUint32([]byte{b[0]}, uint32(len(body)))
	if _, err := t.Conn.Write(append(frame, body...)); err != nil {
		return 0, err
	}
	return len(b), nil
}
