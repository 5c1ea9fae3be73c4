package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"entente/protocol/vectors"
)

// sample is the message of the vectors, written out in SPEC.md.
type sample struct {
	_     struct{} `codec:",toarray"`
	Count uint64
	Delta int64
	Flag  bool
	Name  string
	Data  []byte
	Names []string
}

func sampleOf(in map[string]string) (s sample, err error) {
	var errs [4]error
	s.Count, errs[0] = strconv.ParseUint(in["count"], 10, 64)
	s.Delta, errs[1] = strconv.ParseInt(in["delta"], 10, 64)
	s.Flag, errs[2] = strconv.ParseBool(in["flag"])
	s.Data, errs[3] = hex.DecodeString(in["data"])
	s.Name, s.Names = in["name"], []string{}
	if in["names"] != "" {
		s.Names = strings.Split(in["names"], ",")
	}
	return s, errors.Join(errs[:]...)
}

func uintOf(t *testing.T, in map[string]string, name string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(in[name], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestVectors(t *testing.T) {
	all, err := vectors.Load("wire")
	if err != nil || len(all) < 30 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	names := map[string]bool{}
	for _, v := range all {
		if names[v.Name] {
			t.Errorf("%s comes twice", v.Name)
		}
		names[v.Name] = true
		t.Run(v.Name, func(t *testing.T) {
			b, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if v.Valid {
				checkValid(t, v.Input, b)
			} else if got := faultOf(t, v.Input, b); got != v.Fault || got == "" {
				t.Errorf("fault %q, want %q", got, v.Fault)
			}
		})
	}
}

func checkValid(t *testing.T, in map[string]string, want []byte) {
	var got []byte
	switch in["as"] {
	case "message":
		s, err := sampleOf(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = Marshal(s); err != nil {
			t.Fatal(err)
		}
		var back sample
		if err := Unmarshal(want, &back); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("reads as %+v, %v", back, err)
		}
	case "frame":
		w := &writes{}
		out := NewConn(stream{nil, w})
		body, err := hex.DecodeString(in["body"])
		if err != nil {
			t.Fatal(err)
		}
		if in["code"] != "" {
			err = out.SendError(Code(uintOf(t, in, "code")))
		} else {
			err = out.SendBytes(Kind(uintOf(t, in, "kind")), body)
		}
		if err != nil {
			t.Fatal(err)
		}
		got = bytes.Join(w.all, nil)
		checkFrame(t, in, body, want)
	case "size class":
		got = binary.BigEndian.AppendUint64(nil, uint64(SizeClass(int(uintOf(t, in, "items")))))
	default:
		t.Fatalf("no such vector: %q", in["as"])
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func checkFrame(t *testing.T, in map[string]string, body, b []byte) {
	k, got, err := reader(b).Receive(anyKind)
	if in["code"] != "" {
		if e, ok := errors.AsType[*PeerError](err); !ok || uint64(e.Code) != uintOf(t, in, "code") {
			t.Errorf("reads as %v", err)
		}
		return
	}
	if err != nil || uint64(k) != uintOf(t, in, "kind") || !bytes.Equal(got, body) {
		t.Errorf("reads as kind %d, %x, %v", k, got, err)
	}
}

// faultOf returns the fault class with which b is refused.
func faultOf(t *testing.T, in map[string]string, b []byte) string {
	var err error
	switch in["as"] {
	case "item":
		err = Scan(b)
	case "message":
		if err = Scan(b); err != nil {
			t.Errorf("refused by the scan already: %v", err)
		}
		err = Unmarshal(b, &sample{})
	case "frame":
		_, err = reader(b).ExpectBytes(Kind(uintOf(t, in, "kind")), uint32(uintOf(t, in, "max")))
		if p, ok := errors.AsType[*ProtocolError](err); ok {
			return p.Code.String()
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return reasonTruncated
		}
		return fmt.Sprint(err)
	}
	f, ok := errors.AsType[fault](err)
	if !ok {
		return fmt.Sprint(err)
	}
	return f.reason
}
