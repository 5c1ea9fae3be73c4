package round

import (
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"entente/protocol/terms"
	"entente/protocol/vectors"
	"entente/protocol/wire"
)

// compute recomputes a valid vector's bytes from its input.
func compute(t *testing.T, v vectors.Vector) ([]byte, error) {
	in := v.Input
	name, _, _ := strings.Cut(v.Name, "-")
	switch name {
	case "hello":
		return wire.Marshal(Hello{Version: Version, Roster: unhex(t, in["roster"]), Clock: number(t, in["clock"])})
	case "offer":
		return wire.Marshal(vectorOffer(t, in))
	case "answer":
		return wire.Marshal(vectorAnswer(t, in))
	case "agreement":
		d := agreementDigest(unhex(t, in["offer"]), unhex(t, in["answer"]))
		return d[:], nil
	case "pending":
		d := Offer{}.digest(unhex(t, in["offer"]))
		return wire.Marshal(Pending{Offer: d[:]})
	case "receipt":
		return wire.Marshal(vectorReceipt(t, in))
	case "root":
		d, err := Root(elements(in["elements"]))
		return d[:], err
	case "commitment":
		d := Commit(unhex(t, in["nonce"]), [32]byte(unhex(t, in["root"])))
		return d[:], nil
	}
	return nil, fmt.Errorf("vector %q belongs to nothing", v.Name)
}

func vectorOffer(t *testing.T, in map[string]string) Offer {
	t.Helper()
	asked := terms.Widest(terms.IDs, terms.IDs)
	return Offer{
		Version: Version, Round: unhex(t, in["round"]), Roster: unhex(t, in["roster"]), From: in["from"], To: in["to"],
		Created: number(t, in["created"]), Expires: number(t, in["expires"]), Kind: in["kind"], Normaliser: 1,
		Purpose: in["purpose"], Basis: in["basis"], Asked: asked, Granted: asked, Rules: unhex(t, in["rules"]),
		Class: uint32(number(t, in["class"])), Commitment: unhex(t, in["commitment"]),
		Suites: []SuiteKey{{Name: "oprf", Public: unhex(t, in["oprf_public"])}, {Name: CountSuite}},
	}
}

func vectorAnswer(t *testing.T, in map[string]string) Answer {
	t.Helper()
	digest := Offer{}.digest(unhex(t, in["offer"]))
	return Answer{
		Offer: digest[:], Created: number(t, in["created"]), Expires: number(t, in["expires"]), Normaliser: 1,
		Basis: in["basis"], Terms: terms.Widest(terms.IDs, terms.IDs), Rules: unhex(t, in["rules"]),
		Class: uint32(number(t, in["class"])), Commitment: unhex(t, in["commitment"]),
		Suites: []SuiteKey{{Name: "oprf", Public: unhex(t, in["oprf_public"])}},
	}
}

func vectorReceipt(t *testing.T, in map[string]string) Receipt {
	t.Helper()
	return Receipt{
		Version: Version, Agreement: unhex(t, in["agreement"]), Proposer: unhex(t, in["proposer"]), Responder: unhex(t, in["responder"]),
		Suites: []string{"oprf"}, ProposerClass: uint32(number(t, in["proposer_class"])), ResponderClass: uint32(number(t, in["responder_class"])),
		ProposerSent: uint64(number(t, in["proposer_sent"])), ProposerGot: uint64(number(t, in["proposer_received"])),
		ResponderSent: uint64(number(t, in["responder_sent"])), ResponderGot: uint64(number(t, in["responder_received"])),
		ProposerDone: number(t, in["proposer_finished"]), ResponderDone: number(t, in["responder_finished"]),
	}
}

// elements are texts that commas separate; no text is no element.
func elements(list string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if list == "" {
			return
		}
		for e := range strings.SplitSeq(list, ",") {
			if !yield([]byte(e), nil) {
				return
			}
		}
	}
}

func TestVectors(t *testing.T) {
	vs, err := vectors.Load("round")
	if err != nil {
		t.Fatal(err)
	}
	if len(vs) < 15 {
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
			got, err := compute(t, v)
			if err != nil {
				t.Fatal(err)
			}
			if hex.EncodeToString(got) != hex.EncodeToString(want) {
				t.Errorf("computed %x, want %x", got, want)
			}
		})
	}
}

// refused signs an invalid offer's bytes as its proposer would, so that what is
// wrong is the offer itself.
func refused(t *testing.T, v vectors.Vector, body []byte) {
	t.Helper()
	p := newPair(t)
	signature, err := p.proposer.Key.Sign(domainOffer, body)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Receive(Signed{Body: body, Signature: signature}, p.responder, testNow+500)
	var broke *wire.ProtocolError
	if !errors.As(err, &broke) || fmt.Sprint(uint16(broke.Code)) != v.Fault {
		t.Errorf("refused with %v, want code %s", err, v.Fault)
	}
}
