package indicator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Category says what a list's people or things are to the authority that lists them.
// Being a migrant is never a category.
type Category string

// The categories.
const (
	Suspect      Category = "suspect"
	Convicted    Category = "convicted"
	Associate    Category = "associate"
	Victim       Category = "victim"
	Witness      Category = "witness"
	Missing      Category = "missing"
	DocumentItem Category = "document" // a lost, stolen or forged document as such
	AccountItem  Category = "account"  // an account or wallet as such
)

const (
	maxFieldBytes = 256 // bound of each text field of Handling
	maxNeverWith  = 64  // a federation has at most that many members
)

// Categories lists all categories in a fixed order.
func Categories() []Category {
	return []Category{Suspect, Convicted, Associate, Victim, Witness, Missing, DocumentItem, AccountItem}
}

// ParseCategory returns the category of that name.
func ParseCategory(s string) (Category, error) {
	if !slices.Contains(Categories(), Category(s)) {
		return "", fmt.Errorf("unknown category; known are %v", Categories())
	}
	return Category(s), nil
}

// Handling is what goes with an indicator but never enters matching: what it is, on
// which basis it is held, who must not see it and how it may be used.
type Handling struct {
	Category  Category
	Offence   string // offence code of the own law or a shared code list
	Purpose   string // such as "trafficking"
	Basis     string // id in the register of legal bases
	Minor     bool
	Protected bool     // asylum seeker, refugee or otherwise protected person
	NeverWith []string // member ids, such as a protected person's state of nationality
	// FirstObserved and LastObserved are zero when unknown.
	FirstObserved, LastObserved time.Time
	SourceEvaluation            string // A, B, C or X; empty when not evaluated
	InformationEvaluation       string // 1 to 4; empty when not evaluated
	// Codes are handling codes: H0 to H3, one TLP 2.0 label, one PAP label.
	Codes         []string
	CaseReference string    // for own eyes only
	Expires       time.Time // zero: the retention of the list applies
}

// Validate reports the first field that is out of its range. Errors name the field and
// never hold its content.
func (h Handling) Validate() error {
	if _, err := ParseCategory(string(h.Category)); err != nil {
		return fmt.Errorf("category: %w", err)
	}
	for _, f := range []struct{ name, text string }{
		{"offence", h.Offence}, {"purpose", h.Purpose}, {"basis", h.Basis}, {"case reference", h.CaseReference},
	} {
		if err := checkField(f.text); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := checkNeverWith(h.NeverWith); err != nil {
		return fmt.Errorf("never with: %w", err)
	}
	if !slices.Contains([]string{"", "A", "B", "C", "X"}, h.SourceEvaluation) {
		return errors.New("source evaluation: must be A, B, C or X")
	}
	if !slices.Contains([]string{"", "1", "2", "3", "4"}, h.InformationEvaluation) {
		return errors.New("information evaluation: must be 1, 2, 3 or 4")
	}
	if err := checkCodes(h.Codes); err != nil {
		return fmt.Errorf("codes: %w", err)
	}
	return h.checkTimes()
}

// Shielded reports that the indicator takes no part in bulk matching: it belongs to a
// victim, a witness, a minor or a protected person.
func (h Handling) Shielded() bool {
	return h.Minor || h.Protected || h.Category == Victim || h.Category == Witness
}

func (h Handling) checkTimes() error {
	if !h.FirstObserved.IsZero() && !h.LastObserved.IsZero() && h.LastObserved.Before(h.FirstObserved) {
		return errors.New("last observed: lies before first observed")
	}
	if !h.Expires.IsZero() && !h.FirstObserved.IsZero() && h.Expires.Before(h.FirstObserved) {
		return errors.New("expires: lies before first observed")
	}
	return nil
}

func checkField(s string) error {
	if len(s) > maxFieldBytes {
		return fmt.Errorf("longer than %d bytes", maxFieldBytes)
	}
	if strings.ToValidUTF8(s, "") != s || strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("not plain text")
	}
	return nil
}

func checkNeverWith(members []string) error {
	if len(members) > maxNeverWith {
		return fmt.Errorf("more than %d members", maxNeverWith)
	}
	for i, m := range members {
		if m == "" {
			return errors.New("an empty member id")
		}
		if err := checkField(m); err != nil {
			return err
		}
		if slices.Contains(members[:i], m) {
			return errors.New("a member twice")
		}
	}
	return nil
}

// handlingCodes are the Europol handling codes, the TLP 2.0 labels and the PAP labels.
func handlingCodes() []string {
	return []string{
		"H0", "H1", "H2", "H3",
		"TLP:RED", "TLP:AMBER+STRICT", "TLP:AMBER", "TLP:GREEN", "TLP:CLEAR",
		"PAP:RED", "PAP:AMBER", "PAP:GREEN", "PAP:CLEAR",
	}
}

// checkCodes admits known codes, none twice, and at most one label of TLP and of PAP:
// two labels of one scheme contradict each other.
func checkCodes(codes []string) error {
	seen := make(map[string]bool, len(codes))
	for _, c := range codes {
		if !slices.Contains(handlingCodes(), c) {
			return fmt.Errorf("unknown code; known are %v", handlingCodes())
		}
		scheme, _, labelled := strings.Cut(c, ":")
		if !labelled {
			scheme = c
		}
		if seen[scheme] {
			return fmt.Errorf("more than one code of %s", scheme)
		}
		seen[scheme] = true
	}
	return nil
}
