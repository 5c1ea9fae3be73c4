package entry

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/vectors"
	"entente/protocol/wire"
)

// faults says by which words of the error a vector's fault class is recognised. Malformed
// is what protocol/wire refuses; a body may be that too.
var faults = map[string]string{
	"malformed": "", "version": "version", "length": "bytes", "chain": "unknown chain", "member": "member id",
	"time": "time is", "number": "number is", "kind": "does not belong", "body": "body", "roster": "another roster",
	"gap": "restored: ", "label": "label may",
}

func TestVectors(t *testing.T) {
	vs, err := vectors.Load("entry")
	if err != nil {
		t.Fatal(err)
	}
	if len(vs) < 20 {
		t.Fatalf("only %d vectors", len(vs))
	}
	byName := map[string][]byte{}
	for _, v := range vs {
		t.Run(v.Name, func(t *testing.T) {
			b, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			byName[v.Name] = b
			if !v.Valid {
				want, known := faults[v.Fault]
				err := decodeVector(v.Input["what"], b)
				if !known || err == nil || !strings.Contains(err.Error(), want) || (want == "") != errors.Is(err, wire.ErrMalformed) && v.Fault != "body" {
					t.Errorf("%v, want a fault of class %s", err, v.Fault)
				}
				return
			}
			compute(t, v, b, byName)
			if err := decodeVector(v.Input["what"], b); err != nil {
				t.Errorf("does not decode: %v", err)
			}
		})
	}
}

// compute makes a valid vector's bytes from its input again.
func compute(t *testing.T, v vectors.Vector, want []byte, byName map[string][]byte) {
	t.Helper()
	var got []byte
	switch v.Input["what"] {
	case "entry":
		got = body(t, entryOf(t, v.Input))
	case "entry digest":
		d := Signed{Entry: byName[v.Input["of"]]}.Digest()
		got = d[:]
	case "opening":
		got = body(t, openingOf(t, v.Input))
	case "sealed digest":
		o, err := UnmarshalOpening(byName[v.Input["of"]])
		if err != nil {
			t.Fatal(err)
		}
		d := o.Digest()
		got = d[:]
	case "signed entry":
		s, err := Unmarshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got = mustSigned(t, Signed{Entry: byName[v.Input["of"]], Signature: s.Signature})
		if k, err := sign.NewPrivateKey(unhex(t, v.Input["sign_seed"])); err != nil || k.Public().Verify(entryDomain, s.Entry, s.Signature) != nil {
			t.Errorf("the signature does not verify: %v", err)
		}
	case "log header":
		got = LogHeader(chainOf(v.Input["chain"]))
	default:
		t.Fatalf("nothing computes %q", v.Input["what"])
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %x", got)
	}
}

// decodeVector decodes as a receiver would. Digests and headers are only compared.
func decodeVector(what string, b []byte) error {
	switch what {
	case "entry":
		_, err := Signed{Entry: b}.Decode()
		return err
	case "opening":
		_, err := UnmarshalOpening(b)
		return err
	case "signed entry":
		_, err := Unmarshal(b)
		return err
	}
	return nil
}

func entryOf(t *testing.T, in map[string]string) Entry {
	t.Helper()
	sequence, err := strconv.ParseUint(in["sequence"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	milli, err := strconv.ParseInt(in["time"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	kind, err := strconv.ParseUint(in["kind"], 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return Entry{
		Version: Version, Federation: unhex(t, in["federation"]), Chain: chainOf(in["chain"]), Member: in["member"],
		Sequence: sequence, Previous: unhex(t, in["previous"]), Time: milli, Kind: Kind(kind), Body: unhex(t, in["body"]),
	}
}

func openingOf(t *testing.T, in map[string]string) Opening {
	t.Helper()
	return Opening{Label: in["label"], Nonce: unhex(t, in["nonce"]), Body: unhex(t, in["body"])}
}

func chainOf(name string) Chain {
	if name == Local.String() {
		return Local
	}
	return Submitted
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example chain of the vectors is one chain: it must verify as a whole.
func TestVectorChain(t *testing.T) {
	vs, err := vectors.Load("entry")
	if err != nil {
		t.Fatal(err)
	}
	var ss []Signed
	for _, v := range vs {
		if v.Valid && v.Input["what"] == "entry" && v.Input["chain"] == "submitted" {
			var e Entry
			b, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if err := wire.Unmarshal(b, &e); err != nil {
				t.Fatal(err)
			}
			ss = append(ss, resign(t, e))
		}
	}
	k, err := check(t, Submitted, ss)
	if err != nil || len(ss) != 10 || len(k.Gaps()) != 1 {
		t.Errorf("%d entries, gaps %+v, %v", len(ss), k.Gaps(), err)
	}
}
