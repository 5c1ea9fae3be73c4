package federation

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/roster"
)

// node is a node's directory with a card in it.
type node struct {
	dir  string
	id   string
	key  *sign.PrivateKey
	keys Keys
}

func newNode(t testing.TB, id string, seed byte) node {
	t.Helper()
	k, err := sign.NewPrivateKey(bytes.Repeat([]byte{seed}, sign.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	transport := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed ^ 0x80}, 32)).Public().(ed25519.PublicKey)
	n := node{dir: t.TempDir(), id: id, key: k, keys: Keys{Sign: k.Public(), Transport: transport}}
	n.writeCard(t, "Member "+id)
	return n
}

func (n node) writeCard(t testing.TB, name string) {
	t.Helper()
	c, err := roster.NewCard(roster.Member{
		ID: n.id, Name: name, Role: roster.State, Sign: n.key.Public().Bytes(), Transport: n.keys.Transport,
		Addresses: []string{"/ip4/192.0.2.1/tcp/7101"},
	}, n.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteCard(n.dir, c); err != nil {
		t.Fatal(err)
	}
}

// draw makes a roster of these nodes, signed by all, and returns its file.
func draw(t testing.TB, name string, nodes ...node) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fed.json")
	var cards []string
	for _, n := range nodes {
		cards = append(cards, filepath.Join(n.dir, CardName))
	}
	if _, err := Create(name, file, cards); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if _, _, err := Sign(n.dir, file, n.key); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// names lists a folder.
func names(t testing.TB, dir string) []string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var ns []string
	for _, e := range es {
		ns = append(ns, e.Name())
	}
	return ns
}
