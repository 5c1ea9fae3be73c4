package indicator

// Change is one alteration between the raw text and the canonical value, or a remark
// that goes with it. Code is stable; Text says it in plain words, without the value.
type Change struct {
	Code string
	Text string
}

// The changes, in the order in which a reader meets them: text, phone, document, handle,
// mail, account, wallet, domain, face. Those of persons are package person's.
var (
	changeInvisible    = Change{"invisible_removed", "invisible characters removed"}
	changeFolded       = Change{"characters_folded", "full-width or other national forms of digits and letters written as plain ones"}
	changeSeparators   = Change{"separators_removed", "spaces and separators removed"}
	changeCase         = Change{"case_folded", "letters written in the case of the canonical form"}
	changeTextMark     = Change{"text_mark_removed", "spreadsheet text mark removed"}
	changeDecimal      = Change{"spreadsheet_decimal", "decimal point added by a spreadsheet removed; check that no leading zero is missing"}
	changeScheme       = Change{"prefix_removed", "label or address prefix removed"}
	changeAngle        = Change{"display_name_removed", "display name beside the address removed"}
	changeIDD          = Change{"international_prefix", "international dialling prefix written as +"}
	changeCountry      = Change{"country_added", "country code added from the default country"}
	changePlus         = Change{"plus_added", "read as international although the + is missing"}
	changeTrunk        = Change{"trunk_zero_removed", "national trunk prefix removed"}
	changeTrunkMissing = Change{"trunk_zero_missing", "written nationally without its trunk prefix; a spreadsheet may have dropped the leading zero"}
	changeRewritten    = Change{"national_rule", "rewritten by the country's dialling rules"}
	changeExtension    = Change{"extension_dropped", "extension dropped"}
	changePlausible    = Change{"plausible", "right length, but from a range that is not known to be assigned"}
)

var (
	changeIssuer      = Change{"issuer_code", "issuer written as its ICAO code"}
	changeIssuerAdded = Change{"issuer_added", "issuer taken from the default"}
	changeZone        = Change{"machine_readable_zone", "number taken from a machine-readable zone"}
	changeNationality = Change{"issuer_from_nationality", "no issuer in this line; the nationality was taken as the issuer"}
	changeConflict    = Change{"issuer_conflict", "the machine-readable zone names another issuer than the default; the zone was taken"}
	changeDigitOK     = Change{"check_digit_verified", "check digit verified and left out"}
	changeObserved    = Change{"as_observed", "a check digit is wrong; kept as observed, matches only the same observation"}
	changeZoneDigits  = Change{"other_check_digit", "another check digit of the machine-readable zone does not fit; the number's own does"}
	changeConfusable  = Change{"easily_confused", "holds both letters and digits that are easily confused (O and 0, I and 1, S and 5, B and 8); check against the document"}
	changeSpecimen    = Change{"specimen", "issued by the specimen state of ICAO Doc 9303, not by a country"}
)

var (
	changePlatform    = Change{"platform_added", "platform taken from the default"}
	changeURL         = Change{"profile_address", "account taken from a profile address"}
	changeAt          = Change{"at_sign_removed", "leading @ removed"}
	changeReadAsID    = Change{"read_as_id", "digits alone were read as the account number, not as a name; write @ before a name"}
	changeReadAsPhone = Change{"read_as_phone", "read as the phone number of the account"}
	changeDots        = Change{"dots_removed", "dots removed, which this platform or provider ignores"}
)

var (
	changeQuotes       = Change{"quotes_removed", "needless quotation marks removed"}
	changeProvider     = Change{"provider_rules", "written as the provider delivers it: dots and plus tag removed"}
	changePunycode     = Change{"domain_ascii", "domain written in its ASCII form"}
	changeHost         = Change{"host_taken", "host taken from an address; the rest was left out"}
	changeDefanged     = Change{"defanged", "marks that keep an address from being clicked removed"}
	changeTrailingDot  = Change{"trailing_dot_removed", "trailing dot removed"}
	changeBankScheme   = Change{"scheme_added", "account scheme taken from the default"}
	changeChain        = Change{"chain_added", "chain recognised by the form of the address"}
	changeNoChecksum   = Change{"no_checksum", "written without the checksum that upper and lower case carry; a typing error would not show"}
	changeChecksumCase = Change{"checksum_verified", "checksum in upper and lower case verified; written in lower case"}
	changeHexAddress   = Change{"hex_address", "written as hex; encoded as the chain's usual address"}
	changeParameters   = Change{"parameters_removed", "amount or other payment parameters removed"}
)

var (
	changeModelAdded = Change{"model_added", "embedding model taken from the default"}
	changeQuantised  = Change{"quantised", "numbers scaled to one length and rounded to whole ones"}
)
