package world

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
)

// WriteRecords writes a list as a node imports it: a CSV file in UTF-8 with the columns
// "case number" (the record's id), "name" and "date of birth".
func WriteRecords(w io.Writer, records []Record) error {
	rows := [][]string{{"case number", "name", "date of birth"}}
	for _, r := range records {
		rows = append(rows, []string{r.ID, r.Name, r.Born})
	}
	return writeRows(w, rows)
}

// WriteTruth writes which records of the set belong together and which only seem to: a CSV
// file with the columns "a", "b" (ids), "relation", "culture" and what happened to either
// record ("damage a", "damage b": the numbers of Damage). True pairs come first.
func (s *Set) WriteTruth(w io.Writer) error {
	rows := [][]string{{"a", "b", "relation", "culture", "damage a", "damage b"}}
	for _, pairs := range [][]Pair{s.Pairs, s.Near} {
		for _, p := range pairs {
			rows = append(rows, []string{
				s.A[p.A].ID, s.B[p.B].ID, string(p.Relation), string(s.Culture(p)),
				strconv.Itoa(int(s.DamageA[p.A])), strconv.Itoa(int(s.DamageB[p.B])),
			})
		}
	}
	return writeRows(w, rows)
}

func writeRows(w io.Writer, rows [][]string) error {
	c := csv.NewWriter(w)
	if err := c.WriteAll(rows); err != nil {
		return fmt.Errorf("write name data: %w", err)
	}
	return nil
}
