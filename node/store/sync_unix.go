//go:build !windows

package store

import (
	"errors"
	"os"
)

// syncFolder makes names in a folder durable.
func syncFolder(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
