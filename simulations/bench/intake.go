package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"entente/crypto/seal"
	"entente/crypto/sign"
	"entente/node/intake"
	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

// runIntake imports a file of phones into a new store on disk and reads the list back.
func runIntake(ctx context.Context, m *meter, p Params) (err error) {
	dir, err := os.MkdirTemp("", "entente-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "phones.csv")
	if err := m.prepare("generate", func() error { return generate(file, p["rows"]) }); err != nil {
		return err
	}
	key, err := sign.Generate()
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	s, err := store.Create(ctx, filepath.Join(dir, "node"), seal.NewKey(), entry.Author{Member: "AU", Key: key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return importPhones(ctx, m, s, file, p["rows"])
}

func generate(file string, rows int64) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("create list: %w", err)
	}
	return errors.Join(writePhones(f, rows), f.Close())
}

func importPhones(ctx context.Context, m *meter, s *store.Store, file string, rows int64) error {
	handling := indicator.Handling{Category: indicator.Suspect, Purpose: "trafficking", Basis: "AU-TIP"}
	var list store.List
	err := s.Update(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.EnsureList(store.List{Name: "bench", Kind: indicator.Phone, Category: handling.Category,
			Purpose: handling.Purpose, Basis: handling.Basis})
		return err
	})
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open list: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open list: %w", err)
	}
	importer, err := s.Importer(ctx, list.ID)
	if err != nil {
		return err
	}
	var report intake.Report
	o := intake.Options{Kind: indicator.Phone, Handling: handling, Defaults: indicator.Defaults{Country: "US"}}
	err = m.measure("import", func() (err error) {
		report, err = intake.Import(ctx, "phones.csv", f, info.Size(), o, importer)
		return err
	})
	if err != nil {
		return errors.Join(err, importer.Rollback(context.WithoutCancel(ctx)))
	}
	if err := m.measure("commit", func() error { return importer.Commit(ctx, nil) }); err != nil {
		return err
	}
	if err := m.measure("read", func() error { return readBack(ctx, s, list.ID, rows) }); err != nil {
		return err
	}
	m.figure("rows_per_second", float64(rows)/m.result.WallSeconds)
	m.figure("rows_ready", float64(report.Ready))
	m.figure("rows_changed", float64(report.Changed))
	m.figure("file_bytes_per_row", float64(info.Size())/float64(rows))
	return nil
}

// readBack fails unless every row is in the list.
func readBack(ctx context.Context, s *store.Store, id, rows int64) error {
	return s.View(ctx, func(tx *store.Tx) error {
		list, err := tx.List(id)
		if err != nil {
			return err
		}
		if list.Items != rows {
			return fmt.Errorf("%d rows were imported, but the list has %d", rows, list.Items)
		}
		return nil
	})
}
