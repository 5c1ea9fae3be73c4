package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
)

// known is the key 00 01 02 … 1f.
func known(t *testing.T) Key {
	t.Helper()
	var b [KeySize]byte
	for i := range b {
		b[i] = byte(i)
	}
	k, err := ParseKey(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealAndOpen(t *testing.T) {
	k := NewKey()
	for _, size := range []int{0, 1, 15, 16, 17, 63, 64, 65, 4096, 1 << 20} {
		for _, associated := range [][]byte{nil, {}, []byte("records|7|value")} {
			plain := bytes.Repeat([]byte{0x5a}, size)
			sealed := k.Seal(plain, associated)
			if len(sealed) != size+Overhead {
				t.Errorf("%d bytes seal to %d", size, len(sealed))
			}
			got, err := k.Open(sealed, associated)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes do not come back: %v", size, err)
			}
			if again := k.Seal(plain, associated); bytes.Equal(again, sealed) {
				t.Error("a nonce came twice")
			}
		}
	}
}

func TestEveryAlteredByteIsNoticed(t *testing.T) {
	k, associated := NewKey(), []byte("table|1")
	sealed := k.Seal([]byte("plaintext"), associated)
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.Open(bad, associated); !errors.Is(err, ErrOpen) {
			t.Errorf("byte %d altered: %v", i, err)
		}
		if _, err := k.Open(sealed[:i], associated); !errors.Is(err, ErrOpen) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
	for name, err := range map[string]error{
		"longer":      second(k.Open(append(bytes.Clone(sealed), 0), associated)),
		"other place": second(k.Open(sealed, []byte("table|2"))),
		"no place":    second(k.Open(sealed, nil)),
		"other key":   second(NewKey().Open(sealed, associated)),
		"sibling key": second(k.Derive("a").Open(k.Derive("b").Seal(nil, nil), nil)),
		"nothing":     second(k.Open(nil, nil)),
	} {
		if !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ []byte, err error) error { return err }

// TestPublishedVector is the AEAD example of draft-irtf-cfrg-xchacha-03, appendix A.3.1.
func TestPublishedVector(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	k, err := ParseKey(unhex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := unhex("404142434445464748494a4b4c4d4e4f5051525354555657" +
		"bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39" +
		"ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9" +
		"21f9664c97637da9768812f615c68b13b52e" + "c0875924c1c7987947deafd8780acf49")
	got, err := k.Open(sealed, unhex("50515253c0c1c2c3c4c5c6c7"))
	if err != nil || !strings.HasPrefix(string(got), "Ladies and Gentlemen of the class of '99") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDeriveFollowsRFC5869(t *testing.T) {
	k := known(t)
	// Extract with a salt of zeros, then one step of expand: 32 bytes are one hash.
	mac := func(key []byte, parts ...[]byte) []byte {
		m := hmac.New(sha256.New, key)
		m.Write(bytes.Join(parts, nil))
		return m.Sum(nil)
	}
	want := mac(mac(make([]byte, sha256.Size), k.Bytes()), []byte("entente/store/1"), []byte{1})
	if got := k.Derive("entente/store/1"); !bytes.Equal(got.Bytes(), want) {
		t.Errorf("derived key is wrong")
	}
	if k.Derive("a").Equal(k.Derive("b")) || k.Derive("a").Equal(k) || !k.Derive("a").Equal(k.Derive("a")) {
		t.Error("derived keys coincide or change")
	}
}

func TestFromPassphrase(t *testing.T) {
	salt := []byte("0123456789abcdef")
	k := FromPassphrase([]byte("words that nobody guesses"), salt)
	want := argon2.IDKey([]byte("words that nobody guesses"), salt, 3, 65536, 4, 32)
	if !bytes.Equal(k.Bytes(), want) {
		t.Error("parameters are not the stated ones")
	}
	if k.Equal(FromPassphrase([]byte("words that nobody guesses"), []byte("0123456789abcdeg"))) ||
		k.Equal(FromPassphrase([]byte("words that somebody guesses"), salt)) {
		t.Error("another salt or passphrase gives the same key")
	}
}

func TestMAC(t *testing.T) {
	k := known(t)
	m := hmac.New(sha256.New, k.Bytes())
	for _, p := range []string{"entente/lookup/1", "phone", ""} {
		m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		m.Write([]byte(p))
	}
	if got := k.MAC("entente/lookup/1", []byte("phone"), nil); !bytes.Equal(got[:], m.Sum(nil)) {
		t.Errorf("got %x", got)
	}
	seen := map[[32]byte]bool{}
	for _, d := range [][32]byte{
		k.MAC("l"), k.MAC("l", nil), k.MAC("l", nil, nil), k.MAC("l", []byte("ab")), k.MAC("l", []byte("a"), []byte("b")),
		k.MAC("la", []byte("b")), k.MAC("", []byte("lab")), NewKey().MAC("l"), k.MAC("l", []byte("b"), []byte("a")),
	} {
		if seen[d] {
			t.Errorf("%x comes twice", d)
		}
		seen[d] = true
	}
}

func TestParseKey(t *testing.T) {
	for _, b := range [][]byte{nil, {}, make([]byte, KeySize-1), make([]byte, KeySize+1), make([]byte, KeySize)} {
		if _, err := ParseKey(b); err == nil {
			t.Errorf("%d bytes are a key", len(b))
		}
	}
	k := NewKey()
	b := k.Bytes()
	again, err := ParseKey(b)
	if err != nil || !again.Equal(k) || k.Equal(NewKey()) {
		t.Errorf("a key does not come back: %v", err)
	}
	clear(b)
	if bytes.Equal(again.Bytes(), b) || bytes.Equal(k.Bytes(), b) {
		t.Error("a key changes with its bytes")
	}
}

func TestZeroKeyDoesNothing(t *testing.T) {
	var k Key
	for name, use := range map[string]func(){
		"seal": func() { k.Seal(nil, nil) }, "derive": func() { k.Derive("a") }, "mac": func() { k.MAC("a") },
		"bytes": func() { k.Bytes() }, "open": func() { _, _ = k.Open(make([]byte, Overhead), nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s works without a key", name)
				}
			}()
			use()
		}()
	}
}

func TestKeyPrintsNothing(t *testing.T) {
	k := known(t)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", k, "pointer", &k)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k, "inside", struct{ K Key }{k})
	out, err := json.Marshal(map[string]any{"key": k, "inside": struct{ K Key }{k}})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(out) + k.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		all += fmt.Sprintf(verb+verb+verb, k, &k, struct{ K Key }{k})
	}
	for _, secret := range []string{"000102", "0 1 2 3", "0x1, 0x2", "AAECAw", "\x01\x02\x03"} {
		if strings.Contains(all, secret) {
			t.Errorf("the key shows as %q", secret)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := NewKey()
	f.Add(k.Seal([]byte("plaintext"), nil))
	f.Add(make([]byte, Overhead))
	f.Fuzz(func(t *testing.T, b []byte) {
		// The key is fresh in each process: nothing but a forgery opens.
		if _, err := k.Derive("fuzz").Open(b, nil); !errors.Is(err, ErrOpen) {
			t.Errorf("%d bytes open: %v", len(b), err)
		}
	})
}
