package federation

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"entente/protocol/roster"
)

// Last is what a node's own chains say of the roster that it joined last. The zero value
// says that it joined none.
type Last struct {
	Version uint64
	Digest  [32]byte
}

// StaleError says that the roster on disk is not the one that the node's own chains name
// as joined last. It wraps ErrNotJoined: the node lives by no roster until it has joined
// the newest one again.
type StaleError struct {
	Joined [32]byte // the roster that the chains name; zero if they name none
}

// Error names the roster by the words that partners can read out.
func (e *StaleError) Error() string {
	named := "names none as joined"
	if e.Joined != ([32]byte{}) {
		named = "names another as joined last (" + roster.Words(e.Joined) + ")"
	}
	return fmt.Sprintf("%s is missing or not in force: this node's log %s; join the newest roster again, with: entente federation join",
		RosterName, named)
}

// Unwrap lets callers treat the node as one that has not joined.
func (e *StaleError) Unwrap() error { return ErrNotJoined }

// Check compares a roster that was loaded, or nil, with the digest that one of the node's
// chains is bound to; empty if the chain is bound to none. A backup can bring back either
// without the other, and a join can be interrupted between the two. The error is a
// *StaleError.
func (f *Federation) Check(chain []byte) error {
	if len(chain) == 0 && f == nil || f != nil && string(chain) == string(f.digest[:]) {
		return nil
	}
	e := &StaleError{}
	copy(e.Joined[:], chain)
	return e
}

// keptName is where a roster stays for ever, in the node's directory.
func keptName(digest [32]byte) string {
	return path.Join(RostersFolder, hex.EncodeToString(digest[:])+".json")
}

// auditName is the auditor's copy of a file.
func auditName(name string) string { return path.Join(AuditFolder, name) }

func digestOf(root *os.Root, file string) ([32]byte, error) {
	b, err := roster.ReadLimited(root.FS(), file, roster.MaxRosterSize)
	if err != nil {
		return [32]byte{}, err
	}
	r, err := roster.Parse(b)
	if err != nil {
		return [32]byte{}, err
	}
	return r.Digest(), nil
}

// keep lays down what is missing among the copies of the roster in force, which has been
// verified, and of those before it. What is there stays as it is: a copy that somebody
// altered is for the auditor to see.
func keep(root *os.Root, digest [32]byte) error {
	for _, to := range []string{keptName(digest), auditName(RosterName)} {
		if err := keepFor(root, RosterName, to); err != nil {
			return err
		}
	}
	if err := keepAll(root, auditName(RostersFolder), RostersFolder, whole); err != nil { // as after a restore
		return err
	}
	return keepAll(root, RostersFolder, auditName(RostersFolder), func(*os.Root, string) bool { return true })
}

// keepAll copies the rosters of one folder that the other lacks, as far as they are good.
func keepAll(root *os.Root, from, to string, good func(*os.Root, string) bool) error {
	entries, err := fs.ReadDir(root.FS(), from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep rosters: %w", err)
	}
	for _, e := range entries {
		name, copied := path.Join(from, e.Name()), path.Join(to, e.Name())
		if _, err := root.Lstat(copied); !strings.HasSuffix(name, ".json") || err == nil || !good(root, name) {
			continue
		}
		if err := keepFor(root, name, copied); err != nil {
			return err
		}
	}
	return nil
}

// whole tells whether a kept roster is what its name says, signed by all.
func whole(root *os.Root, file string) bool {
	r, signatures, err := roster.Load(root.FS(), file)
	return err == nil && r.Verify(signatures) == nil && path.Base(file) == path.Base(keptName(r.Digest()))
}

// Kept reports whether the node in dir once joined the roster of that digest, signed by all.
func Kept(dir string, digest [32]byte) bool {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer root.Close()
	return whole(root, keptName(digest))
}

// keepFor copies a file and the signatures beside it to where there is no such file.
func keepFor(root *os.Root, from, to string) error {
	if _, err := root.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := root.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := makeFolder(root, path.Dir(to)); err != nil {
		return fmt.Errorf("keep rosters: %w", err)
	}
	if err := copySet(root, from, to); err != nil {
		return fmt.Errorf("keep rosters: %w", err)
	}
	return nil
}

// copySet copies a file and the signatures beside it, the file last: where it is, they
// are too.
func copySet(root *os.Root, from, to string) error {
	names, err := roster.SignatureFiles(root.FS(), from)
	if err != nil {
		return err
	}
	for _, name := range append(names, from) {
		b, err := root.ReadFile(name)
		if err != nil {
			return err
		}
		if err := replaceFile(root, to+strings.TrimPrefix(name, from), b); err != nil {
			return err
		}
	}
	return nil
}
