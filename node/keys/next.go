package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"entente/crypto/sign"
)

// Keys that are to take the place of identity and transport lie beside them under names of
// their own until Promote. The order in which files come and go makes every crash harmless:
// the identity is written last, so with it both are there; and it is renamed last, so that an
// identity alone is a promotion that was interrupted.
const (
	nextIdentity  = string(roleIdentity) + ".next"
	nextTransport = string(roleTransport) + ".next"
)

// MakeNext makes the keys that are to take the place of k's identity and transport key, or
// returns those that were made before.
func MakeNext(dir string, u Unlock, k Keys) (Keys, error) {
	next, there, err := OpenNext(dir, u, k)
	if err != nil || there {
		return next, err
	}
	next, err = makeNext(dir, u, k)
	if err != nil {
		return Keys{}, fmt.Errorf("make new keys: %w", err)
	}
	return next, nil
}

func makeNext(dir string, u Unlock, k Keys) (Keys, error) {
	root, err := os.OpenRoot(filepath.Join(dir, Folder))
	if err != nil {
		return Keys{}, err
	}
	defer func() { _ = root.Close() }() // a handle of a folder
	key, err := u.open(root, dir)
	if err != nil {
		return Keys{}, err
	}
	identity, err := sign.Generate()
	if err != nil {
		return Keys{}, err
	}
	_, transport, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Keys{}, err
	}
	if err := writeSecret(root, nextTransport, encode(key, roleTransport, transport.Seed())); err != nil {
		return Keys{}, fmt.Errorf("write transport key: %w", err)
	}
	if err := writeSecret(root, nextIdentity, encode(key, roleIdentity, identity.Seed())); err != nil {
		return Keys{}, fmt.Errorf("write identity key: %w", err)
	}
	return newKeys(identity, transport, k.Store()), nil
}

// OpenNext reads the keys that are to take the place of k's, if there are any.
func OpenNext(dir string, u Unlock, k Keys) (next Keys, there bool, err error) {
	if next, there, err = openNext(dir, u, k); err != nil {
		return Keys{}, false, fmt.Errorf("open new keys: %w", err)
	}
	return next, there, nil
}

func openNext(dir string, u Unlock, k Keys) (Keys, bool, error) {
	root, err := os.OpenRoot(filepath.Join(dir, Folder))
	if err != nil {
		return Keys{}, false, missing(err)
	}
	defer func() { _ = root.Close() }() // a handle of a folder
	if _, err := root.Lstat(nextIdentity); errors.Is(err, fs.ErrNotExist) {
		return Keys{}, false, nil
	}
	key, err := u.open(root, dir)
	if err != nil {
		return Keys{}, false, err
	}
	identity, err := readIdentity(root, nextIdentity, key)
	if err != nil {
		return Keys{}, false, err
	}
	transport, err := readTransport(root, nextTransport, key)
	if err != nil {
		return Keys{}, false, err
	}
	return newKeys(identity, transport, k.Store()), true, nil
}

// Promote puts the next keys in place of the present ones, which are gone then. It may be
// called again after a crash at any point.
func Promote(dir string) error {
	root, err := os.OpenRoot(filepath.Join(dir, Folder))
	if err != nil {
		return fmt.Errorf("put new keys in place: %w", missing(err))
	}
	defer func() { _ = root.Close() }() // a handle of a folder
	if _, err := root.Lstat(nextIdentity); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := rename(root, nextTransport, string(roleTransport)); err != nil {
		return fmt.Errorf("put new keys in place: %w", err)
	}
	if err := rename(root, nextIdentity, string(roleIdentity)); err != nil {
		return fmt.Errorf("put new keys in place: %w", err)
	}
	return nil
}

// finish completes a promotion that was interrupted between its two steps.
func finish(root *os.Root) error {
	_, identity := root.Lstat(nextIdentity)
	_, transport := root.Lstat(nextTransport)
	if identity == nil && errors.Is(transport, fs.ErrNotExist) {
		return rename(root, nextIdentity, string(roleIdentity))
	}
	return nil
}

// rename puts a file in place of another, durably. The file may have been moved before.
func rename(root *os.Root, from, to string) error {
	if err := root.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(root)
}
