package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"entente/crypto/seal"
)

// maxFile bounds every file that this package reads, in bytes: the largest key file
// has under 200, a passphrase is a line.
const maxFile = 4096

// header is the first line of a key file: what it is, for people and for the parser.
func header(r role) string { return "entente sealed key 1 " + string(r) + "\n" }

// encode seals a key for its file. The header is what the sealing is bound to.
func encode(key seal.Key, r role, secret []byte) []byte {
	h := header(r)
	return append([]byte(h), key.Seal(secret, []byte(h))...)
}

// decode opens a key file strictly.
func decode(key seal.Key, r role, b []byte) ([]byte, error) {
	h := header(r)
	sealed, ok := bytes.CutPrefix(b, []byte(h))
	if !ok {
		return nil, fmt.Errorf("%w: it is no file of this role", ErrUnlock)
	}
	secret, err := key.Open(sealed, []byte(h))
	if err != nil {
		return nil, ErrUnlock
	}
	return secret, nil
}

// writeSecret puts a new file in place, durably; an existing one is replaced whole.
func writeSecret(root *os.Root, name string, content []byte) error {
	f, err := root.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := root.Rename(name+".new", name); err != nil {
		return err
	}
	return syncFolder(root)
}

// readSecret reads a file that only its owner may read.
func readSecret(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, missing(err)
	}
	return readFile(f, ownerOnly)
}

// readPath is readSecret for a file that the operator keeps elsewhere.
func readPath(path string, check func(fs.FileInfo) error) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, missing(err)
	}
	return readFile(f, check)
}

func readFile(f *os.File, check func(fs.FileInfo) error) ([]byte, error) {
	b, err := func() ([]byte, error) {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, errors.New("it is no regular file")
		}
		if err := check(info); err != nil {
			return nil, err
		}
		b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
		if err == nil && len(b) > maxFile {
			return nil, fmt.Errorf("it has more than %d bytes", maxFile)
		}
		return b, err
	}()
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return b, nil
}

// missing gives the absence of a file its name of this package.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return err
}
