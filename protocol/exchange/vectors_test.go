package exchange

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/vectors"
	"entente/protocol/wire"
)

var noon = time.Unix(1_795_000_000, 0)

// example is the checkpoint of the examples, with the signature of M01 in a role.
func example(t testing.TB, role checkpoint.Role) checkpoint.Signed {
	t.Helper()
	key, err := sign.NewCosigningKey(bytes.Repeat([]byte{1}, sign.CosigningSeedSize))
	if err != nil {
		t.Fatal(err)
	}
	c := checkpoint.Checkpoint{Origin: checkpoint.Origin{Federation: [32]byte{1}, Term: 1}, Size: 3, Root: checkpoint.Hash{2}}
	return checkpoint.Signed{Text: c.Text(), Signatures: []checkpoint.Signature{checkpoint.Sign(c, "M01", role, key, noon)}}
}

// messages are an example of each message.
func messages(t testing.TB) map[string]any {
	signed, term := example(t, checkpoint.Sequencer), checkpoint.Origin{Federation: [32]byte{1}, Term: 1}.String()
	return map[string]any{
		"status":         &Status{Size: 5, Final: signed.Text, Term: term},
		"status-nothing": &Status{Final: []byte{}, Term: term},
		"range":          &Range{From: 3, Until: 5},
		"entries":        &Entries{Entries: [][]byte{[]byte("entry 3"), []byte("entry 4")}},
		"position":       &Position{Size: 3},
		"taken":          &Taken{Count: 2, Leader: "M00"},
		"vote-not-yet":   &Vote{Size: 2, Checkpoint: []byte{}, Signatures: []checkpoint.Signature{}},
	}
}

func TestVectors(t *testing.T) {
	all, err := vectors.Load("exchange")
	if err != nil || len(all) < 10 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	made := messages(t)
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			want, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !v.Valid {
				if err := into(v.Input["message"], want); err == nil || !strings.Contains(err.Error(), v.Fault) {
					t.Errorf("%v, want a fault of class %s", err, v.Fault)
				}
				return
			}
			if got, err := wire.Marshal(made[v.Name]); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %x, %v, want %x", got, err, want)
			}
			if err := into(v.Input["message"], want); err != nil {
				t.Error(err)
			}
			delete(made, v.Name)
		})
	}
	for name := range made {
		t.Errorf("there is no vector for %s", name)
	}
}

// into decodes and checks a message by the name of its form.
func into(form string, b []byte) error {
	switch form {
	case "status":
		return take(b, &Status{})
	case "range":
		return take(b, &Range{})
	case "entries":
		return take(b, &Entries{})
	case "position":
		return wire.Unmarshal(b, &Position{})
	case "taken":
		return wire.Unmarshal(b, &Taken{})
	case "vote":
		return take(b, &Vote{})
	}
	return take(b, &Offer{})
}

func take(b []byte, v interface{ Validate() error }) error {
	if err := wire.Unmarshal(b, v); err != nil {
		return err
	}
	return v.Validate()
}
