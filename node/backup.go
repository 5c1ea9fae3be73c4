package node

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"entente/node/config"
	"entente/node/federation"
	"entente/node/keys"
	"entente/node/store"
	"entente/protocol/entry"
)

// storeInBackup is the name of the sealed store in a backup; it comes last.
const storeInBackup = "store.sealed"

// maxSmallFile bounds every other file of a backup, in bytes.
const maxSmallFile = 4 << 20

// backedUp are the files that a backup takes besides the store. The keys are sealed
// in their files, and what unlocks them is not taken: who finds a backup has nothing.
func backedUp(dir string) ([]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // a handle of a folder
	names := []string{config.File}
	audit := store.AuditFolder + "/"
	for _, pattern := range []string{
		federation.CardName, federation.FirstCardName, federation.RosterName + "*", keys.Folder + "/*", RulesFolder + "/*",
		audit + federation.CardName, audit + federation.FirstCardName, audit + federation.RosterName + "*", audit + "rosters/*",
	} {
		found, err := fs.Glob(root.FS(), pattern)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !inBackup(name) }), nil
}

// inBackup tells which names a backup may hold; a restore writes no others.
func inBackup(name string) bool {
	folder, file := path.Split(name)
	public := file == federation.CardName || file == federation.FirstCardName || file == federation.RosterName ||
		strings.HasPrefix(file, federation.RosterName+".") && strings.HasSuffix(file, ".sig")
	switch folder {
	case "":
		return name == config.File || public
	case store.AuditFolder + "/":
		return public
	case store.AuditFolder + "/rosters/":
		return strings.HasSuffix(file, ".json") || strings.HasSuffix(file, ".sig")
	case keys.Folder + "/":
		return slices.Contains([]string{"identity", "transport", "store", "salt", "identity.next", "transport.next"}, file)
	case RulesFolder + "/":
		return fs.ValidPath(name) && file != "" && file[0] != '.'
	}
	return false
}

// Backup writes everything that brings the node back to a new file, readable by its
// owner alone. Secrets of rounds that are under way are left out: they must never be
// used twice.
func (n *Node) Backup(ctx context.Context, file string) error {
	body, err := entry.Body(started{Version: n.o.Version})
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	err = n.store.Update(ctx, func(tx *store.Tx) error { return tx.Append(entry.Local, entry.BackedUp, body, time.Now()) })
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	err = n.writeBackup(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("back up: %w", errors.Join(err, os.Remove(file)))
	}
	return n.Mirror(ctx)
}

func (n *Node) writeBackup(ctx context.Context, w io.Writer) (err error) {
	names, err := backedUp(n.dir)
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(n.dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(b)), Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := t.Write(b); err != nil {
			return err
		}
	}
	// A tar header states the size before the content, so the store is sealed to a
	// file first.
	tmp, err := os.CreateTemp(n.dir, "backup-*.part")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name())) }()
	if err := n.store.Backup(ctx, tmp); err != nil {
		return err
	}
	size, err := tmp.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: storeInBackup, Mode: 0o600, Size: size, Format: tar.FormatPAX}); err != nil {
		return err
	}
	if _, err := io.Copy(t, tmp); err != nil {
		return err
	}
	return t.Close()
}

// Restore brings a node back from a backup. In a directory that still has its keys
// only the store is replaced, and the audit folder tells how far the chains had
// come; otherwise all files are written, and unlockFile, if not empty, is the key
// file that the keys were sealed under.
func Restore(ctx context.Context, dir, file, unlockFile string) error {
	if err := restoreNode(ctx, dir, file, unlockFile); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

func restoreNode(ctx context.Context, dir, file, unlockFile string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	held, err := store.Lock(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	_, missing := os.Lstat(filepath.Join(dir, keys.Folder, "identity"))
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if err != nil {
			return fmt.Errorf("the backup ends before the store: %w", err)
		}
		if h.Name == storeInBackup {
			break
		}
		if missing == nil {
			continue // the node's own files are newer
		}
		if err := restoreFile(dir, h, r); err != nil {
			return err
		}
	}
	if unlockFile != "" {
		if err := copyUnlock(dir, unlockFile); err != nil {
			return err
		}
	}
	return restoreStore(ctx, dir, r)
}

// restoreFile writes one small file that a backup may hold.
func restoreFile(dir string, h *tar.Header, r io.Reader) error {
	if !inBackup(h.Name) || h.Typeflag != tar.TypeReg || h.Size > maxSmallFile {
		return errors.New("the backup holds something that does not belong there")
	}
	b, err := io.ReadAll(io.LimitReader(r, maxSmallFile))
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	name := filepath.FromSlash(h.Name)
	err = root.MkdirAll(filepath.Dir(name), 0o700)
	if err == nil {
		err = root.WriteFile(name, b, 0o600)
	}
	return errors.Join(err, root.Close())
}

// copyUnlock puts a key file at the default place.
func copyUnlock(dir, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, keys.Folder, "unlock"), b, 0o600)
}

func restoreStore(ctx context.Context, dir string, r io.Reader) error {
	c, err := config.Load(dir)
	if err != nil {
		return err
	}
	unlock, err := keys.ParseUnlock(c.Keys.Unlock, c.Keys.UnlockFrom)
	if err != nil {
		return err
	}
	k, err := keys.Open(dir, unlock)
	if err != nil {
		return err
	}
	next, there, err := keys.OpenNext(dir, unlock, k)
	if err != nil {
		return err
	}
	author, err := authorOf(dir, c.Member.ID, k, next, there)
	if err != nil {
		return err
	}
	return store.Restore(ctx, dir, k.Store(), author, r, time.Now())
}
