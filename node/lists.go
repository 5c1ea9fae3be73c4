package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"entente/node/intake"
	"entente/node/store"
	"entente/protocol/entry"
)

// Import says which file goes into which list.
type Import struct {
	List string
	File string // its name, for the report
	Size int64  // bytes; 0 if unknown
	intake.Options
}

// imported is the body of an Imported entry: counts, no rows.
type imported struct {
	_          struct{} `codec:",toarray"`
	List       string
	Kind       string
	Rows       uint64
	Ready      uint64
	Rejected   uint64
	Held       uint64
	Duplicates uint64
}

// ImportList reads a file into a list, all of it or nothing. A dry run reports the
// same and keeps nothing.
func (n *Node) ImportList(ctx context.Context, i Import, r io.Reader) (intake.Report, error) {
	l := store.List{
		Name: i.List, Kind: i.Kind, Category: i.Handling.Category,
		Purpose: i.Handling.Purpose, Basis: i.Handling.Basis, Created: time.Now(),
	}
	if err := checkList(l); err != nil {
		return intake.Report{}, fmt.Errorf("import list: %w", err)
	}
	// One import at a time: a failed one that made its list erases the list again.
	select {
	case n.importing <- struct{}{}:
		defer func() { <-n.importing }()
	case <-ctx.Done():
		return intake.Report{}, fmt.Errorf("import list: %w", ctx.Err())
	}
	fresh := false
	err := n.store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.ListByName(l.Name)
		if fresh = errors.Is(err, store.ErrNotFound); err != nil && !fresh {
			return err
		}
		l, err = tx.EnsureList(l)
		return err
	})
	if err != nil {
		return intake.Report{}, fmt.Errorf("import list: %w", err)
	}
	i.Members = n.members()
	report, err := n.fill(ctx, l, i, r)
	// A file of which nothing can be imported is reported row by row, as any other.
	var file *intake.FileError
	empty := errors.As(err, &file) && file.Fault == intake.FaultAllRejected
	if empty {
		err = nil
	}
	kept := err == nil && !empty && !i.DryRun
	if fresh && !kept {
		err = errors.Join(err, n.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.DeleteList(l.ID) }))
	}
	if !kept || err != nil {
		return report, err
	}
	n.lasting.Changed()
	return report, n.Mirror(ctx)
}

// members are the identifiers that a row's never-with column may name.
func (n *Node) members() []string {
	f := n.joined.Load()
	if f == nil {
		return nil
	}
	ids := []string{n.ID()}
	for _, p := range f.Partners() {
		ids = append(ids, p.ID)
	}
	return ids
}

// fill reads the rows into the list in one import.
func (n *Node) fill(ctx context.Context, l store.List, i Import, r io.Reader) (intake.Report, error) {
	sink, err := n.store.Importer(ctx, l.ID)
	if err != nil {
		return intake.Report{}, fmt.Errorf("import list: %w", err)
	}
	report, err := intake.Import(ctx, i.File, r, i.Size, i.Options, sink)
	if err != nil || i.DryRun {
		if back := sink.Rollback(context.WithoutCancel(ctx)); back != nil {
			return report, errors.Join(err, fmt.Errorf("take the import back: %w", back))
		}
		return report, err
	}
	body, err := entry.Body(imported{
		List: l.Name, Kind: string(l.Kind), Rows: uint64(report.Rows), Ready: uint64(report.Ready),
		Rejected: uint64(report.Rejected), Held: uint64(report.Held), Duplicates: uint64(report.Duplicates),
	})
	if err == nil {
		err = sink.Commit(ctx, func(tx *store.Tx) error { return tx.Append(entry.Local, entry.Imported, body, time.Now()) })
	}
	if err != nil {
		return report, errors.Join(fmt.Errorf("import list: %w", err), sink.Rollback(context.WithoutCancel(ctx)))
	}
	return report, nil
}

// maxName bounds a list's name, in bytes.
const maxName = 64

// checkList refuses a list without what the rules decide by.
func checkList(l store.List) error {
	switch {
	case l.Name == "" || len(l.Name) > maxName:
		return fmt.Errorf("a list's name has 1 to %d characters", maxName)
	case l.Category == "":
		return errors.New("the category is missing: say whose indicators these are, for example --category suspect")
	case l.Purpose == "":
		return errors.New("the purpose is missing: say what the list was made for, for example --purpose trafficking")
	case l.Basis == "":
		return errors.New("the legal basis is missing: give its identifier, for example --basis AU-TIP")
	}
	return nil
}

// Lists returns all lists.
func (n *Node) Lists(ctx context.Context) ([]store.List, error) {
	var lists []store.List
	err := n.store.View(ctx, func(tx *store.Tx) (err error) {
		lists, err = tx.Lists()
		return err
	})
	return lists, err
}

// Held is a row that an import kept back for the protection desk, for own eyes only.
type Held struct {
	Value         string `json:"value"`    // canonical
	Original      string `json:"original"` // as it stood in the file
	CaseReference string `json:"case_reference,omitempty"`
}

// HeldRows returns what is kept back from a list, oldest first.
func (n *Node) HeldRows(ctx context.Context, name string) ([]Held, error) {
	out := []Held{}
	err := n.store.View(ctx, func(tx *store.Tx) error {
		l, err := tx.ListByName(name)
		if err != nil {
			return err
		}
		rows, err := tx.HeldRecords(l.ID)
		for _, r := range rows {
			out = append(out, Held{Value: r.Value.Canonical(), Original: r.Original, CaseReference: r.Handling.CaseReference})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("show held rows: %w", err)
	}
	return out, nil
}

// erased is the body of an Erased entry.
type erased struct {
	_     struct{} `codec:",toarray"`
	List  string
	Items uint64
}

// DeleteList erases a list with all its rows and its key.
func (n *Node) DeleteList(ctx context.Context, name string) error {
	if err := n.rounds.ForgetList(ctx, name); err != nil {
		return fmt.Errorf("delete list: %w", err)
	}
	err := n.store.Update(ctx, func(tx *store.Tx) error {
		l, err := tx.ListByName(name)
		if err != nil {
			return err
		}
		body, err := entry.Body(erased{List: l.Name, Items: uint64(l.Items)})
		if err != nil {
			return err
		}
		if err := tx.DeleteList(l.ID); err != nil {
			return err
		}
		return tx.Append(entry.Local, entry.Erased, body, time.Now())
	})
	if err != nil {
		return fmt.Errorf("delete list: %w", err)
	}
	n.lasting.Changed()
	return n.Mirror(ctx)
}
