package standing

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/crypto/oprf"
	"entente/crypto/sign"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// resign changes a signed body and signs it again, as its owner could.
func resign[T any](k *sign.PrivateKey, d sign.Domain, change func(*T)) func(taped) []taped {
	return func(f taped) []taped {
		s, err := decode[round.Signed](f.body)
		if err != nil {
			panic(err)
		}
		body, err := decode[T](s.Body)
		if err != nil {
			panic(err)
		}
		change(&body)
		s, err = signed(k, d, body)
		if err != nil {
			panic(err)
		}
		return []taped{encoded(f, s)}
	}
}

// message changes a message that is not signed.
func message[T any](change func(*T)) func(taped) []taped {
	return func(f taped) []taped {
		m, err := decode[T](f.body)
		if err != nil {
			panic(err)
		}
		change(&m)
		return []taped{encoded(f, m)}
	}
}

func encoded(f taped, v any) taped {
	b, err := wire.Marshal(v)
	if err != nil {
		panic(err)
	}
	return taped{f.asker, f.kind, b}
}

// raw changes a frame's bytes.
func raw(change func([]byte) []byte) func(taped) []taped {
	return func(f taped) []taped { return []taped{{f.asker, f.kind, change(f.body)}} }
}

// attack is one thing that a peer does.
type attack struct {
	name   string
	asker  bool      // the asker does it
	kind   wire.Kind // the frame of its that is changed
	nth    int       // which one of them
	change func(taped) []taped
	want   wire.Code
	first  bool // in the first sync of the feed, else in the second
	before func(*feed)
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[(len(b)+at)%len(b)] ^= 0x40
		return b
	}
}

func swapTags(b []byte) []byte {
	tag := bytes.Clone(b[4 : 4+TagSize])
	copy(b[4:], b[4+TagSize:4+2*TagSize])
	copy(b[4+TagSize:], tag)
	return b
}

func holderAttacks() []attack {
	h := func(b byte) *sign.PrivateKey {
		k, _ := sign.NewPrivateKey(bytes.Repeat([]byte{b}, sign.SeedSize))
		return k
	}
	period := func(name string, want wire.Code, change func(*Period)) attack {
		return attack{name: "period " + name, kind: kindPeriod, first: true, want: want, change: resign(h(2), domainPeriod, change)}
	}
	run := func(name string, want wire.Code, change func(*RunHeader)) attack {
		return attack{name: "run " + name, kind: kindRun, want: want, change: resign(h(2), domainRun, change)}
	}
	position := func(name string, want wire.Code, change func(*positionMessage)) attack {
		return attack{name: "position " + name, kind: kindPosition, want: want, change: message(change)}
	}
	dayMs := 24 * hour
	return []attack{
		{name: "period signature", kind: kindPeriod, first: true, want: wire.Altered, change: raw(flip(-1))},
		{name: "period signed by the asker", kind: kindPeriod, first: true, want: wire.Altered, change: resign(h(1), domainPeriod, func(*Period) {})},
		{name: "period under a run's domain", kind: kindPeriod, first: true, want: wire.Altered, change: resign(h(2), domainRun, func(*Period) {})},
		{name: "period no CBOR", kind: kindPeriod, first: true, want: wire.Malformed, change: raw(func(b []byte) []byte { return b[:9] })},
		{name: "period overlong", kind: kindPeriod, first: true, want: wire.TooLarge, change: raw(func([]byte) []byte { return make([]byte, maxSmall+1) })},
		period("version", wire.UnsupportedVersion, func(p *Period) { p.Version = 2 }),
		period("agreement", wire.Altered, func(p *Period) { p.Agreement[0]++ }),
		period("feed", wire.Altered, func(p *Period) { p.Feed = 1 }),
		period("number 0", wire.Malformed, func(p *Period) { p.Index = 0 }),
		period("number too high", wire.Malformed, func(p *Period) { p.Index = MaxIndex }),
		period("times", wire.Malformed, func(p *Period) { p.Ends = p.Starts }),
		period("too long", wire.AboveGrant, func(p *Period) { p.Ends++ }),
		period("over the subscription's end", wire.AboveGrant, func(p *Period) { p.Starts, p.Ends = p.Starts+400*dayMs, p.Ends+400*dayMs }),
		period("in the future", wire.Clock, func(p *Period) { p.Starts += maxSkew + 1 }),
		period("over", wire.Expired, func(p *Period) { p.Starts, p.Ends = p.Starts-6*dayMs, p.Starts-maxSkew }),
		period("class", wire.Malformed, func(p *Period) { p.Class++ }),
		period("more than agreed", wire.Quota, func(p *Period) { p.Class = 1 << 21 }),
		period("identity as key", wire.BadPoint, func(p *Period) { p.Public = [32]byte{} }),
		period("key not canonical", wire.BadPoint, func(p *Period) { p.Public = [32]byte(bytes.Repeat([]byte{255}, 32)) }),
		period("another digest", wire.Altered, func(p *Period) { p.Digest[0]++ }),
		{name: "a position without period", kind: kindPeriod, first: true, want: wire.Unexpected, change: func(taped) []taped { return nil }},
		{name: "block out of order", kind: kindBlock, first: true, want: wire.Malformed, change: nil}, // below
		{name: "block shorter", kind: kindBlock, first: true, want: wire.Malformed, change: raw(func(b []byte) []byte { return b[:len(b)-1] })},
		{name: "block without index", kind: kindBlock, first: true, want: wire.Malformed, change: raw(func(b []byte) []byte { return b[:3] })},
		{name: "block longer", kind: kindBlock, first: true, want: wire.Malformed, change: raw(func(b []byte) []byte { return append(b, 0) })},
		{name: "last block overlong", kind: kindBlock, nth: 2, first: true, want: wire.Malformed, change: raw(func(b []byte) []byte { return append(b, make([]byte, maxBlock-len(b))...) })},
		{name: "block of zeros", kind: kindBlock, first: true, want: wire.Malformed, change: raw(func(b []byte) []byte { return append(b[:4], make([]byte, len(b)-4)...) })},
		{name: "block over every cap", kind: kindBlock, first: true, want: wire.TooLarge, change: raw(func([]byte) []byte { return make([]byte, maxBlock+1) })},
		{name: "block twice", kind: kindBlock, first: true, want: wire.Malformed, change: func(f taped) []taped { return []taped{f, f} }},
		{name: "block left out", kind: kindBlock, first: true, want: wire.Malformed, change: func(taped) []taped { return nil }},
		{name: "block of other tags", kind: kindBlock, nth: 1, first: true, want: wire.Altered, change: raw(flip(-3))},
		{name: "last block of other tags", kind: kindBlock, nth: 2, first: true, want: wire.Altered, change: raw(flip(-3))},
		{name: "block in a later sync", kind: kindRun, want: wire.Unexpected, change: func(f taped) []taped { return []taped{{false, kindBlock, make([]byte, 700)}, f} }},

		{name: "run signature", kind: kindRun, want: wire.Altered, change: raw(flip(-1))},
		{name: "run signed by the asker", kind: kindRun, want: wire.Altered, change: resign(h(1), domainRun, func(*RunHeader) {})},
		{name: "run twice", kind: kindRun, nth: 1, want: wire.Replayed, change: nil}, // below
		run("version", wire.UnsupportedVersion, func(r *RunHeader) { r.Version = 2 }),
		run("agreement", wire.Altered, func(r *RunHeader) { r.Agreement[0]++ }),
		run("feed", wire.Altered, func(r *RunHeader) { r.Feed = 1 }),
		run("of another period", wire.Altered, func(r *RunHeader) { r.Index++ }),
		run("old number", wire.Replayed, func(r *RunHeader) { r.Number = 0 }),
		run("number left out", wire.Malformed, func(r *RunHeader) { r.Number++ }),
		run("class of additions", wire.Malformed, func(r *RunHeader) { r.Additions = 65 }),
		run("no tombstones", wire.Malformed, func(r *RunHeader) { r.Tombstones = 0 }),
		run("too many additions", wire.TooLarge, func(r *RunHeader) { r.Additions = 5 << 14 }),
		run("too many tombstones", wire.TooLarge, func(r *RunHeader) { r.Tombstones = 5 << 14 }),
		run("removes more than there is", wire.Malformed, func(r *RunHeader) { r.Tombstones = 1 << 14 }),
		run("digest", wire.Altered, func(r *RunHeader) { r.Digest[0]++ }),
		run("longer than its list", wire.Malformed, func(r *RunHeader) { r.Additions = 80 }),
		{name: "run's tags out of order", kind: kindTags, want: wire.Malformed, change: raw(swapTags)},
		{name: "run's tags others", kind: kindTags, want: wire.Altered, change: raw(highest)},
		{name: "run's lists the other way round", kind: kindTags, want: wire.Altered, change: nil}, // below
		{name: "runs done early", kind: kindRun, want: wire.Unexpected, change: func(f taped) []taped {
			return []taped{encoded(taped{false, kindRunsDone, nil}, runsDoneMessage{Last: 2})}
		}},
		{name: "runs done with another number", kind: kindRunsDone, want: wire.Malformed, change: message(func(m *runsDoneMessage) { m.Last++ })},
		{name: "feed done early", kind: kindRunsDone, want: wire.Unexpected, change: func(f taped) []taped { return []taped{{false, kindFeedDone, nil}} }},
		{name: "an asker's frame", kind: kindRunsDone, want: wire.Unexpected, change: func(f taped) []taped { return []taped{{false, kindState, nil}} }},
		{name: "a frame of no kind", kind: kindRunsDone, want: wire.Unexpected, change: func(f taped) []taped { return []taped{{false, 99, nil}} }},
		position("too many runs", wire.TooLarge, func(m *positionMessage) { m.Last = MaxRuns + 1 }),
		position("contradiction", wire.Malformed, func(m *positionMessage) { m.Account.Acknowledged = m.Account.Next + 1 }),
		position("behind the asker", wire.UnknownRound, func(m *positionMessage) { m.Account = Position{} }),
		position("ahead of the answers", wire.UnknownRound, func(m *positionMessage) { m.Account.Next, m.Account.Acknowledged = 99, 98 }),
		{name: "answer's number", kind: kindAnswers, want: wire.Malformed, change: raw(func(b []byte) []byte { b[3]++; return b })},
		{name: "answer shorter", kind: kindAnswers, want: wire.Malformed, change: raw(func(b []byte) []byte { return b[:len(b)-elementSize] })},
		{name: "answer with another proof", kind: kindAnswers, want: wire.BadProof, change: raw(func(b []byte) []byte {
			copy(b[len(b)-32:], b[len(b)-64:len(b)-32])
			return b
		})},
		{name: "answers changed places", kind: kindAnswers, want: wire.BadProof, change: raw(func(b []byte) []byte {
			first := bytes.Clone(b[4:36])
			copy(b[4:], b[36:68])
			copy(b[36:], first)
			return b
		})},
		{name: "answer that is no element", kind: kindAnswers, want: wire.BadPoint, change: raw(func(b []byte) []byte {
			copy(b[4:36], bytes.Repeat([]byte{255}, 32))
			return b
		})},
		{name: "answer without question", kind: kindRunsDone, want: wire.Unexpected, change: func(f taped) []taped {
			return []taped{f, {false, kindAnswers, make([]byte, answersHead+64*elementSize+AnswerExtra)}}
		}, before: func(f *feed) { f.queue.list = map[string]bool{} }},
	}
}

func highest(b []byte) []byte {
	copy(b[len(b)-TagSize:], bytes.Repeat([]byte{255}, TagSize))
	return b
}

func askerAttacks() []attack {
	a, _ := sign.NewPrivateKey(bytes.Repeat([]byte{1}, sign.SeedSize))
	state := func(name string, want wire.Code, change func(*stateMessage)) attack {
		return attack{name: "state " + name, asker: true, kind: kindState, want: want, change: message(change)}
	}
	receipt := func(name string, want wire.Code, change func(*Applied)) attack {
		return attack{name: "receipt " + name, asker: true, kind: kindApplied, want: want, change: resign(a, domainApplied, change)}
	}
	questions := func(name string, want wire.Code, change func([]byte) []byte) attack {
		return attack{name: "questions " + name, asker: true, kind: kindQuestions, want: want, change: raw(change)}
	}
	return []attack{
		state("of another agreement", wire.Altered, func(m *stateMessage) { m.Agreement[0]++ }),
		state("of another feed", wire.Altered, func(m *stateMessage) { m.Feed = 1 }),
		state("of a later period", wire.UnknownRound, func(m *stateMessage) { m.Index++ }),
		state("too many blocks", wire.Malformed, func(m *stateMessage) { m.Blocks = 9 }),
		state("a mark without blocks", wire.Malformed, func(m *stateMessage) { m.Blocks = 0 }),
		state("a run in the middle of blocks", wire.Malformed, func(m *stateMessage) { m.Blocks, m.Mark = 1, Mark{Run: 1, Living: BlockTags} }),
		state("a count that does not fit", wire.Malformed, func(m *stateMessage) { m.Blocks, m.Mark = 1, Mark{Living: 1} }),
		state("no period with blocks", wire.Malformed, func(m *stateMessage) { m.Index = 0 }),
		{name: "state no CBOR", asker: true, kind: kindState, want: wire.Malformed, change: raw(func(b []byte) []byte { return b[:4] })},
		{name: "state overlong", asker: true, kind: kindState, want: wire.TooLarge, change: raw(func([]byte) []byte { return make([]byte, maxMessage+1) })},
		{name: "state twice", asker: true, kind: kindState, want: wire.Unexpected, change: func(f taped) []taped { return []taped{f, f} }},
		{name: "a holder's frame", asker: true, kind: kindApplied, want: wire.Unexpected, change: func(f taped) []taped { return []taped{{true, kindRun, nil}} }},
		{name: "receipt signature", asker: true, kind: kindApplied, want: wire.Altered, change: raw(flip(-1))},
		{name: "no receipt", asker: true, kind: kindApplied, want: wire.Unexpected, change: func(taped) []taped { return nil }},
		receipt("version", wire.UnsupportedVersion, func(r *Applied) { r.Version = 2 }),
		receipt("of another agreement", wire.Altered, func(r *Applied) { r.Agreement[0]++ }),
		receipt("of another run", wire.Altered, func(r *Applied) { r.Run-- }),
		receipt("of another set", wire.Altered, func(r *Applied) { r.Digest[0]++ }),
		receipt("count goes back", wire.Altered, func(r *Applied) { r.Removed -= 64 }),
		receipt("of another time", wire.Clock, func(r *Applied) { r.Time += maxSkew + 1 }),
		receipt("of an old time", wire.Clock, func(r *Applied) { r.Time -= maxSkew + 1 }),
		{name: "acknowledges what was not answered", asker: true, kind: kindAcknowledged, want: wire.Malformed, change: message(func(m *acknowledgedMessage) { m.Next += 5 })},
		{name: "acknowledgement goes back", asker: true, kind: kindAcknowledged, nth: 1, want: wire.Malformed, change: message(func(m *acknowledgedMessage) { m.Next = 0 })},
		{name: "questions before the acknowledgement", asker: true, kind: kindAcknowledged, want: wire.Unexpected, change: func(taped) []taped { return nil }},
		questions("number left out", wire.Malformed, func(b []byte) []byte { b[3]++; return b }),
		questions("of no class", wire.Malformed, func(b []byte) []byte { return append(b, b[len(b)-elementSize:]...) }),
		questions("of half an element", wire.Malformed, func(b []byte) []byte { return b[:len(b)-1] }),
		questions("none", wire.Malformed, func(b []byte) []byte { return b[:3] }),
		questions("too few", wire.Malformed, func(b []byte) []byte { return b[:questionsHead+63*elementSize] }),
		questions("overlong", wire.TooLarge, func([]byte) []byte { return make([]byte, maxQuestions+1) }),
		questions("flags", wire.Malformed, func(b []byte) []byte { b[4] = 2; return b }),
		questions("urgent of another class", wire.Malformed, func(b []byte) []byte {
			b[4] = flagUrgent
			return append(b, b[len(b)-16*elementSize:]...)
		}),
		questions("no element", wire.BadPoint, func(b []byte) []byte {
			copy(b[questionsHead:], bytes.Repeat([]byte{255}, elementSize))
			return b
		}),
		questions("identity", wire.BadPoint, func(b []byte) []byte {
			copy(b[questionsHead:], make([]byte, elementSize))
			return b
		}),
		{name: "the same chunk twice", asker: true, kind: kindQuestions, want: wire.Malformed, change: func(f taped) []taped { return []taped{f, f} }},
	}
}

// TestHostilePeer: each thing that a peer can do wrong is refused with its number, which the
// peer hears; and the side that was attacked goes on with an honest peer afterwards.
func TestHostilePeer(t *testing.T) {
	for _, at := range slices.Concat(holderAttacks(), askerAttacks()) {
		t.Run(at.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := longFeed(t, at.first)
				if at.before != nil {
					at.before(f)
				}
				f.wrap = (&tape{change: at.on(f)}).wrap
				r := f.sync()
				mine, theirs := r.askErr, r.holdErr
				if at.asker {
					mine, theirs = r.holdErr, r.askErr
				}
				wantFault(t, mine, at.want)
				var heard *wire.PeerError
				if late := at.name == "answer without question"; !late && (!errors.As(theirs, &heard) || heard.Code != at.want) {
					t.Errorf("the peer heard %v", theirs)
				}
				f.wrap = nil
				switch {
				case at.name == "period another digest":
					return // the honest one is now a second form of the same period
				case at.want == wire.BadPoint && at.asker:
					return // the honest asker's chunk now has other bytes than those charged
				}
				f.sync().must(t)
				f.check()
			})
		})
	}
}

// disorder encodes the first block of a publication with two neighbours the wrong way round
// that differ in their lower bits alone: their order is the one thing that the encoding
// does not give by itself.
func disorder(f *feed) []byte {
	list := slices.Clone(f.shelf.published[:BlockTags])
	high := bits.Len(uint(len(f.shelf.published) - 1))
	upper := func(t Tag) uint64 { return binary.BigEndian.Uint64(t[:]) >> (64 - high) }
	for i := 1; i < len(list); i++ {
		if upper(list[i-1]) == upper(list[i]) {
			list[i-1], list[i] = list[i], list[i-1]
			break
		}
	}
	var text strings.Builder // of binary digits
	last := uint64(0)
	for _, t := range list {
		text.WriteString(strings.Repeat("0", int(upper(t)-last)) + "1")
		last = upper(t)
	}
	for _, t := range list {
		digits := fmt.Sprintf("%080b", new(big.Int).SetBytes(t[:]))
		text.WriteString(digits[high:])
	}
	for text.Len()%8 != 0 {
		text.WriteByte('0')
	}
	body := make([]byte, 4)
	for i := 0; i < text.Len(); i += 8 {
		b, _ := strconv.ParseUint(text.String()[i:i+8], 2, 8)
		body = append(body, byte(b))
	}
	return body
}

// on is the change that an attack makes to the frames of a feed.
func (at attack) on(f *feed) func(taped) []taped {
	n := 0
	var kept []taped
	return func(fr taped) []taped {
		if fr.asker != at.asker || fr.kind != at.kind {
			return []taped{fr}
		}
		n++
		switch at.name {
		case "run twice":
			if n == 1 {
				kept = []taped{fr}
				return kept
			}
			return kept
		case "run's lists the other way round":
			if n == 1 {
				kept = []taped{fr}
				return nil
			}
			if n == 2 {
				return []taped{fr, kept[0]}
			}
		case "block out of order":
			if n == 1 {
				return []taped{{false, kindBlock, disorder(f)}}
			}
		default:
			if n == at.nth+1 {
				return at.change(fr)
			}
		}
		return []taped{fr}
	}
}

// TestRunsAgainstTheSet: what only the set can tell is refused through the cache.
func TestRunsAgainstTheSet(t *testing.T) {
	lists := map[string]func(s *memoryShelf) (additions, tombstones []Tag){
		"adds what is there": func(s *memoryShelf) ([]Tag, []Tag) {
			return slices.Concat(s.fresh(63), s.published[:1]), slices.Clone(s.published[100:164])
		},
		"removes what is not there": func(s *memoryShelf) ([]Tag, []Tag) {
			return s.fresh(64), slices.Concat(s.published[100:163], s.fresh(1))
		},
	}
	for name, make := range lists {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := longFeed(t, true)
				f.sync().must(t)
				additions, tombstones := make(f.shelf)
				r, after, err := SignRun(f.holder, f.shelf.index, f.shelf.marks[0], ascending(additions), ascending(tombstones))
				if err != nil {
					t.Fatal(err)
				}
				f.shelf.stock, f.shelf.marks = append(f.shelf.stock, r), append(f.shelf.marks, after)
				wantFault(t, f.sync().askErr, wire.Malformed)
				if f.cache.state.Mark != f.shelf.marks[0] {
					t.Error("the cache has changed")
				}
			})
		})
	}
}

// TestSignRunRefuses what an asker would refuse, so that a holder's own fault stays at home.
func TestSignRunRefuses(t *testing.T) {
	f := longFeed(t, true)
	f.sync().must(t)
	s, before := f.shelf, f.shelf.marks[0]
	fresh := ascending(s.fresh(64))
	for name, lists := range map[string][2][]Tag{
		"short":      {fresh[:63], s.published[:64]},
		"unsorted":   {append(slices.Clone(fresh[1:]), fresh[0]), s.published[:64]},
		"twice":      {append(slices.Clone(fresh[:63]), fresh[62]), s.published[:64]},
		"in both":    {s.published[:64], s.published[:64]},
		"over class": {fresh, s.published[:65]},
	} {
		if _, _, err := SignRun(f.holder, s.index, before, lists[0], lists[1]); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

// TestEquivocation: a period or a run in two forms is refused, and the evidence returned.
func TestEquivocation(t *testing.T) {
	t.Run("period", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := longFeed(t, true)
			f.sync().must(t)
			p, s, err := SignPeriod(f.holder, f.shelf.index, testNow, testNow+hour, f.shelf.open.Key.Public(), f.shelf.marks[0])
			if err != nil {
				t.Fatal(err)
			}
			f.shelf.open.Period, f.shelf.open.Signed = p, s
			evidence(t, f, 0)
		})
	})
	t.Run("run", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := longFeed(t, false)
			f.sync().must(t)
			stock, marks := f.shelf.stock, f.shelf.marks
			// The holder says that the cache is wrong, to tell run 2 in another way.
			r, after, err := SignRun(f.holder, f.shelf.index, marks[1], stock[1].Additions, ascending(slices.Clone(f.shelf.published[100:164])))
			if err != nil {
				t.Fatal(err)
			}
			f.shelf.stock, f.shelf.marks = []Run{stock[0], r}, []Mark{marks[0], marks[1], after}
			evidence(t, f, 2)
			// Nor does it help to tell less, or to wait for another sync.
			evidence(t, f, 2)
			f.shelf.stock, f.shelf.marks = stock[:1], marks[:2]
			wantFault(t, f.sync().askErr, wire.Replayed)
		})
	})
}

func evidence(t *testing.T, f *feed, run uint32) {
	t.Helper()
	r := f.sync()
	wantFault(t, r.askErr, wire.Replayed)
	var e *Equivocation
	if !errors.As(r.askErr, &e) || e.Run != run || e.Index != f.shelf.index || len(e.Signed.Body) == 0 {
		t.Errorf("evidence: %+v of %v", e, r.askErr)
	}
}

// TestAnotherKey: evaluation under a key that is not the period's is noticed at the first
// answer, and nothing of it is kept.
func TestAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := longFeed(t, true)
		other, err := HolderKey(bytes.Repeat([]byte{8}, SecretSize), f.holder.Agreement, 0, 1, [32]byte{})
		if err != nil {
			t.Fatal(err)
		}
		tp := tape{change: func(fr taped) []taped {
			if fr.kind == kindAnswers {
				f.queue.mu.Lock()
				chunks := slices.Clone(f.queue.chunks)
				f.queue.mu.Unlock()
				for _, q := range chunks {
					if q.Number == binary.BigEndian.Uint32(fr.body) {
						answerWith(t, f, other, q, fr.body)
					}
				}
			}
			return []taped{fr}
		}}
		f.wrap = tp.wrap
		wantFault(t, f.sync().askErr, wire.BadProof)
		if len(f.queue.entries) != 0 {
			t.Error("entries were kept")
		}
	})
}

// answerWith writes the answer of another key, valid in itself.
func answerWith(t *testing.T, f *feed, k *oprf.Key, q Question, body []byte) {
	in := NewInputs(f.holder.Agreement, 0, f.shelf.index)
	inputs, err := q.inputs(in)
	if err != nil {
		t.Fatal(err)
	}
	blinds, err := q.blinds(f.shelf.open.Key.Public(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := f.shelf.open.Key.Public().Blind(inputs, blinds)
	if err != nil {
		t.Fatal(err)
	}
	evaluated, proof, err := k.Evaluate(batch.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	copy(body[answersHead:], append(evaluated, proof...))
}

// TestQuota: what is over is not evaluated, has its number, is counted, and hurts nothing
// that was within.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, 0)
		f.meter.limits.Queries = 128
		f.queue.split = 1
		for _, item := range []string{"a", "b", "c"} {
			f.queue.list[item] = true
		}
		r := f.sync()
		wantFault(t, r.holdErr, wire.Quota)
		var heard *wire.PeerError
		if !errors.As(r.askErr, &heard) || heard.Code != wire.Quota {
			t.Errorf("the asker heard %v", r.askErr)
		}
		var a Account
		f.meter.with(func(now *Account) error { a = *now; return nil })
		if a.Refused != 1 || a.Used != 128 || f.meter.places != 128 {
			t.Errorf("account %+v", a)
		}
		// Checks have a quota of their own, by the day.
		f.queue.chunks = f.queue.chunks[:2]
		f.queue.list = map[string]bool{}
		f.queue.urgent = []string{"u", "v", "w"}
		f.sync().must(t)
		f.queue.urgent = []string{"x"}
		wantFault(t, f.sync().holdErr, wire.Quota)
		f.now.Add(24 * hour)
		f.sync().must(t)
	})
}

// TestPeriodBoundary: five minutes of skew in either direction, and an end in the middle of
// the questions.
func TestPeriodBoundary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := longFeed(t, true)
		f.sync().must(t)
		first := f.cache.state.Period
		f.queue.list["x"] = true
		// The asker's clock is ahead: it asks nothing, and takes what comes.
		f.asker.Now = func() time.Time { return time.UnixMilli(first.Ends) }
		f.now.Store(first.Ends - 4*60_000)
		f.shelf.change()
		r := f.sync().must(t)
		if !r.ask.Over || r.ask.Chunks != 0 || r.ask.Runs != 1 {
			t.Errorf("asker ahead: %+v", r.ask)
		}
		// The asker's clock is behind: the holder has opened the next period.
		f.now.Store(first.Ends)
		f.asker.Now = func() time.Time { return time.UnixMilli(first.Ends - 4*60_000) }
		if r := f.sync().must(t); r.ask.Index <= first.Index || r.ask.Chunks == 0 {
			t.Errorf("asker behind: %+v", r.ask)
		}
		f.check()
		// The end comes while questions are asked.
		second := f.cache.state.Period
		f.asker.Now = func() time.Time { return time.UnixMilli(second.Starts) }
		f.queue.list["y"], f.queue.list["z"] = true, true
		f.meter.taking = func() { f.now.Store(second.Ends) }
		wantOver(t, f.sync().holdErr)
		f.meter.taking, f.asker.Now = nil, f.holder.Now
		if r := f.sync().must(t); r.ask.Index <= second.Index {
			t.Errorf("after the end: %+v", r.ask)
		}
		f.check()
	})
}

func wantOver(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrOver) {
		t.Errorf("ended with %v", err)
	}
}

// TestSizesDependOnClassesOnly: within a class, how much is new, gone, asked or shared
// changes no byte count of any frame.
func TestSizesDependOnClassesOnly(t *testing.T) {
	sizes := func(listed, adds, removes, asks, shared int) [32]byte {
		f := newFeed(t, 0)
		for i := range 40 {
			f.shelf.list[string(rune('A'+i))] = i < listed || i >= 20
		}
		for item, in := range f.shelf.list {
			if !in {
				delete(f.shelf.list, item)
			}
		}
		var tp tape
		f.wrap = tp.wrap
		f.queue.cadence = true
		f.sync().must(t)
		for i := range removes {
			delete(f.shelf.list, string(rune('A'+20+i)))
		}
		for i := range adds {
			f.shelf.list["new"+string(rune('a'+i))] = true
		}
		f.shelf.change()
		for i := range asks {
			f.queue.list["asked"+string(rune('a'+i))] = true
		}
		for i := range shared {
			f.queue.list["new"+string(rune('a'+i))] = true
		}
		f.queue.cadence = true
		f.sync().must(t)
		f.check()
		h := sha256.New()
		for _, asker := range []bool{true, false} {
			for _, fr := range tp.frames {
				if fr.asker == asker {
					h.Write([]byte{byte(fr.kind)})
					if fr.kind == kindBlock { // its length depends on the tags, which are random
						continue
					}
					h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(fr.body))))
				}
			}
		}
		return [32]byte(h.Sum(nil))
	}
	want := sizes(0, 0, 0, 0, 0)
	for name, got := range map[string][32]byte{
		"one listed": sizes(1, 0, 0, 0, 0), "one added": sizes(0, 1, 0, 0, 0), "many added": sizes(0, 15, 0, 0, 0),
		"one removed": sizes(0, 0, 1, 0, 0), "many removed": sizes(0, 0, 20, 0, 0), "one asked": sizes(0, 0, 0, 1, 0),
		"many asked": sizes(0, 0, 0, 40, 0), "hits": sizes(10, 15, 10, 20, 15),
	} {
		if got != want {
			t.Errorf("%s: the sizes differ from those of nothing", name)
		}
	}
}
