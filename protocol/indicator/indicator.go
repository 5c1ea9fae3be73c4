// Package indicator turns what agencies write down into canonical indicators: typed
// values with exactly one form, which two nodes compare byte for byte.
//
// Sources: ITU-T E.164 and the libphonenumber metadata (phone), ICAO Doc 9303 parts 3
// to 7 (document), RFC 5321, 5322 and 6531 (email), ISO 13616 and the national account
// schemes (account), BIP-13, BIP-173, BIP-350, EIP-55 and Tron's base58check (wallet),
// RFC 5890 to 5894 with UTS #46 mapping (domain), the platforms' own published naming
// rules (handle), and package person (person). A face is the vector that an embedding
// model made of a picture; no picture comes here.
//
//	raw text + defaults ──Parse──► Value + what was changed, or a Rejection with its reason
//	element bytes ──────Restore──► Value, only if the bytes are canonical
//
// An element is one form byte (1 canonical, 2 as observed) followed by the canonical
// text. The kind is not inside: whoever matches elements binds kind and version next to
// them. Parse of a canonical text and Restore of its element give the same value.
//
// Promised: nothing is dropped or merged silently (each alteration is a Change); two
// values that differ in one digit, letter or country never share an element; no error,
// log line or formatted Value holds the value. Not promised: that a number is in
// service or a document genuine. A document or account with a wrong check digit is
// evidence: it is kept "as observed" and matches only the same observation.
//
// All functions are safe for concurrent use.
package indicator

import (
	"cmp"
	"fmt"
	"slices"

	"entente/protocol/person"
)

// Kind is the type of an indicator, as written on the wire and in lists.
type Kind string

// The kinds that this version knows.
const (
	Phone    Kind = "phone"
	Document Kind = "document"
	Handle   Kind = "handle"
	Email    Kind = "email"
	Account  Kind = "account"
	Wallet   Kind = "wallet"
	Domain   Kind = "domain"
	Person   Kind = "person"
	Face     Kind = "face"
)

// Defaults complete a raw value that does not say everything itself. A raw value that
// does say it wins. The zero value means that nothing is known.
type Defaults struct {
	Country  string // ISO 3166-1 alpha-2, for phones written nationally
	Platform string // platform name of a handle, or chain of a wallet written as bare hex
	Issuer   string // country or ICAO code of the issuer of a document
	Scheme   string // account scheme, such as "au-bsb"; "iban" is recognised without
	// ProviderRules folds addresses that one mail provider delivers to one mailbox
	// (dots and plus tags at Gmail). Off unless both partners want it.
	ProviderRules bool
	Calendar      person.Calendar // of the column of dates of birth
	Order         person.Order    // of day and month in dates of birth such as 04/05/1990
	Model         string          // embedding model of a face written as bare numbers
}

// definition is what one kind's file contributes to the table below.
type definition struct {
	kind    Kind
	version uint16
	// parse returns the canonical content of a cleaned raw value.
	parse func(raw string, d Defaults) (content, []Change, *Rejection)
	// canonical reports whether the content is exactly what parse would produce.
	canonical func(c content) bool
	// fixed says that parse itself makes sure that its result is canonical, so that the
	// check need not run again; phones do, because they come in millions.
	fixed bool
	// similar says that values meet by similarity alone.
	similar bool
	// maxElement and maxRaw are bounds in bytes; 0 means the usual ones.
	maxElement, maxRaw int
}

// limits returns the bounds of elements and raw text in bytes.
func (d *definition) limits() (element, raw int) {
	return cmp.Or(d.maxElement, usualElement), cmp.Or(d.maxRaw, usualRaw)
}

// definitions is the one table of kinds; a new kind is one file and one line here.
func definitions() [9]*definition {
	return [...]*definition{
		&phoneDefinition, &documentDefinition, &handleDefinition, &emailDefinition,
		&accountDefinition, &walletDefinition, &domainDefinition, &personDefinition, &faceDefinition,
	}
}

func lookup(k Kind) (*definition, bool) {
	for _, d := range definitions() {
		if d.kind == k {
			return d, true
		}
	}
	return nil, false
}

// Kinds lists all kinds in a fixed order.
func Kinds() []Kind {
	var ks []Kind
	for _, d := range definitions() {
		ks = append(ks, d.kind)
	}
	return ks
}

// ParseKind returns the kind of that name.
func ParseKind(s string) (Kind, error) {
	if _, ok := lookup(Kind(s)); !ok {
		return "", fmt.Errorf("unknown indicator kind; known are %v", Kinds())
	}
	return Kind(s), nil
}

// Version is the version of the kind's canonical form, 0 for an unknown kind. It changes
// only when the output on the golden corpus changes.
func (k Kind) Version() uint16 {
	if d, ok := lookup(k); ok {
		return d.version
	}
	return 0
}

// Similar reports a kind whose values are matched by similarity alone: two records of one
// person, or two pictures of one face, hardly ever give equal elements, so that a round
// that compares for equality would only reveal. False for an unknown kind.
func (k Kind) Similar() bool {
	d, ok := lookup(k)
	return ok && d.similar
}

// Parse turns raw text into its canonical value and says what it changed. The error is
// always a *Rejection. Raw text over 1,024 bytes is rejected, of a face over 65,535.
func Parse(k Kind, raw string, d Defaults) (Value, []Change, error) {
	def, ok := lookup(k)
	if !ok {
		return Value{}, nil, reject(ReasonUnknownKind)
	}
	_, maxRaw := def.limits()
	text, changes, r := clean(raw, maxRaw)
	if r != nil {
		return Value{}, nil, r
	}
	c, more, r := def.parse(text, d)
	if r != nil {
		return Value{}, nil, r
	}
	if !def.fixed && !def.settled(c) {
		return Value{}, nil, reject(ReasonCharacters)
	}
	return newValue(k, c), appendChanges(changes, more), nil
}

// settled reports content that is canonical and whose text survives a cell unharmed, so
// that an export can be imported again.
func (d *definition) settled(c content) bool {
	_, maxRaw := d.limits()
	t, _, r := clean(c.text, maxRaw)
	return r == nil && t == c.text && d.canonical(c)
}

// Restore returns the value of stored or received element bytes. It accepts only what
// Element of a parsed value returns. The error is always a *Rejection.
func Restore(k Kind, element []byte) (Value, error) {
	def, ok := lookup(k)
	if !ok {
		return Value{}, reject(ReasonUnknownKind)
	}
	if maxElement, _ := def.limits(); len(element) < 2 || len(element) > maxElement {
		return Value{}, reject(ReasonNotCanonical)
	}
	c := content{form: form(element[0]), text: string(element[1:])}
	if (c.form != formCanonical && c.form != formObserved) || !def.settled(c) {
		return Value{}, reject(ReasonNotCanonical)
	}
	return newValue(k, c), nil
}

// reparses reports whether parsing the text without defaults gives the very same content:
// the definition of canonical for the kinds whose parser is cheap.
func reparses(c content, parse func(string, Defaults) (content, []Change, *Rejection)) bool {
	got, _, r := parse(c.text, Defaults{})
	return r == nil && got == c
}

func appendChanges(a, b []Change) []Change {
	for _, c := range b {
		if !slices.Contains(a, c) {
			a = append(a, c)
		}
	}
	return a
}
