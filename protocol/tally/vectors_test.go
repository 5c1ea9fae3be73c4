package tally

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"entente/protocol/vectors"
	"entente/protocol/wire"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// vectorProposal is the proposal that a vector's input describes.
func vectorProposal(t *testing.T, in map[string]string) Proposal {
	t.Helper()
	p := Proposal{
		Version: Version, Tally: unhex(t, in["tally"]), Roster: unhex(t, in["roster"]), Collector: in["collector"],
		Created: number(t, in["created"]), Deadline: number(t, in["deadline"]), Purpose: in["purpose"], Basis: in["basis"], Rules: unhex(t, in["rules"]),
		Contributors: strings.Split(in["contributors"], ","), Holders: strings.Split(in["holders"], ","),
		Threshold: uint8(number(t, in["threshold"])), Minimum: uint8(number(t, in["minimum"])), Cap: uint16(number(t, in["cap"])),
		EpsilonMilli: uint32(number(t, in["epsilon_milli"])), NoiseOf: uint8(number(t, in["noise_of"])), Limit: uint32(number(t, in["limit"])),
	}
	p.Question.Kind = uint8(number(t, in["kind"]))
	for d := range strings.SplitSeq(in["dimensions"], ";") {
		name, list, _ := strings.Cut(d, "=")
		p.Question.Dimensions = append(p.Question.Dimensions, Dimension{Name: name, Labels: strings.Split(list, ",")})
	}
	return p
}

// accepted are places with digests, as "0=00…,2=01…".
func accepted(t *testing.T, list string) (out []Accepted) {
	t.Helper()
	for e := range strings.SplitSeq(list, ",") {
		place, digest, _ := strings.Cut(e, "=")
		out = append(out, Accepted{Place: uint8(number(t, place)), Digest: unhex(t, digest)})
	}
	return out
}

func parts(t *testing.T, list string) (out [][]byte) {
	t.Helper()
	for e := range strings.SplitSeq(list, ",") {
		out = append(out, unhex(t, e))
	}
	return out
}

func cells(t *testing.T, list string) (out []uint32) {
	t.Helper()
	for e := range strings.FieldsSeq(list) {
		out = append(out, uint32(number(t, e)))
	}
	return out
}

// compute recomputes a valid vector's bytes from its input.
func compute(t *testing.T, v vectors.Vector) ([]byte, error) {
	in := v.Input
	at := func(name string) uint8 { return uint8(number(t, in[name])) }
	switch v.Name {
	case "proposal", "proposal/counters":
		return wire.Marshal(vectorProposal(t, in))
	case "acceptance", "acceptance/holder":
		return wire.Marshal(Acceptance{
			Proposal: unhex(t, in["proposal"]), Member: in["member"], Basis: in["basis"], Rules: unhex(t, in["rules"]),
			Commitment: unhex(t, in["commitment"]), Sealing: unhex(t, in["sealing"]), Seed: unhex(t, in["seed"]),
		})
	case "key-call":
		return wire.Marshal(KeyCall{Proposal: unhex(t, in["proposal"]), Dealers: accepted(t, in["dealers"]), Contributors: accepted(t, in["contributors"])})
	case "part":
		return wire.Marshal(Part{Call: unhex(t, in["call"]), Place: at("place"), Shares: parts(t, in["shares"])})
	case "ready":
		return wire.Marshal(Ready{Key: unhex(t, in["key"])})
	case "wanted":
		return wire.Marshal(Wanted{Key: unhex(t, in["key"])})
	case "contribution":
		return wire.Marshal(Contribution{Key: unhex(t, in["key"]), Place: at("place"), Masks: unhex(t, in["masks"]), Bodies: unhex(t, in["bodies"])})
	case "request":
		return wire.Marshal(Request{Key: unhex(t, in["key"]), Included: unhex(t, in["included"]), Active: unhex(t, in["active"]), Sum: unhex(t, in["sum"])})
	case "share":
		return wire.Marshal(Share{Request: unhex(t, in["request"]), Place: at("place"), Digest: unhex(t, in["digest"])})
	case "release":
		return wire.Marshal(Release{
			Proposal: unhex(t, in["proposal"]), Call: unhex(t, in["call"]), Key: unhex(t, in["key"]), Request: unhex(t, in["request"]), Included: unhex(t, in["included"]), Cap: uint16(at("cap")),
			EpsilonMilli: uint32(number(t, in["epsilon_milli"])), NoiseOf: at("noise_of"), Limit: uint32(at("limit")), Cells: cells(t, in["cells"]),
		})
	case "released":
		return wire.Marshal(Released{Release: unhex(t, in["release"])})
	case "opening":
		return wire.Marshal(Opening{Proposal: unhex(t, in["proposal"]), Key: unhex(t, in["key"]), Place: at("place"), Seed: unhex(t, in["seed"]), Counts: cells(t, in["counts"])})
	}
	return computeDigest(t, v)
}

func computeDigest(t *testing.T, v vectors.Vector) ([]byte, error) {
	in := v.Input
	var d [32]byte
	switch v.Name {
	case "digest/proposal":
		d = Digest(Signed{Body: unhex(t, in["body"])}, DomainProposal)
	case "digest/reference":
		d = Reference([32]byte(unhex(t, in["proposal"])))
	case "digest/part-commitment":
		d = PartCommitment([32]byte(unhex(t, in["proposal"])), in["holder"], unhex(t, in["public"]))
	case "digest/seal-info":
		d = SealInfo([32]byte(unhex(t, in["call"])), uint8(number(t, in["from"])), uint8(number(t, in["to"])))
	case "digest/sealed":
		d = SealedDigest(unhex(t, in["sealed"]))
	case "digest/masks", "digest/bodies":
		begin := MasksDigest
		if v.Name == "digest/bodies" {
			begin = BodiesDigest
		}
		c := begin([32]byte(unhex(t, in["key"])), in["contributor"])
		for _, b := range parts(t, in["blocks"]) {
			c.Append("block", b)
		}
		d = c.Sum()
	case "digest/share":
		d = ShareDigest(unhex(t, in["share"]))
	case "digest/seed-commitment":
		d = SeedCommitment([32]byte(unhex(t, in["proposal"])), in["contributor"], unhex(t, in["seed"]))
	case "digest/noise-seed":
		d = NoiseSeed(unhex(t, in["seed"]), [32]byte(unhex(t, in["key"])))
	default:
		return nil, fmt.Errorf("vector %q belongs to nothing", v.Name)
	}
	return d[:], nil
}

func TestVectors(t *testing.T) {
	vs, err := vectors.Load("tally")
	if err != nil {
		t.Fatal(err)
	}
	valid, refused := 0, 0
	for _, v := range vs {
		if strings.HasPrefix(v.Name, "machine/") {
			continue // protocol/tally/machine recomputes these
		}
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if v.Valid {
			valid++
			if got, err := compute(t, v); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: computed %x, want %x: %v", v.Name, got, want, err)
			}
			continue
		}
		refused++
		var p Proposal
		err = Decode(want, &p)
		if err == nil {
			err = p.Check([32]byte(unhex(t, v.Input["roster"])), number(t, v.Input["now"]))
		}
		var broke *wire.ProtocolError
		if !errors.As(err, &broke) || fmt.Sprint(uint16(broke.Code)) != v.Fault {
			t.Errorf("%s: refused with %v, want code %s", v.Name, err, v.Fault)
		}
	}
	if valid < 20 || refused < 8 {
		t.Errorf("%d valid vectors, %d refused", valid, refused)
	}
}
