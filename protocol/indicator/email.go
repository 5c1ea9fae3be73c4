package indicator

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Mail addresses: canonical text is LOCAL@DOMAIN, the domain as in kind domain, the local
// part with folded case: RFC 5321 lets a server tell Bob from bob, no large one does, and
// lists write both. Plus tags and dots stay unless Defaults.ProviderRules is set.
var emailDefinition = definition{kind: Email, version: 1, parse: parseEmail, canonical: canonicalEmail}

const (
	maxLocal = 64  // octets, RFC 5321 section 4.5.3.1.1
	maxEmail = 254 // octets, RFC 5321 section 4.5.3.1.3 less the angle brackets
)

func parseEmail(raw string, d Defaults) (content, []Change, *Rejection) {
	s, changes := unwrapEmail(raw)
	if t, folded := foldWidth(s); folded {
		s, changes = t, append(changes, changeFolded)
	}
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 {
		return content{}, nil, reject(ReasonAddress)
	}
	if strings.ContainsAny(s, ",;\n|") && strings.Count(s, "@") > 1 {
		return content{}, nil, reject(ReasonSeveralValues)
	}
	local, more, r := localPart(s[:at])
	if r != nil {
		return content{}, nil, r
	}
	changes = append(changes, more...)
	if strings.HasPrefix(s[at+1:], "[") {
		return content{}, nil, reject(ReasonNetworkAddress)
	}
	domain, more, r := asciiDomain(s[at+1:])
	if r != nil {
		return content{}, nil, r
	}
	changes = appendChanges(changes, more)
	if d.ProviderRules {
		local, domain, changes = providerRules(local, domain, changes)
	}
	text := local + "@" + domain
	if len(text) > maxEmail {
		return content{}, nil, reject(ReasonTooLong)
	}
	if stopLocal(local) {
		return content{}, nil, reject(ReasonStopValue)
	}
	return content{formCanonical, text}, changes, nil
}

func canonicalEmail(c content) bool { return c.form == formCanonical && reparses(c, parseEmail) }

// unwrapEmail takes the address from mailto:, from angle brackets, and from the marks
// that keep it from being clicked.
func unwrapEmail(raw string) (string, []Change) {
	s, changes := refang(raw)
	if t := strings.NewReplacer("[at]", "@", "(at)", "@").Replace(s); t != s {
		s, changes = t, []Change{changeDefanged}
	}
	if open := strings.LastIndexByte(s, '<'); open >= 0 && strings.HasSuffix(s, ">") {
		if open > 0 {
			changes = append(changes, changeAngle)
		}
		s = strings.TrimSpace(s[open+1 : len(s)-1])
	}
	if rest, ok := cutPrefixFold(s, "mailto:"); ok {
		s, _, _ = strings.Cut(rest, "?")
		changes = append(changes, changeScheme)
	}
	return strings.TrimSpace(s), changes
}

// localPart folds case and removes needless quotes. Local parts that need quotes stay
// quoted only if they hold printable ASCII.
func localPart(s string) (string, []Change, *Rejection) {
	var changes []Change
	local := s
	if inner, ok := quoted(s); ok {
		if dotAtom(strings.ToLower(inner)) {
			local, changes = inner, append(changes, changeQuotes)
		} else {
			local = quote(inner)
		}
	}
	if lower := lowerName(local); lower != local {
		local, changes = lower, append(changes, changeCase)
	}
	if len(local) > maxLocal {
		return "", nil, reject(ReasonTooLong)
	}
	if inner, ok := quoted(local); ok && quote(inner) == local || dotAtom(local) {
		return local, changes, nil
	}
	return "", nil, reject(ReasonAddress)
}

// dotAtom reports RFC 5322 dot-atom text, with the letters, marks and digits of other
// scripts that RFC 6531 adds, in composed lower case.
func dotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for _, r := range s {
		switch {
		case r < 0x80 && (isLowerNum(byte(r)) || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)):
		case r >= 0x80 && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)):
		default:
			return false
		}
	}
	return isASCII(s) || norm.NFC.IsNormalString(s) && lowerName(s) == s
}

// quoted returns the text inside a well-formed quoted local part of printable ASCII.
func quoted(s string) (string, bool) {
	if len(s) < 3 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		c := s[i]
		if c == '\\' {
			i++
			if i == len(s)-1 {
				return "", false
			}
			c = s[i]
		} else if c == '"' {
			return "", false
		}
		if c < 0x20 || c > 0x7E {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// quote escapes only what must be escaped.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// providerRules folds what Gmail delivers to one mailbox.
func providerRules(local, domain string, changes []Change) (string, string, []Change) {
	if domain != "gmail.com" && domain != "googlemail.com" || strings.HasPrefix(local, `"`) {
		return local, domain, changes
	}
	plain, _, _ := strings.Cut(local, "+")
	plain = strings.ReplaceAll(plain, ".", "")
	if plain == "" || plain == local && domain == "gmail.com" {
		return local, domain, changes
	}
	return plain, "gmail.com", append(changes, changeProvider)
}

// stopLocal reports senders that answer nobody.
func stopLocal(s string) bool {
	switch s {
	case "noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "mailer-daemon", "postmaster", "none", "unknown":
		return true
	}
	return false
}
