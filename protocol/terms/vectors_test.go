package terms_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"

	"entente/protocol/terms"
	"entente/protocol/vectors"
	"entente/protocol/wire"
)

// decode reads terms as a receiver does: well-formed first, then bounds.
func decode(b []byte) (terms.Terms, string) {
	var t terms.Terms
	if err := wire.Unmarshal(b, &t); err != nil {
		if errors.Is(err, wire.ErrMalformed) {
			return t, "malformed"
		}
		return t, err.Error()
	}
	if t.Validate() != nil {
		return t, "bounds"
	}
	return t, ""
}

func fromInput(t *testing.T, in map[string]string) terms.Terms {
	t.Helper()
	n := func(key string) uint32 {
		v, err := strconv.ParseUint(in[key], 10, 32)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return uint32(v)
	}
	mode := func(key string) terms.Mode {
		m, err := terms.ParseMode(in[key])
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return m
	}
	return terms.Terms{Proposer: mode("proposer"), Responder: mode("responder"), MinItems: n("min_items"),
		RetentionDays: n("retention_days"), EpsilonMilli: n("epsilon_milli"), MinCount: n("min_count")}
}

func TestVectors(t *testing.T) {
	vs, err := vectors.Load("terms")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, v := range vs {
		t.Run(v.Name, func(t *testing.T) {
			b, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			got, fault := decode(b)
			if fault != v.Fault || (fault == "") != v.Valid {
				t.Fatalf("fault %q, want %q", fault, v.Fault)
			}
			seen[fault]++
			if !v.Valid {
				return
			}
			var want terms.Terms
			if v.Input["a"] != "" {
				seen["merge"]++
				want = terms.Merge(fromHex(t, v.Input["a"]), fromHex(t, v.Input["b"]))
			} else {
				want = fromInput(t, v.Input)
			}
			if got != want {
				t.Fatalf("decoded %+v, want %+v", got, want)
			}
			again, err := wire.Marshal(want)
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("encoded %x, %v, want %x", again, err, b)
			}
		})
	}
	for _, class := range []string{"", "malformed", "bounds", "merge"} {
		if seen[class] == 0 {
			t.Errorf("no vector of class %q", class)
		}
	}
}

func fromHex(t *testing.T, s string) terms.Terms {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	got, fault := decode(b)
	if fault != "" {
		t.Fatal(fault)
	}
	return got
}

func FuzzTerms(f *testing.F) {
	b, err := wire.Marshal(terms.Widest(terms.IDs, terms.Count))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0x86, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, fault := decode(b)
		if fault != "" {
			return
		}
		again, err := wire.Marshal(got)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
		if !got.Within(terms.Widest(terms.IDs, terms.IDs)) || !terms.Merge(got, got).Within(got) {
			t.Fatalf("%+v breaks the order", got)
		}
	})
}
