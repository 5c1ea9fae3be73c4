package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/node"
	"entente/node/api"
	"entente/node/intake"
)

func (a *app) list() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "Check, import, show and erase lists of indicators"}
	c.AddCommand(a.listImport(false), a.listImport(true), a.listShow(), a.listHeld(), a.listDelete())
	return c
}

// listImport makes "list import", or "list check" which keeps nothing.
func (a *app) listImport(check bool) *cobra.Command {
	c := &cobra.Command{
		Use: "import FILE", Short: "Read a CSV, JSON-lines or NPY file into a list",
		Example: "  entente list import --dir au --list wanted --kind phone --category suspect --purpose trafficking \\\n" +
			"    --basis AU-TIP --default-country AU phones.csv\n" +
			"  entente list import --dir au --list names --kind person --category suspect --purpose trafficking \\\n" +
			"    --basis AU-TIP --date-order day_first people.csv\n" +
			"  entente list import --dir au --list faces --kind face --category suspect --purpose trafficking \\\n" +
			"    --basis AU-TIP --model arcface-r100 faces.npy",
		Args: exactly(1),
	}
	if check {
		c.Use, c.Short = "check FILE", "Say what an import would do, and keep nothing"
		c.Example = "  entente list check --dir au --list wanted --kind phone --category suspect --purpose trafficking \\\n" +
			"    --basis AU-TIP --default-country AU phones.csv"
	}
	a.forNode(c)
	f := c.Flags()
	q := map[string]*string{}
	for _, x := range []struct{ flag, query, preset, help string }{
		{"kind", "kind", "", "phone, document, handle, email, account, wallet, domain, person or face (required)"},
		{"category", "category", "", "suspect, convicted, associate, victim, witness, missing, document or account (required)"},
		{"purpose", "purpose", "", "what the list was made for (required)"},
		{"basis", "basis", "", "identifier of its legal basis (required)"},
		{"default-country", "country", "", "two letters; for numbers written without a country"},
		{"default-platform", "platform", "", "for handles without one"},
		{"default-issuer", "issuer", "", "for documents without one"},
		{"default-scheme", "scheme", "", "for accounts without one"},
		{"calendar", "calendar", "", "buddhist, persian or hijri; of dates of birth that are not Gregorian"},
		{"date-order", "date_order", "", "day_first or month_first; of dates of birth such as 04/05/1990"},
		{"model", "model", "", "embedding model of faces, for vectors without one"},
	} {
		q[x.query] = f.String(x.flag, x.preset, x.help)
	}
	name := f.String("list", "", "name of the list (required)")
	columns := f.StringArray("column", nil, "field=header, where a column or key is not recognised (repeatable)")
	for _, flag := range []string{"list", "kind", "category", "purpose", "basis"} {
		must(c.MarkFlagRequired(flag))
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		query := url.Values{"dry_run": {strconv.FormatBool(check)}, "file": {filepath.Base(args[0])}, "column": *columns}
		for key, value := range q {
			query.Set(key, *value)
		}
		path, err := listPath(*name)
		if err != nil {
			return err
		}
		return a.importFile(c, args[0], path+"/import", query)
	}
	return c
}

// listPath is the API's path of a list. Dots would be taken for folders.
func listPath(name string) (string, error) {
	if name == "" || len(name) > 64 || strings.Trim(name, ".") == "" {
		return "", usage(errors.New("a list's name has 1 to 64 characters, not dots alone"))
	}
	return "/lists/" + url.PathEscape(name), nil
}

// importFile sends a file to the node and shows what became of its rows.
func (a *app) importFile(c *cobra.Command, path, operation string, query url.Values) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder; give a file", path)
	}
	query.Set("size", strconv.FormatInt(info.Size(), 10))
	m := a.meter(filepath.Base(path))
	var report intake.Report
	err = a.ask(c.Context(), func(x *api.Client) error {
		body := &metered{Reader: file, meter: m, total: info.Size()}
		return x.Upload(c.Context(), operation, query, body, &report)
	})
	m.end()
	if err != nil {
		return err
	}
	if a.output == "json" {
		err = a.show(report, nil)
	} else {
		err = report.WriteText(a.out)
	}
	if err == nil && report.Rows > 0 && report.Rejected == report.Rows {
		return &exit{exitFound, errors.New("every row was rejected")}
	}
	return err
}

// metered counts what was read of a file.
type metered struct {
	io.Reader
	meter       *meter
	done, total int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.done += int64(n)
	m.meter.set(m.done, m.total)
	return n, err
}

func (a *app) listShow() *cobra.Command {
	c := &cobra.Command{
		Use: "show", Short: "Show all lists in numbers", Args: exactly(0),
		Example: "  entente list show --dir au",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		lists := []api.List{}
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), "/lists", &lists) }); err != nil {
			return err
		}
		return a.show(lists, func(w io.Writer) {
			row(w, "LIST", "KIND", "CATEGORY", "PURPOSE", "LEGAL BASIS", "ITEMS", "HELD", "SINCE")
			for _, l := range lists {
				row(w, l.Name, l.Kind, l.Category, l.Purpose, l.Basis, l.Items, l.Held, when(l.Created))
			}
		})
	}
	return a.forNode(c)
}

func (a *app) listHeld() *cobra.Command {
	c := &cobra.Command{
		Use: "held LIST", Short: "Show the rows that imports kept back for the protection desk", Args: exactly(1),
		Long: `Show the rows that imports kept back for the protection desk, because their value
stands on an own list of victims, witnesses, minors or protected persons. They take
part in no round.`,
		Example: "  entente list held --dir au wanted",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := listPath(args[0])
		if err != nil {
			return err
		}
		rows := []node.Held{}
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), path+"/held", &rows) }); err != nil {
			return err
		}
		return a.show(rows, func(w io.Writer) {
			row(w, "VALUE", "AS WRITTEN", "CASE")
			for _, r := range rows {
				row(w, r.Value, r.Original, r.CaseReference)
			}
		})
	}
	return a.forNode(c)
}

func (a *app) listDelete() *cobra.Command {
	c := &cobra.Command{
		Use: "delete LIST", Short: "Erase a list with all its rows and its key", Args: exactly(1),
		Example: "  entente list delete --dir au wanted",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := listPath(args[0])
		if err != nil {
			return err
		}
		err = a.ask(c.Context(), func(x *api.Client) error { return x.Delete(c.Context(), path) })
		if err != nil {
			return err
		}
		return a.show(api.Done{OK: true}, func(w io.Writer) { fmt.Fprintln(w, "erased") })
	}
	return a.forNode(c)
}
