//go:build !windows

package keys

import (
	"errors"
	"io/fs"
	"os"
)

// ownerOnly refuses a file that group or others may use in any way.
func ownerOnly(info fs.FileInfo) error { return refuse(info, 0o077) }

// notWorldReadable refuses a file that others may use in any way.
func notWorldReadable(info fs.FileInfo) error { return refuse(info, 0o007) }

func refuse(info fs.FileInfo, bits fs.FileMode) error {
	if info.Mode().Perm()&bits != 0 {
		return ErrReadable
	}
	return nil
}

// syncFolder makes names in a folder durable.
func syncFolder(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
