package indicator

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Domains: canonical text is the host name in lower case with A-labels (xn--), without
// trailing dot. Subdomains stay: www.example.org is not example.org.
var domainDefinition = definition{kind: Domain, version: 1, parse: parseDomain, canonical: canonicalDomain}

// domainProfile is IDNA2008 with the UTS #46 mapping, non-transitional: ß and final sigma
// stay letters of their own. Hyphens in places three and four are allowed below the
// registered name, so only the ends of labels are checked, in checkHostName.
var domainProfile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.StrictDomainName(true),
	idna.ValidateLabels(true), idna.CheckHyphens(false), idna.CheckJoiners(true))

func parseDomain(raw string, _ Defaults) (content, []Change, *Rejection) {
	s, changes := refang(raw)
	if host, ok := hostOf(s); ok {
		s, changes = host, append(changes, changeHost)
	}
	text, more, r := asciiDomain(s)
	if r != nil {
		return content{}, nil, r
	}
	if stopDomain(text) {
		return content{}, nil, reject(ReasonStopValue)
	}
	return content{formCanonical, text}, append(changes, more...), nil
}

func canonicalDomain(c content) bool { return c.form == formCanonical && reparses(c, parseDomain) }

// refang undoes the ways in which analysts make addresses unclickable.
func refang(s string) (string, []Change) {
	t := strings.NewReplacer("[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "[:]", ":", "[://]", "://").Replace(s)
	for _, scheme := range []string{"hxxps://", "hxxp://"} {
		if rest, ok := cutPrefixFold(t, scheme); ok {
			t = strings.Replace(scheme, "xx", "tt", 1) + rest
		}
	}
	if t != s {
		return t, []Change{changeDefanged}
	}
	return t, nil
}

// hostOf takes the host from an address with scheme, user, port or path.
func hostOf(s string) (string, bool) {
	_, rest, schemed := strings.Cut(s, "://")
	if !schemed {
		rest = strings.TrimPrefix(s, "//")
	}
	host := rest
	if i := strings.IndexAny(host, "/?#\\"); i >= 0 {
		host = host[:i]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 && schemed {
		host = host[i+1:]
	}
	if name, port, ok := strings.Cut(host, ":"); ok && allDigits(port) {
		host = name
	}
	return host, host != s
}

// asciiDomain applies the profile and the host name rules of DNS.
func asciiDomain(s string) (string, []Change, *Rejection) {
	bare := strings.Trim(s, "[]")
	if addr, err := netip.ParseAddr(bare); err == nil && addr.IsValid() {
		return "", nil, reject(ReasonNetworkAddress)
	}
	text, err := domainProfile.ToASCII(s)
	if err != nil {
		return "", nil, reject(ReasonDomain)
	}
	var changes []Change
	if t, ok := strings.CutSuffix(text, "."); ok {
		text, changes = t, append(changes, changeTrailingDot)
	}
	if r := checkHostName(text); r != nil {
		return "", nil, r
	}
	if again, err := domainProfile.ToASCII(text); err != nil || again != text {
		return "", nil, reject(ReasonDomain)
	}
	switch {
	case !isASCII(s):
		changes = append(changes, changePunycode)
	case strings.TrimSuffix(s, ".") != text:
		changes = append(changes, changeCase)
	}
	return text, changes, nil
}

// checkHostName checks RFC 1123 names of at least two labels whose last is no number.
func checkHostName(s string) *Rejection {
	labels := strings.Split(s, ".")
	if len(labels) < 2 || len(s) > 253 || allDigits(labels[len(labels)-1]) {
		return reject(ReasonDomain)
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			!onlyOf(l, func(b byte) bool { return isLowerNum(b) || b == '-' }) {
			return reject(ReasonDomain)
		}
	}
	return nil
}

// stopDomain reports names under which everybody may register, and services that nearly
// every list would share.
func stopDomain(s string) bool {
	if suffix, _ := publicsuffix.PublicSuffix(s); suffix == s {
		return true
	}
	return slices.Contains([]string{
		"apple.com", "bing.com", "bit.ly", "discord.com", "facebook.com", "gmail.com", "google.com", "hotmail.com",
		"icloud.com", "instagram.com", "line.me", "linkedin.com", "live.com", "microsoft.com", "outlook.com", "t.me",
		"telegram.org", "tiktok.com", "twitter.com", "wa.me", "wechat.com", "whatsapp.com", "wikipedia.org", "x.com",
		"yahoo.com", "youtube.com",
	}, strings.TrimPrefix(s, "www."))
}
