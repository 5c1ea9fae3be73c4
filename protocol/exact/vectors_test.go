package exact

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"testing"

	"entente/crypto/oprf"
	"entente/protocol/vectors"
	"entente/protocol/wire"
)

// reading reads the fields of a vector's input.
type reading struct {
	t testing.TB
	v vectors.Vector
}

func (r reading) bytes(name string) []byte {
	b, err := hex.DecodeString(r.v.Input[name])
	if err != nil {
		r.t.Fatalf("%s: %s: %v", r.v.Name, name, err)
	}
	return b
}

func (r reading) number(name string) int {
	n, err := strconv.Atoi(r.v.Input[name])
	if err != nil {
		r.t.Fatalf("%s: %s: %v", r.v.Name, name, err)
	}
	return n
}

// set is the list of elements that stand in a field, in hex with commas.
func (r reading) set(name string) (l list) {
	for e := range strings.SplitSeq(r.v.Input[name], ",") {
		b, err := hex.DecodeString(e)
		if err != nil {
			r.t.Fatalf("%s: %s: %v", r.v.Name, name, err)
		}
		l = append(l, b)
	}
	return l
}

func (r reading) session() Session {
	return Session{
		Agreement: [32]byte(r.bytes("agreement")), Kind: r.v.Input["kind"], Version: uint16(r.number("version")),
		Run: r.number("run"), Receiver: r.number("receiver"), Sender: r.number("sender"),
		Mutual: r.v.Input["mutual"] == "true", EpsilonMilli: uint32(r.number("epsilon_milli")),
	}
}

// root derives the root key of a side from session, secret, role and list.
func (r reading) root() root {
	s := r.session()
	secret := r.bytes("secret")
	h, err := setHash(secret)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := scan(r.t.Context(), r.set("list"), MaxItems, h, func(int, []byte) error { return nil }); err != nil {
		r.t.Fatal(err)
	}
	side := receiver
	if r.v.Input["role"] == "sender" {
		side = sender
	}
	root, err := newRoot(secret, s.digest(r.v.Input["suite"], r.bytes("public")), side, h.Sum(nil))
	if err != nil {
		r.t.Fatal(err)
	}
	return root
}

func TestVectors(t *testing.T) {
	all, err := vectors.Load("exact")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 30 {
		t.Fatalf("only %d vectors", len(all))
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			want, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !v.Valid {
				refuse(t, v, want)
				return
			}
			if got := compute(reading{t, v}); !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

// compute recomputes a valid vector from its input; the first word of its name says what.
func compute(r reading) []byte {
	what, rest, _ := strings.Cut(r.v.Name, "/")
	switch what {
	case "start":
		return marshal(r.t, &startMessage{Role: uint8(r.number("role")), Session: [32]byte(r.bytes("session")),
			First: uint32(r.number("first")), Second: uint32(r.number("second"))})
	case "progress":
		return marshal(r.t, &progressMessage{First: uint32(r.number("first")), Second: uint32(r.number("second"))})
	case "chunk":
		return encodeChunk(r.number("index"), r.bytes("content"))
	case "session":
		s := r.session()
		digest := s.digest(r.v.Input["suite"], r.bytes("public"))
		return digest[:]
	case "public":
		key, err := senderKey(r.v.Input["suite"], r.bytes("secret"))
		if err != nil {
			r.t.Fatal(err)
		}
		if err := CheckPublic(r.v.Input["suite"], key.Public().Bytes()); err != nil {
			r.t.Error(err)
		}
		return key.Public().Bytes()
	case "input":
		s := r.session()
		in := newInputs(r.v.Input["suite"], &s)
		switch rest {
		case "dummy":
			return in.ofDummy(r.number("number"))
		case "padding":
			return in.ofPadding(paddingOf(r.bytes("seed")), uint32(r.number("slot")))
		}
		return in.ofElement(r.bytes("element"))
	case "entry":
		return appendEntry(nil, r.bytes("output"))
	case "count-tag":
		return appendPointTags(nil, r.bytes("point"))
	case "derived":
		return derive(r, rest)
	case "flow":
		return flowDigest(r)
	case "answers": // with a proof that was random once
		b, err := r.v.Bytes()
		if err == nil {
			err = refuseAnswers(r, newPlan(nameOPRF, 64, 64, true, 1), b)
		}
		if err != nil {
			r.t.Fatal(err)
		}
		return b
	}
	r.t.Fatalf("no vector is called %s", r.v.Name)
	return nil
}

func marshal(t testing.TB, v any) []byte {
	b, err := wire.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// derive computes what one node derives for itself.
func derive(r reading, what string) []byte {
	if what == "places" {
		taken, err := choose(seedStream(r.bytes("seed")), r.number("items"), r.number("n"))
		if err != nil {
			r.t.Fatal(err)
		}
		var b []byte
		for i := range r.number("n") {
			if taken.has(i) {
				b = binary.BigEndian.AppendUint32(b, uint32(i))
			}
		}
		return b
	}
	if what == "order" {
		order, err := permutation(seedStream(r.bytes("seed")), r.number("n"))
		if err != nil {
			r.t.Fatal(err)
		}
		var b []byte
		for _, i := range order {
			b = binary.BigEndian.AppendUint32(b, i)
		}
		return b
	}
	seed, err := r.root().seed(r.v.Input["label"])
	if err != nil {
		r.t.Fatal(err)
	}
	return seed
}

// flowDigest runs both sides as far as needed and returns SHA-256 of all items of a flow,
// without indices and proofs.
func flowDigest(r reading) []byte {
	su, err := Lookup(r.v.Input["suite"])
	if err != nil {
		r.t.Fatal(err)
	}
	var tp tape
	g := rig{suite: su, wrap: tp.wrap}
	g.r = party{r.session(), r.set("receiver_list"), new(MemoryJournal)}
	g.s = party{r.session(), r.set("sender_list"), new(MemoryJournal)}
	g.r.session.Secret, g.s.session.Secret = r.bytes("receiver_secret"), r.bytes("sender_secret")
	g.r.session.PeerPublic = r.bytes("public")
	g.run(r.t.Context()).must(r.t)
	h := sha256.New()
	for _, f := range newPlan(su.Name(), g.r.session.Receiver, g.r.session.Sender, g.r.session.Mutual, 1) {
		if f.name != r.v.Input["flow"] {
			continue
		}
		for i, body := range tp.of(f.kind) {
			end := indexSize + f.count(i)*f.size
			if f.code != nil {
				end = len(body)
			}
			h.Write(body[indexSize:end])
		}
	}
	return h.Sum(nil)
}

// refuse feeds an invalid vector to the reader that its name says.
func refuse(t *testing.T, v vectors.Vector, bad []byte) {
	r := reading{t, v}
	p := newPlan(nameOPRF, 64, 64, true, 1)
	var err error
	switch what, _, _ := strings.Cut(v.Name, "/"); what {
	case "start":
		_, err = decodeStart(bad, receiver, [32]byte(r.bytes("session")), p)
	case "progress":
		l := newLink(new(bytes.Buffer), receiver, p, [32]byte{}, [flowCount]int{}, nil)
		l.sent[questions], l.have[questions] = 1, r.number("before")
		err = l.takeProgress(bad)
	case "questions":
		var content []byte
		if content, err = decodeChunk(p[questions], 0, bad); err == nil {
			key, kerr := senderKey(nameOPRF, make([]byte, SecretSize))
			if kerr != nil {
				t.Fatal(kerr)
			}
			_, _, err = key.Evaluate(content)
			err = blame(err)
		}
	case "public":
		err = CheckPublic(v.Input["suite"], bad)
	case "answers":
		err = refuseAnswers(r, p, bad)
	case "tags":
		var content []byte
		if content, err = decodeChunk(p[listed], 0, bad); err == nil {
			_, err = (&tagReceiver{flow: p[listed]}).take(0, content)
		}
	default:
		t.Fatalf("no vector is called %s", v.Name)
	}
	var protocol *wire.ProtocolError
	if !errors.As(err, &protocol) || protocol.Code.String() != v.Fault {
		t.Errorf("%v, want %q", err, v.Fault)
	}
}

// refuseAnswers verifies answers to a batch of 64 questions.
func refuseAnswers(r reading, p plan, bad []byte) error {
	content, err := decodeChunk(p[answers], 0, bad)
	if err != nil {
		return err
	}
	suite := r.v.Input["suite"]
	public, err := oprf.ParsePublicKey(formOf(suite), r.bytes("public"))
	if err != nil {
		return err
	}
	o := &oprfReceiver{side: &side{plan: p, peer: public, inputs: newInputs(suite, &Session{Kind: "phone"})},
		blinds: make([]byte, 32), padding: make([]byte, 32)}
	batch, err := o.blind(stretch{elements: make([][]byte, 64)})
	if err != nil {
		return err
	}
	_, err = o.finalize(verification{batch, arrival{0, content}})
	return err
}
