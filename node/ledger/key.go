package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"entente/crypto/seal"
	"entente/crypto/sign"
)

// keyFile holds the cosigning key, sealed. It lies beside the mirror, and is in no backup as
// the mirror is in none: a key that came back without the memory of what it has signed
// could sign against itself.
const keyFile = "cosigning"

const keyLabel = "entente/cosigning-key-file/1"

// OpenKey reads the cosigning key in a service's folder. If key or mirror is missing both
// begin anew: the mirror remembers what the key has signed.
func OpenKey(dir string, under seal.Key) (*sign.CosigningKey, error) {
	k, err := openKey(dir, under)
	if err != nil {
		return nil, fmt.Errorf("open cosigning key: %w", err)
	}
	return k, nil
}

func openKey(dir string, under seal.Key) (*sign.CosigningKey, error) {
	under = under.Derive(keyLabel)
	file := filepath.Join(dir, keyFile)
	b, err := os.ReadFile(file)
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, mirrorFile))
	}
	switch {
	case err == nil:
		seed, err := under.Open(b, []byte(keyLabel))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return sign.NewCosigningKey(seed)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	k, err := sign.GenerateCosigning()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, name := range []string{mirrorFile, raftFolder} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return k, writeWhole(file, under.Seal(k.Seed(), []byte(keyLabel)))
}

// writeWhole writes a file that is there whole or not at all, also after a power cut.
func writeWhole(name string, content []byte) error {
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	_ = d.Sync() // not every system lets a folder be synced
	return d.Close()
}
