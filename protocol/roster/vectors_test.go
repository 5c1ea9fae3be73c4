package roster

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/vectors"
)

// faults says by which words of the error a vector's fault class is recognised.
var faults = map[string]string{
	"id": "member id", "address": "", "name": "name", "format": ErrFormat.Error(),
	"members": "members, must have", "not a member": "is not a member", "order": "out of order",
	"overlap": "of one only", "out of reach": "at most 1 can be met", "too few": "too few",
}

func TestVectors(t *testing.T) {
	vs, err := vectors.Load("roster")
	if err != nil {
		t.Fatal(err)
	}
	if len(vs) < 20 {
		t.Fatalf("only %d vectors", len(vs))
	}
	members := map[string]Member{}
	var r Roster
	for _, v := range vs {
		t.Run(v.Name, func(t *testing.T) {
			b, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !v.Valid {
				refused(t, v, b)
				return
			}
			switch v.Input["what"] {
			case "member":
				m := memberOf(t, v.Input)
				members[v.Name] = m
				got, err := m.canonical()
				same(t, got, b, err)
			case "member digest":
				m := members[v.Input["of"]]
				d, err := m.Digest()
				same(t, d[:], b, err)
				spoken(t, d, v.Input["words"])
			case "roster":
				r = rosterOf(t, v.Input, members)
				got, err := r.canonical()
				same(t, got, b, err)
			case "roster digest":
				d := r.Digest()
				same(t, d[:], b, nil)
				spoken(t, d, v.Input["words"])
			case "roster signature":
				m, _ := r.Find(v.Input["member"])
				c, err := r.canonical()
				if err != nil {
					t.Fatal(err)
				}
				k, err := m.PublicKey()
				if err != nil || k.Verify(r.form().domain, c, b) != nil {
					t.Errorf("the signature does not verify: %v", err)
				}
			case "address", "id", "name":
				if err := leaf(v.Input["what"], string(b)); err != nil {
					t.Error(err)
				}
			default:
				t.Errorf("nothing checks %q", v.Input["what"])
			}
		})
	}
}

func refused(t *testing.T, v vectors.Vector, b []byte) {
	t.Helper()
	want, known := faults[v.Fault]
	if !known {
		t.Fatalf("unknown fault class %q", v.Fault)
	}
	var err error
	switch v.Input["what"] {
	case "card file":
		_, err = ParseCard(b)
	case "roster file":
		_, err = Parse(b)
	case "signature file":
		_, err = ParseSignature(b)
	default:
		err = leaf(v.Input["what"], string(b))
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want a fault of class %s", err, v.Fault)
	}
}

func leaf(what, s string) error {
	switch what {
	case "address":
		return CheckAddress(s)
	case "id":
		return CheckID(s)
	}
	return checkName(s)
}

func memberOf(t *testing.T, in map[string]string) Member {
	t.Helper()
	k, err := sign.NewPrivateKey(unhex(t, in["sign_seed"]))
	if err != nil {
		t.Fatal(err)
	}
	transport := ed25519.NewKeyFromSeed(unhex(t, in["transport_seed"])).Public().(ed25519.PublicKey)
	return Member{ID: in["id"], Name: in["name"], Role: Role(in["role"]), Sign: k.Public().Bytes(), Transport: transport, Addresses: strings.Fields(in["addresses"])}
}

func rosterOf(t *testing.T, in map[string]string, members map[string]Member) Roster {
	t.Helper()
	version, err := strconv.ParseUint(in["version"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r := Roster{Version: version, Name: in["name"]}
	for _, name := range strings.Fields(in["members"]) {
		r.Members = append(r.Members, members[name])
	}
	if in["sequencers"] != "" {
		r.Sequencers = strings.Fields(in["sequencers"])
		for _, b := range strings.Fields(in["blocs"]) {
			name, list, _ := strings.Cut(b, "=")
			r.Spread.Blocs = append(r.Spread.Blocs, Bloc{Name: name, Members: strings.Split(list, ",")})
		}
		wanted, err := strconv.ParseUint(in["blocs_wanted"], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		r.Spread.Wanted = uint16(wanted)
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return r
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(t *testing.T, got, want []byte, err error) {
	t.Helper()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v", got, err)
	}
}

func spoken(t *testing.T, digest [32]byte, want string) {
	t.Helper()
	if got := Words(digest); got != want {
		t.Errorf("words are %q", got)
	}
}
