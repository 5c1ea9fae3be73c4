// Package keys keeps a node's secret keys: one type and one file for each role.
//
//	DIR/keys/identity   signs offers, receipts, entries and the roster (crypto/sign)
//	DIR/keys/transport  proves to partners who is on the channel (Ed25519)
//	DIR/keys/store      seals what the node keeps (crypto/seal)
//	DIR/keys/salt       makes a passphrase into a key; absent otherwise
//	DIR/keys/….next     identity and transport that are to take the others' place; see Promote
//
// Each file is one line of text that names its role, then the key, sealed with
// XChaCha20-Poly1305 (crypto/seal) for that role and file version. The key that
// unseals them comes from outside the folder: a key file, a file that holds a
// passphrase (Argon2id), or a credential that systemd hands to the service. The
// default puts the key file beside the keys: simple, and no protection against
// whoever copies the whole directory; Unlock.Warnings says so.
//
// It promises: keys print nothing of themselves under any verb or encoder; files that
// group or others may read are refused; a file that was altered, exchanged with
// another role's, or does not fit the unlock key is a named error. It does not protect
// keys in memory from whoever may read the memory of the process.
package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"entente/crypto/seal"
	"entente/crypto/sign"
)

// Folder is where the keys lie in the node's directory.
const Folder = "keys"

// Errors that callers tell apart.
var (
	// ErrExists says that the directory has keys already; they are never overwritten.
	ErrExists = errors.New("there are keys already")
	// ErrMissing says that a key, or what unlocks it, is not there.
	ErrMissing = errors.New("not there")
	// ErrUnlock says that the unlock key or passphrase does not fit, or a key file was altered.
	ErrUnlock = errors.New("the unlock key does not fit, or a key file was altered")
	// ErrReadable says that group or others may read a secret file.
	ErrReadable = errors.New("group or others may read this file: allow its owner alone (chmod 600)")
)

const redacted = "[secret keys]"

// Keys are the secret keys of a node. They print nothing of themselves: package fmt
// looks into unexported fields without asking their methods, also through a pointer
// if the verb is wrong, but not into a function.
type Keys struct{ ring func() ring }

type ring struct {
	identity  *sign.PrivateKey
	transport Transport
	store     seal.Key
}

// Identity is the key that signs for the member.
func (k Keys) Identity() *sign.PrivateKey { return k.ring().identity }

// Transport is the key that stands for the member on channels.
func (k Keys) Transport() Transport { return k.ring().transport }

// Store is the key that the node's store is sealed under.
func (k Keys) Store() seal.Key { return k.ring().store }

// String hides the keys.
func (Keys) String() string { return redacted }

// Format hides the keys from every verb.
func (Keys) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue hides the keys from logs.
func (Keys) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the keys from encoders.
func (Keys) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Transport is the private key of channels. It prints nothing of itself.
type Transport struct{ key func() ed25519.PrivateKey }

// Private returns the key for the transport's use.
func (t Transport) Private() ed25519.PrivateKey { return t.key() }

// Public returns the key that stands in the roster.
func (t Transport) Public() ed25519.PublicKey { return t.key().Public().(ed25519.PublicKey) }

// String hides the key.
func (Transport) String() string { return redacted }

// Format hides the key from every verb.
func (Transport) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue hides the key from logs.
func (Transport) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key from encoders.
func (Transport) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// role names a key in its file, so that one cannot pass for another.
type role string

const (
	roleIdentity  role = "identity"
	roleTransport role = "transport"
	roleStore     role = "store"
)

// Create makes new keys for the node in dir and seals them under what u gives. A key
// file that u names is made if it is not there. errors.Is ErrExists.
func Create(dir string, u Unlock) (Keys, error) {
	identity, err := sign.Generate()
	if err != nil {
		return Keys{}, fmt.Errorf("create keys: %w", err)
	}
	_, transport, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Keys{}, fmt.Errorf("create keys: %w", err)
	}
	k := newKeys(identity, transport, seal.NewKey())
	if err := k.write(dir, u); err != nil {
		return Keys{}, fmt.Errorf("create keys: %w", err)
	}
	return k, nil
}

func newKeys(identity *sign.PrivateKey, transport ed25519.PrivateKey, store seal.Key) Keys {
	r := ring{identity: identity, transport: Transport{func() ed25519.PrivateKey { return transport }}, store: store}
	return Keys{func() ring { return r }}
}

// write puts the files in place; the identity comes last, and with it the keys count
// as created.
func (k Keys) write(dir string, u Unlock) error {
	folder := filepath.Join(dir, Folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // read-only handle of a folder
	if _, err := root.Lstat(string(roleIdentity)); err == nil {
		return ErrExists
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := u.create(root, dir)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		role   role
		secret []byte
	}{
		{roleStore, k.Store().Bytes()}, {roleTransport, k.Transport().Private().Seed()}, {roleIdentity, k.Identity().Seed()},
	} {
		if err := writeSecret(root, string(f.role), encode(key, f.role, f.secret)); err != nil {
			return fmt.Errorf("write %s key: %w", f.role, err)
		}
	}
	return nil
}

// Open reads the keys of the node in dir. errors.Is ErrMissing, ErrUnlock, ErrReadable.
func Open(dir string, u Unlock) (Keys, error) {
	k, err := read(dir, u)
	if err != nil {
		return Keys{}, fmt.Errorf("open keys: %w", err)
	}
	return k, nil
}

func read(dir string, u Unlock) (Keys, error) {
	root, err := os.OpenRoot(filepath.Join(dir, Folder))
	if err != nil {
		return Keys{}, missing(err)
	}
	defer func() { _ = root.Close() }() // read-only handle of a folder
	key, err := u.open(root, dir)
	if err != nil {
		return Keys{}, err
	}
	if err := finish(root); err != nil {
		return Keys{}, err
	}
	identity, err := readIdentity(root, string(roleIdentity), key)
	if err != nil {
		return Keys{}, err
	}
	transport, err := readTransport(root, string(roleTransport), key)
	if err != nil {
		return Keys{}, err
	}
	secret, err := readRole(root, string(roleStore), roleStore, key)
	if err != nil {
		return Keys{}, err
	}
	store, err := seal.ParseKey(secret)
	if err != nil {
		return Keys{}, fmt.Errorf("store key: %w", err)
	}
	return newKeys(identity, transport, store), nil
}

func readRole(root *os.Root, name string, r role, key seal.Key) ([]byte, error) {
	b, err := readSecret(root, name)
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", r, err)
	}
	secret, err := decode(key, r, b)
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", r, err)
	}
	return secret, nil
}

func readIdentity(root *os.Root, name string, key seal.Key) (*sign.PrivateKey, error) {
	secret, err := readRole(root, name, roleIdentity, key)
	if err != nil {
		return nil, err
	}
	identity, err := sign.NewPrivateKey(secret)
	if err != nil {
		return nil, fmt.Errorf("identity key: %w", err)
	}
	return identity, nil
}

func readTransport(root *os.Root, name string, key seal.Key) (ed25519.PrivateKey, error) {
	secret, err := readRole(root, name, roleTransport, key)
	if err != nil {
		return nil, err
	}
	if len(secret) != ed25519.SeedSize {
		return nil, fmt.Errorf("transport key: has %d bytes, not %d", len(secret), ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(secret), nil
}
