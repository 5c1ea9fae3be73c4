package tags

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"testing"

	"entente/protocol/vectors"
	"entente/protocol/wire"
)

// field reads a field of a vector's input as bytes.
func field(t *testing.T, v vectors.Vector, name string) []byte {
	b, err := hex.DecodeString(v.Input[name])
	if err != nil {
		t.Fatalf("%s: %s: %v", v.Name, name, err)
	}
	return b
}

func TestVectors(t *testing.T) {
	all, err := vectors.Load("tags")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 12 {
		t.Fatalf("only %d vectors", len(all))
	}
	for _, v := range all {
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(v.Input["n"])
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		c := code(t, n)
		var before *Tag
		if b := field(t, v, "before"); len(b) > 0 {
			before = new(Tag(b))
		}
		if !v.Valid {
			count, err := strconv.Atoi(v.Input["count"])
			if err != nil {
				t.Fatalf("%s: %v", v.Name, err)
			}
			_, err = c.DecodeBlock(nil, before, count, want)
			var p *wire.ProtocolError
			if !errors.As(err, &p) || p.Code.String() != v.Fault {
				t.Errorf("%s: %v, want %q", v.Name, err, v.Fault)
			}
			continue
		}
		var list []Tag
		for tag := range slices.Chunk(field(t, v, "tags"), Size) {
			list = append(list, Tag(tag))
		}
		got, err := c.AppendBlock(nil, before, list)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x; %v", v.Name, got, want, err)
		}
		if back, err := c.DecodeBlock(nil, before, len(list), want); err != nil || !slices.Equal(back, list) {
			t.Errorf("%s: %x, %v", v.Name, back, err)
		}
	}
}
