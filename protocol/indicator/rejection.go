package indicator

import (
	"slices"

	"entente/protocol/person"
)

// Reason is why a raw value was rejected: a stable, closed set that reports count by.
type Reason string

// The reasons, beside those that package person adds for names and dates. Each has one
// fixed sentence, which is the Rejection's text.
const (
	ReasonUnknownKind       Reason = "unknown_kind"
	ReasonEmpty             Reason = "empty"
	ReasonNotText           Reason = "not_text"
	ReasonTooShort          Reason = "too_short"
	ReasonTooLong           Reason = "too_long"
	ReasonWrongLength       Reason = "wrong_length"
	ReasonNotANumber        Reason = "not_a_number"
	ReasonSpreadsheetDamage Reason = "spreadsheet_damage"
	ReasonSeveralValues     Reason = "several_values"
	ReasonCountryMissing    Reason = "country_missing"
	ReasonUnknownCountry    Reason = "unknown_country"
	ReasonStopValue         Reason = "stop_value"
	ReasonCheckDigit        Reason = "check_digit"
	ReasonIssuerMissing     Reason = "issuer_missing"
	ReasonUnknownIssuer     Reason = "unknown_issuer"
	ReasonScript            Reason = "script"
	ReasonCharacters        Reason = "characters"
	ReasonMalformedZone     Reason = "malformed_zone"
	ReasonPlatformMissing   Reason = "platform_missing"
	ReasonUnknownPlatform   Reason = "unknown_platform"
	ReasonNoAccount         Reason = "no_account"
	ReasonName              Reason = "name"
	ReasonAddress           Reason = "address"
	ReasonDomain            Reason = "domain"
	ReasonNetworkAddress    Reason = "network_address"
	ReasonSchemeMissing     Reason = "scheme_missing"
	ReasonUnknownScheme     Reason = "unknown_scheme"
	ReasonStructure         Reason = "structure"
	ReasonBankCode          Reason = "bank_code"
	ReasonChecksum          Reason = "checksum"
	ReasonUnknownChain      Reason = "unknown_chain"
	ReasonTestNetwork       Reason = "test_network"
	ReasonModelMissing      Reason = "model_missing"
	ReasonModel             Reason = "model"
	ReasonDimension         Reason = "dimension"
	ReasonVector            Reason = "vector"
	ReasonNotCanonical      Reason = "not_canonical"
)

// Rejection is the error of Parse and Restore. It never holds the value.
type Rejection struct {
	Reason Reason
	Text   string // one sentence for people
}

// Error returns the sentence.
func (r *Rejection) Error() string { return r.Text }

func reject(r Reason) *Rejection { return &Rejection{Reason: r, Text: r.text()} }

// Reasons lists all reasons in a fixed order, for reports and documents.
func Reasons() []Reason {
	out := make([]Reason, 0, len(reasonTexts))
	for _, t := range reasonTexts {
		out = append(out, t.reason)
	}
	for _, r := range person.Reasons() {
		if !slices.Contains(out, Reason(r)) {
			out = append(out, Reason(r))
		}
	}
	return out
}

func (r Reason) text() string {
	for _, t := range reasonTexts {
		if t.reason == r {
			return t.text
		}
	}
	return person.Reason(r).Text()
}

var reasonTexts = [...]struct {
	reason Reason
	text   string
}{
	{ReasonUnknownKind, "this kind of indicator is not known"},
	{ReasonEmpty, "the cell is empty"},
	{ReasonNotText, "the cell is not valid UTF-8 text or holds control characters"},
	{ReasonTooShort, "too short for its kind and country"},
	{ReasonTooLong, "too long for its kind and country"},
	{ReasonWrongLength, "no value of this country or kind has this length"},
	{ReasonNotANumber, "not a number: it holds letters or signs that no number has"},
	{ReasonSpreadsheetDamage, "a spreadsheet rounded this number and its last digits are lost; export the column as text"},
	{ReasonSeveralValues, "several values in one cell; give each its own row"},
	{ReasonCountryMissing, "written nationally, but no country is given; add a country column or a default country"},
	{ReasonUnknownCountry, "the country code is not assigned"},
	{ReasonStopValue, "a placeholder, hotline, emergency or service value that would match many people"},
	{ReasonCheckDigit, "a check digit does not fit"},
	{ReasonIssuerMissing, "no issuing country is given; add an issuer column or a default issuer"},
	{ReasonUnknownIssuer, "the issuer is neither an ISO 3166 nor an ICAO code"},
	{ReasonScript, "letters outside A to Z; write them as the machine-readable zone shows them"},
	{ReasonCharacters, "holds signs that values of this kind never have"},
	{ReasonMalformedZone, "looks like a machine-readable zone, but lines or fields are missing or out of place"},
	{ReasonPlatformMissing, "no platform is given; add a platform column or a default platform"},
	{ReasonUnknownPlatform, "the platform or the host of the address is not known"},
	{ReasonNoAccount, "the address leads to a post, group, invitation or page, not to one account"},
	{ReasonName, "not a possible account name or number on this platform"},
	{ReasonAddress, "not a mail address"},
	{ReasonDomain, "not a registrable domain name"},
	{ReasonNetworkAddress, "a network address, not a domain name"},
	{ReasonSchemeMissing, "not an IBAN, and no account scheme is given; add a scheme column or a default scheme"},
	{ReasonUnknownScheme, "the account scheme is not known"},
	{ReasonStructure, "letters or digits stand where this country's account numbers have none"},
	{ReasonBankCode, "the bank code has the wrong form for its scheme"},
	{ReasonChecksum, "the address does not fit its checksum; a character is wrong or missing"},
	{ReasonUnknownChain, "not an address of a chain that is known"},
	{ReasonTestNetwork, "an address of a test network, where coins have no value"},
	{ReasonModelMissing, "no embedding model is given; add a model column or a default model"},
	{ReasonModel, "not the name of a model: 1 to 40 letters a to z, digits, points, hyphens and underscores, a letter or digit first"},
	{ReasonDimension, "a face has 64 to 1,024 numbers, a multiple of eight"},
	{ReasonVector, "not a face vector as this version writes it; give the numbers as the model puts them out"},
	{ReasonNotCanonical, "the stored bytes are not a canonical value of this kind and version"},
}
