package keys

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"entente/crypto/seal"
)

// Sizes of what unlocks the keys, in bytes.
const (
	unlockSize    = seal.KeySize
	saltSize      = 16
	minPassphrase = 12 // Argon2id slows guesses; it cannot save a short word
)

// defaultUnlock is the key file that is used unless another is chosen.
const defaultUnlock = "unlock"

// saltFile holds the salt of a passphrase, in the folder of the keys.
const saltFile = "salt"

// credentials is the variable in which systemd names the folder of a service's credentials.
const credentials = "CREDENTIALS_DIRECTORY"

type source uint8

const (
	fromDefault source = iota
	fromKeyFile
	fromPassphrase
	fromCredential
)

// Unlock says where the key that opens the other keys comes from. The zero value is
// the key file DIR/keys/unlock.
type Unlock struct {
	source source
	name   string
}

// KeyFile unlocks with the 32 bytes in a file. Create makes it if it is not there.
// Whoever has this file and the node's directory has the node.
func KeyFile(path string) Unlock { return Unlock{fromKeyFile, path} }

// PassphraseFile unlocks with the passphrase in a file, of at least 12 bytes; a line
// end after it does not count. Keep the file on a medium that is not always there.
func PassphraseFile(path string) Unlock { return Unlock{fromPassphrase, path} }

// Credential unlocks with the passphrase that systemd passes under a name
// (LoadCredential, LoadCredentialEncrypted), which can bind it to the machine's TPM.
func Credential(name string) Unlock { return Unlock{fromCredential, name} }

// ParseUnlock reads the configuration's words: "key-file", "passphrase-file" or
// "credential", and the path or name. An empty method is the default key file.
func ParseUnlock(method, value string) (Unlock, error) {
	if (method == "") != (value == "") {
		return Unlock{}, errors.New("unlock: a method needs a path or name, and the other way round")
	}
	switch method {
	case "":
		return Unlock{}, nil
	case "key-file":
		return KeyFile(value), nil
	case "passphrase-file":
		return PassphraseFile(value), nil
	case "credential":
		if value != filepath.Base(value) || value == "." || value == ".." {
			return Unlock{}, errors.New("unlock: a credential has a name, not a path")
		}
		return Credential(value), nil
	}
	return Unlock{}, errors.New(`unlock: the method must be "key-file", "passphrase-file" or "credential"`)
}

// Warnings says in plain words what about this choice an operator of a working node
// should change. dir is the node's directory.
func (u Unlock) Warnings(dir string) []string {
	path := u.path(dir)
	if u.source == fromCredential || !inside(dir, path) {
		return nil
	}
	return []string{"what unlocks the keys lies in the node's own directory: whoever copies the directory, " +
		"or a backup of it, has all keys; keep it elsewhere (settings keys.unlock and keys.unlock_from)"}
}

// path is the file that unlocks; relative paths start at the node's directory.
func (u Unlock) path(dir string) string {
	switch {
	case u.source == fromDefault:
		return filepath.Join(dir, Folder, defaultUnlock)
	case filepath.IsAbs(u.name):
		return u.name
	}
	return filepath.Join(dir, u.name)
}

func inside(dir, path string) bool {
	d, err1 := filepath.Abs(dir)
	p, err2 := filepath.Abs(path)
	rel, err3 := filepath.Rel(d, p)
	return errors.Join(err1, err2, err3) == nil && filepath.IsLocal(rel)
}

// create returns the key for new keys, and makes what has to be there for open.
func (u Unlock) create(root *os.Root, dir string) (seal.Key, error) {
	switch u.source {
	case fromDefault, fromKeyFile:
		if err := u.makeKeyFile(dir); err != nil {
			return seal.Key{}, fmt.Errorf("make unlock key: %w", err)
		}
	case fromPassphrase, fromCredential:
		salt := make([]byte, saltSize)
		rand.Read(salt) // never fails
		if err := writeSecret(root, saltFile, salt); err != nil {
			return seal.Key{}, fmt.Errorf("write salt: %w", err)
		}
	}
	return u.open(root, dir)
}

// makeKeyFile writes a new key unless there is one.
func (u Unlock) makeKeyFile(dir string) error {
	path := u.path(dir)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = writeSecret(root, filepath.Base(path), seal.NewKey().Bytes())
	return errors.Join(err, root.Close())
}

// open returns the key that the others are sealed under.
func (u Unlock) open(root *os.Root, dir string) (seal.Key, error) {
	secret, err := u.secret(dir)
	if err != nil {
		return seal.Key{}, fmt.Errorf("what unlocks the keys: %w", err)
	}
	if u.source == fromDefault || u.source == fromKeyFile {
		if len(secret) != unlockSize {
			return seal.Key{}, fmt.Errorf("%w: the key file has %d bytes, not %d", ErrUnlock, len(secret), unlockSize)
		}
		key, err := seal.ParseKey(secret)
		if err != nil {
			return seal.Key{}, fmt.Errorf("%w: %w", ErrUnlock, err)
		}
		return key.Derive("entente/keys/unlock/1"), nil
	}
	salt, err := readSecret(root, saltFile)
	if err != nil {
		return seal.Key{}, fmt.Errorf("salt: %w", err)
	}
	passphrase := bytes.TrimRight(secret, "\r\n")
	if len(passphrase) < minPassphrase {
		return seal.Key{}, fmt.Errorf("the passphrase has %d bytes, at least %d are needed", len(passphrase), minPassphrase)
	}
	if len(salt) != saltSize {
		return seal.Key{}, fmt.Errorf("%w: the salt has %d bytes, not %d", ErrUnlock, len(salt), saltSize)
	}
	return seal.FromPassphrase(passphrase, salt).Derive("entente/keys/unlock/1"), nil
}

// secret reads the file or credential.
func (u Unlock) secret(dir string) ([]byte, error) {
	if u.source != fromCredential {
		return readPath(u.path(dir), ownerOnly)
	}
	folder := os.Getenv(credentials)
	if folder == "" {
		return nil, fmt.Errorf("%w: systemd passed no credentials to this process (%s is not set)", ErrMissing, credentials)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, missing(err)
	}
	f, err := root.Open(u.name)
	if err != nil {
		return nil, errors.Join(missing(err), root.Close())
	}
	b, err := readFile(f, notWorldReadable) // systemd may show an access list as group rights
	return b, errors.Join(err, root.Close())
}
