// Package indicator turns what agencies write down into canonical indicators: typed
// values with exactly one form, which two nodes compare byte for byte.
//
// Sources: ITU-T E.164 and the libphonenumber metadata (phone), ICAO Doc 9303 parts 3
// to 7 (document), RFC 5321, 5322 and 6531 (email), ISO 13616 and the national account
// schemes (account), BIP-13, BIP-173, BIP-350, EIP-55 and Tron's base58check (wallet),
// RFC 5890 to 5894 with UTS #46 mapping (domain), and the platforms' own published
// naming rules (handle).
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
	"fmt"
	"slices"
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
}

// definitions is the one table of kinds; a new kind is one file and one line here.
func definitions() [7]*definition {
	return [...]*definition{
		&phoneDefinition, &documentDefinition, &handleDefinition, &emailDefinition,
		&accountDefinition, &walletDefinition, &domainDefinition,
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

// Parse turns raw text into its canonical value and says what it changed. The error is
// always a *Rejection. Raw text over 1,024 bytes is rejected.
func Parse(k Kind, raw string, d Defaults) (Value, []Change, error) {
	def, ok := lookup(k)
	if !ok {
		return Value{}, nil, reject(ReasonUnknownKind)
	}
	text, changes, r := clean(raw)
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
	t, _, r := clean(c.text)
	return r == nil && t == c.text && d.canonical(c)
}

// Restore returns the value of stored or received element bytes. It accepts only what
// Element of a parsed value returns. The error is always a *Rejection.
func Restore(k Kind, element []byte) (Value, error) {
	def, ok := lookup(k)
	if !ok {
		return Value{}, reject(ReasonUnknownKind)
	}
	if len(element) < 2 || len(element) > maxElement {
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
