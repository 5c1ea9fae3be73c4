package federation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"entente/crypto/sign"
	"entente/protocol/roster"
)

// Folders that exist only while a join is under way.
const (
	collecting = "federation.part" // being filled; worthless after a crash
	collected  = "federation.next" // complete; to be moved into place
)

// Create draws up a roster from card files and writes it to out, which must not exist:
// signatures that already lie beside a roster would be for another one.
func Create(name, out string, cards []string) (roster.Roster, error) {
	return CreateWithLedger(name, out, cards, nil, roster.Spread{})
}

// CreateWithLedger is Create for a federation that keeps a common ledger, which these
// members sequence. They and the blocs may be in any order.
func CreateWithLedger(name, out string, cards, sequencers []string, spread roster.Spread) (roster.Roster, error) {
	var cs []roster.Card
	for _, file := range cards {
		c, err := ReadCardFile(file)
		if err != nil {
			return roster.Roster{}, fmt.Errorf("create federation: %w", err)
		}
		cs = append(cs, c)
	}
	r, err := roster.NewWithLedger(name, cs, sequencers, spread)
	if err != nil {
		return roster.Roster{}, fmt.Errorf("create federation: %w", err)
	}
	b, err := r.JSON()
	if err != nil {
		return roster.Roster{}, err
	}
	root, err := os.OpenRoot(filepath.Dir(out))
	if err != nil {
		return roster.Roster{}, fmt.Errorf("create federation: %w", err)
	}
	defer root.Close()
	if _, err := root.Lstat(filepath.Base(out)); !errors.Is(err, fs.ErrNotExist) {
		return roster.Roster{}, fmt.Errorf("create federation: %s exists; move it and its signatures away first", out)
	}
	if err := replaceFile(root, filepath.Base(out), b); err != nil {
		return roster.Roster{}, fmt.Errorf("create federation: %w", err)
	}
	return r, nil
}

// Sign signs a roster file for the node in dir and writes the signature beside it. The
// roster's entry for this node must be its card in every field: what a member signs is
// what it said of itself. It returns the roster, whose words people then compare, and
// the name of the signature file.
func Sign(dir, file string, key *sign.PrivateKey) (roster.Roster, string, error) {
	folder, base := filepath.Split(file)
	root, err := os.OpenRoot(filepath.Clean(folder))
	if err != nil {
		return roster.Roster{}, "", fmt.Errorf("sign roster: %w", err)
	}
	defer root.Close()
	b, err := roster.ReadLimited(root.FS(), base, roster.MaxRosterSize)
	if err != nil {
		return roster.Roster{}, "", fmt.Errorf("sign roster: %w", err)
	}
	r, err := roster.Parse(b)
	if err != nil {
		return roster.Roster{}, "", fmt.Errorf("sign %s: %w", file, err)
	}
	id, err := checkOwnCard(dir, r)
	if err != nil {
		return roster.Roster{}, "", fmt.Errorf("sign roster: %w", err)
	}
	s, err := r.Sign(id, key)
	if err != nil {
		return roster.Roster{}, "", err
	}
	if b, err = s.JSON(); err != nil {
		return roster.Roster{}, "", err
	}
	name := roster.SignatureName(base, id)
	if err := replaceFile(root, name, b); err != nil {
		return roster.Roster{}, "", fmt.Errorf("sign roster: %w", err)
	}
	return r, filepath.Join(folder, name), nil
}

// checkOwnCard compares the roster's entry for the node in dir with the node's card.
func checkOwnCard(dir string, r roster.Roster) (id string, err error) {
	card, err := ReadCard(dir)
	if err != nil {
		return "", err
	}
	id = card.Member.ID
	m, ok := r.Find(id)
	if !ok {
		return "", &OwnEntryError{Member: id, Absent: true}
	}
	if ds := card.Member.Differences(m); len(ds) > 0 {
		return "", &OwnEntryError{Member: id, Fields: ds}
	}
	return id, nil
}

// Join makes the roster in file, with the signatures beside it, the one that binds the
// node in dir. Joining the same roster again is allowed; a different one must be a later
// version of the federation that was joined before, and later than what the node's own
// chains name: the files alone may have come back from an old backup. The roster with which a
// ledger begins need not have an entry for this node: it may come in later.
func Join(dir, file string, keys Keys, last Last) (*Federation, error) {
	source := os.DirFS(filepath.Dir(file))
	r, signatures, err := roster.Load(source, filepath.Base(file))
	if err != nil {
		return nil, fmt.Errorf("join federation: %w", err)
	}
	card, err := ReadCard(dir)
	if err != nil {
		return nil, fmt.Errorf("join federation: %w", err)
	}
	id, ledger := card.Member.ID, r.HasLedger()
	if !ledger {
		if _, err := checkOwnCard(dir, r); err != nil {
			return nil, fmt.Errorf("join federation: %w", err)
		}
	}
	f, err := newFederation(r, signatures, id, keys)
	if err != nil {
		return nil, fmt.Errorf("join federation: %w", err)
	}
	switch old, err := Load(dir, id, keys); {
	case errors.Is(err, ErrNotJoined):
	case err != nil:
		return nil, fmt.Errorf("join federation: the roster joined before: %w", err)
	case old.digest == f.digest:
	case old.roster.Name != r.Name || old.roster.Version >= r.Version:
		return nil, fmt.Errorf("join federation: this node is bound by version %d of %q already", old.roster.Version, old.roster.Name)
	}
	if !ledger && last.Digest != f.digest && last.Version >= r.Version {
		return nil, fmt.Errorf("join federation: this node's log says that it joined version %d already (%s); join that roster or a later one",
			last.Version, roster.Words(last.Digest))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("join federation: %w", err)
	}
	defer root.Close()
	if err := collect(root, r, signatures); err != nil {
		return nil, fmt.Errorf("join federation: %w", err)
	}
	if err := finishJoin(root); err != nil {
		return nil, fmt.Errorf("join federation: %w", err)
	}
	return f, nil
}

// collect writes roster and signatures into a folder that gets its final name only when
// it is complete. From then on the join has happened.
func collect(root *os.Root, r roster.Roster, signatures []roster.Signature) error {
	if err := root.RemoveAll(collecting); err != nil {
		return err
	}
	if err := root.Mkdir(collecting, folderMode); err != nil {
		return err
	}
	b, err := r.JSON()
	if err != nil {
		return err
	}
	if err := replaceFile(root, path.Join(collecting, RosterName), b); err != nil {
		return err
	}
	for _, s := range signatures {
		if b, err = s.JSON(); err != nil {
			return err
		}
		if err := replaceFile(root, path.Join(collecting, roster.SignatureName(RosterName, s.Member)), b); err != nil {
			return err
		}
	}
	if err := root.Rename(collecting, collected); err != nil {
		return err
	}
	return syncFolder(root, ".")
}

// finishJoin moves a complete collection into place, if there is one. Every step can be
// repeated, so that a crash anywhere in it does no harm.
func finishJoin(root *os.Root) error {
	_, err := root.Stat(collected)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finish join: %w", err)
	}
	from := path.Join(collected, RosterName)
	digest, err := digestOf(root, from)
	if err != nil {
		return fmt.Errorf("finish join: %w", err)
	}
	for _, to := range []string{keptName(digest), auditName(keptName(digest)), RosterName, auditName(RosterName)} {
		if err := place(root, from, to); err != nil {
			return fmt.Errorf("finish join: %w", err)
		}
	}
	// A half-removed collection must not look like a complete one.
	if err := root.RemoveAll(collecting); err != nil {
		return fmt.Errorf("finish join: %w", err)
	}
	if err := root.Rename(collected, collecting); err != nil {
		return fmt.Errorf("finish join: %w", err)
	}
	if err := root.RemoveAll(collecting); err != nil {
		return fmt.Errorf("finish join: %w", err)
	}
	return syncFolder(root, ".")
}

// place copies a roster file with its signatures over another one, and removes
// signatures that belonged to what lay there.
func place(root *os.Root, from, to string) error {
	if err := makeFolder(root, path.Dir(to)); err != nil {
		return err
	}
	fresh, err := roster.SignatureFiles(root.FS(), from)
	if err != nil {
		return err
	}
	old, err := roster.SignatureFiles(root.FS(), to)
	if err != nil {
		return err
	}
	for _, name := range old {
		if !slices.Contains(fresh, from+strings.TrimPrefix(name, to)) {
			if err := root.Remove(name); err != nil {
				return err
			}
		}
	}
	return copySet(root, from, to)
}
