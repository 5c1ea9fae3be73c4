package federation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
)

// The files written here are public: they are handed to partners and auditors.
const (
	fileMode   fs.FileMode = 0o644
	folderMode fs.FileMode = 0o700
	unfinished             = ".part" // suffix of a file that is being written
)

// replaceFile writes a file whole or not at all, and durably: content first, then the
// name, then the folder that holds the name.
func replaceFile(root *os.Root, name string, data []byte) error {
	part := name + unfinished
	if err := root.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(part, name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, root.Remove(part)))
	}
	return syncFolder(root, path.Dir(name))
}

// makeFolder makes a folder with those above it, durably.
func makeFolder(root *os.Root, name string) error {
	if info, err := root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	if err := root.MkdirAll(name, folderMode); err != nil {
		return err
	}
	for dir := name; dir != "."; {
		dir = path.Dir(dir)
		if err := syncFolder(root, dir); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder makes names durable. Windows has no such call and needs none.
func syncFolder(root *os.Root, name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", name, err)
	}
	return nil
}
