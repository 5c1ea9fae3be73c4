package standing

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/crypto/oprf"
	"entente/protocol/round"
	"entente/protocol/tags"
	"entente/protocol/terms"
	"entente/protocol/vectors"
	"entente/protocol/wire"
)

// source is the input of one vector.
type source struct {
	t  *testing.T
	in map[string]string
}

func (s source) hex(name string) []byte {
	s.t.Helper()
	b, err := hex.DecodeString(s.in[name])
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return b
}

func (s source) digest(name string) [32]byte {
	s.t.Helper()
	b := s.hex(name)
	if len(b) != 32 {
		s.t.Fatalf("%s has %d bytes", name, len(b))
	}
	return [32]byte(b)
}

func (s source) number(name string) int64 {
	s.t.Helper()
	n, err := strconv.ParseInt(s.in[name], 10, 64)
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return n
}

func (s source) u32(name string) uint32 { return uint32(s.number(name)) }

// tags are count tags from a first byte on, each one more than the one before.
func (s source) tags(name string) []Tag {
	first, count, _ := strings.Cut(s.in[name], "+")
	from, err := strconv.ParseUint(first, 10, 64)
	n, again := strconv.Atoi(count)
	if err := errors.Join(err, again); err != nil {
		s.t.Fatal(err)
	}
	list := make([]Tag, n)
	for i := range list {
		binary.BigEndian.PutUint64(list[i][2:], from+uint64(i))
	}
	return list
}

// spread are count tags that lie evenly between the smallest and the largest.
func (s source) spread(name string) []Tag {
	n := int(s.number(name))
	list := make([]Tag, n)
	for i := range list {
		binary.BigEndian.PutUint64(list[i][:], uint64(i)*(1<<63/uint64(n)*2)+uint64(i))
		list[i][9] = byte(i)
	}
	return list
}

func (s source) kinds(version uint16) []Kind {
	var all []Kind
	for name := range strings.SplitSeq(s.in["kinds"], ",") {
		all = append(all, Kind{Name: name, Version: version})
	}
	return all
}

func (s source) bounds() Bounds {
	return Bounds{Cadence: s.u32("cadence"), Period: s.u32("period"), Tags: s.u32("tags"), Queries: s.u32("queries"), Checks: s.u32("checks")}
}

func (s source) offer() Offer {
	open := terms.Widest(terms.IDs, terms.None)
	return Offer{
		Version: Version, Subscription: s.hex("subscription"), Roster: s.hex("roster"), From: s.in["from"], To: s.in["to"],
		Created: s.number("created"), Expires: s.number("expires"), Kinds: s.kinds(2), Purpose: s.in["purpose"], Basis: s.in["basis"],
		Asked: open, Granted: open, Rules: s.hex("rules"), Limit: s.bounds(), Class: s.u32("class"), Consequence: ConsequenceVersion,
	}
}

func (s source) answer() Answer {
	digest := offerDigest(s.hex("offer"))
	return Answer{
		Offer: digest[:], Created: s.number("created"), Expires: s.number("expires"), Kinds: s.kinds(1), Basis: s.in["basis"],
		Terms: terms.Widest(terms.IDs, terms.None), Rules: s.hex("rules"), Limit: s.bounds(), Class: s.u32("class"),
	}
}

func (s source) inputs() Inputs {
	return NewInputs(s.digest("agreement"), uint8(s.number("feed")), s.u32("index"))
}

func (s source) item() Item {
	return Item{Kind: s.in["kind"], Version: uint16(s.number("version")), Element: []byte(s.in["element"])}
}

func (s source) key() (*oprf.Key, error) {
	return HolderKey(s.hex("secret"), s.digest("agreement"), uint8(s.number("feed")), s.u32("index"), s.digest("nonce"))
}

func (s source) question() Question {
	return Question{
		Number: s.u32("number"), Class: int(s.number("class")), Urgent: s.in["urgent"] == "1",
		Items: []Item{s.item()}, Seed: s.digest("seed"),
	}
}

// blinded is the request of the vector's chunk.
func (s source) blinded() ([]byte, error) {
	k, err := s.key()
	if err != nil {
		return nil, err
	}
	q := s.question()
	inputs, err := q.inputs(s.inputs())
	if err != nil {
		return nil, err
	}
	blinds, err := q.blinds(k.Public(), inputs)
	if err != nil {
		return nil, err
	}
	batch, err := k.Public().Blind(inputs, blinds)
	if err != nil {
		return nil, err
	}
	return batch.Blinded(), nil
}

// compute recomputes a valid vector's bytes from its input.
func (s source) compute(name string) ([]byte, error) {
	if b, err, ok := s.agreement(name); ok {
		return b, err
	}
	if b, err, ok := s.derived(name); ok {
		return b, err
	}
	be := binary.BigEndian
	switch name {
	case "period":
		return wire.Marshal(Period{
			Version: Version, Agreement: s.digest("agreement"), Feed: uint8(s.number("feed")), Index: s.u32("index"),
			Starts: s.number("starts"), Ends: s.number("ends"), Public: s.digest("public"), Class: s.u32("class"), Digest: s.digest("digest"),
		})
	case "run":
		return wire.Marshal(RunHeader{
			Version: Version, Agreement: s.digest("agreement"), Feed: uint8(s.number("feed")), Index: s.u32("index"), Number: s.u32("number"),
			Additions: s.u32("additions"), Tombstones: s.u32("tombstones"), Digest: s.digest("digest"),
		})
	case "applied":
		return wire.Marshal(Applied{
			Version: Version, Agreement: s.digest("agreement"), Feed: uint8(s.number("feed")), Index: s.u32("index"), Run: s.u32("run"),
			Digest: s.digest("digest"), Living: s.u32("living"), Removed: s.u32("removed"), Time: s.number("time"),
		})
	case "state", "state/none":
		m := stateMessage{Agreement: s.digest("agreement"), Feed: uint8(s.number("feed"))}
		if name == "state" {
			m.Index, m.Body, m.Blocks = s.u32("index"), bodyDigest(s.hex("period")), s.u32("blocks")
			m.Mark = Mark{Run: s.u32("run"), Digest: s.digest("digest"), Living: s.u32("living"), Removed: s.u32("removed")}
		}
		return wire.Marshal(m)
	case "position":
		return wire.Marshal(positionMessage{Last: s.u32("last"), Account: Position{
			Next: s.u32("next"), Acknowledged: s.u32("acknowledged"), Used: s.u32("used"), Checks: s.u32("checks"),
		}})
	case "chunk/questions":
		b := be.AppendUint32(nil, s.u32("number"))
		return append(append(b, byte(s.number("flags"))), s.hex("content")...), nil
	case "tags/run":
		return encodeTags(0, s.tags("tags")), nil
	case "tags/block":
		code, err := tags.NewCode(int(s.number("class")))
		if err != nil {
			return nil, err
		}
		return encodeBlock(code, 0, nil, s.spread("tags"))
	}
	return nil, fmt.Errorf("vector %q belongs to nothing", name)
}

// agreement computes what belongs to the agreement.
func (s source) agreement(name string) ([]byte, error, bool) {
	var b []byte
	var err error
	switch name {
	case "offer":
		b, err = wire.Marshal(s.offer())
	case "answer":
		b, err = wire.Marshal(s.answer())
	case "agreement":
		d := agreementDigest(s.hex("offer"), s.hex("answer"))
		b = d[:]
	case "end":
		b, err = wire.Marshal(End{Version: Version, Subscription: s.hex("subscription"), Agreement: s.hex("agreement"), From: s.in["from"], Time: s.number("time")})
	default:
		return nil, nil, false
	}
	return b, err, true
}

// derived computes keys, inputs and digests.
func (s source) derived(name string) ([]byte, error, bool) {
	var b []byte
	var err error
	switch name {
	case "key/public":
		var k *oprf.Key
		if k, err = s.key(); err == nil {
			b = k.Public().Bytes()
		}
	case "input/element":
		b, err = s.inputs().Element(s.item())
	case "input/padding":
		b = s.inputs().Padding(s.hex("seed"), s.u32("place"))
	case "entry/output":
		e := EntryOf(s.hex("output"))
		b = slices.Concat(e.Tag[:], e.Proof[:])
	case "entry/element":
		b, err = s.entry()
	case "question/blinded":
		if b, err = s.blinded(); err == nil {
			b = b[:elementSize]
		}
	case "question/digest":
		var blinded []byte
		blinded, err = s.blinded()
		session := Session{Agreement: s.digest("agreement"), Feed: uint8(s.number("feed"))}
		d := questionsDigest(&session, s.u32("index"), s.u32("number"), s.in["urgent"] == "1", blinded)
		b = d[:]
	case "chain/publication":
		d := Publishing(s.digest("agreement"), uint8(s.number("feed")), s.u32("index"), s.u32("class")).Digest
		b = d[:]
	case "chain/block":
		d := Mark{Digest: s.digest("before")}.AfterBlock(s.tags("tags")).Digest
		b = d[:]
	case "chain/run":
		d := Mark{Digest: s.digest("before"), Run: s.u32("number") - 1}.AfterRun(s.tags("additions"), s.tags("tombstones")).Digest
		b = d[:]
	case "period-digest":
		d := bodyDigest(s.hex("period"))
		b = d[:]
	default:
		return nil, nil, false
	}
	return b, err, true
}

// entry is tag and proof of an element under the vector's key.
func (s source) entry() ([]byte, error) {
	k, err := s.key()
	if err != nil {
		return nil, err
	}
	input, err := s.inputs().Element(s.item())
	if err != nil {
		return nil, err
	}
	outputs, err := k.Outputs([][]byte{input})
	if err != nil {
		return nil, err
	}
	e := EntryOf(outputs[0])
	return slices.Concat(e.Tag[:], e.Proof[:]), nil
}

func TestVectors(t *testing.T) {
	vs, err := vectors.Load("standing")
	if err != nil {
		t.Fatal(err)
	}
	if len(vs) < 30 {
		t.Fatalf("only %d vectors", len(vs))
	}
	for _, v := range vs {
		t.Run(v.Name, func(t *testing.T) {
			want, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !v.Valid {
				refused(t, v, want)
				return
			}
			got, err := source{t, v.Input}.compute(v.Name)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("computed %x, want %x", got, want)
			}
		})
	}
}

// refused signs an invalid body as its owner would, so that what is wrong is the body.
func refused(t *testing.T, v vectors.Vector, body []byte) {
	t.Helper()
	name, _, _ := strings.Cut(v.Name, "/")
	var err error
	switch name {
	case "offer":
		p := newPair(t)
		signature, again := p.proposer.Key.Sign(domainOffer, body)
		if again != nil {
			t.Fatal(again)
		}
		_, err = Receive(round.Signed{Body: body, Signature: signature}, p.responder, testNow+500)
	case "period":
		f := newFeed(t, 0)
		f.asker.Agreement = [32]byte(mustHex(t, v.Input["agreement"]))
		signature, again := f.holder.Key.Sign(domainPeriod, body)
		if again != nil {
			t.Fatal(again)
		}
		_, err = OpenPeriod(f.asker, f.asker.PeerKey, round.Signed{Body: body, Signature: signature})
	case "chunk":
		_, err = decodeQuestions(body)
	case "tags":
		_, err = decodeTags(body, 0, nil, 64)
	default:
		t.Fatalf("invalid vector %q belongs to nothing", v.Name)
	}
	var broke *wire.ProtocolError
	if !errors.As(err, &broke) || fmt.Sprint(uint16(broke.Code)) != v.Fault {
		t.Errorf("refused with %v, want code %s", err, v.Fault)
	}
}

func mustHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}
