package indicator

import (
	"strings"
)

// Handles: canonical text is PLATFORM ":" SORT ":" ACCOUNT. The sort is "id" for the
// stable number or key that the platform itself uses, "name" for the changeable name, and
// "phone" for the E.164 number of messengers. The three never match each other: a name
// can change hands, so it is not merged with the id that held it.
var handleDefinition = definition{kind: Handle, version: 1, parse: parseHandle, canonical: canonicalHandle}

// sort says what of an account was observed.
type sort string

const (
	sortID    sort = "id"
	sortName  sort = "name"
	sortPhone sort = "phone"
)

// account is one account on a platform.
type account struct {
	platform *platform
	sort     sort
	text     string
	changes  []Change
}

func parseHandle(raw string, d Defaults) (content, []Change, *Rejection) {
	s, folded := foldWidth(raw)
	a, r := readHandle(s, d)
	if r != nil {
		return content{}, nil, r
	}
	if r := a.settle(d.Country); r != nil {
		return content{}, nil, r
	}
	changes := a.changes
	if folded {
		changes = append([]Change{changeFolded}, changes...)
	}
	return content{formCanonical, a.platform.name + ":" + string(a.sort) + ":" + a.text}, changes, nil
}

// canonicalHandle: a known platform, and an account text that its rules leave alone.
func canonicalHandle(c content) bool {
	parts := strings.SplitN(c.text, ":", 3)
	if c.form != formCanonical || len(parts) != 3 {
		return false
	}
	p, ok := platformNamed(parts[0])
	if !ok || p.name != parts[0] {
		return false
	}
	a := account{platform: p, sort: sort(parts[1]), text: parts[2]}
	return a.settle("") == nil && a.text == parts[2] && string(a.sort) == parts[1]
}

// readHandle finds platform and account in an address, in PLATFORM:SORT:ACCOUNT, in
// PLATFORM:ACCOUNT, or in a bare account with the default platform.
func readHandle(s string, d Defaults) (account, *Rejection) {
	if host, path, query, ok := splitAddress(s); ok {
		return readProfile(host, path, query)
	}
	var a account
	if head, rest, ok := strings.Cut(s, ":"); ok {
		if p, known := platformNamed(head); known {
			a.platform, s = p, strings.TrimSpace(rest)
		}
	}
	if a.platform == nil {
		if strings.TrimSpace(d.Platform) == "" {
			return a, reject(ReasonPlatformMissing)
		}
		p, ok := platformNamed(d.Platform)
		if !ok {
			return a, reject(ReasonUnknownPlatform)
		}
		a.platform, a.changes = p, append(a.changes, changePlatform)
	}
	a.text = s
	if head, rest, ok := strings.Cut(s, ":"); ok {
		switch sort(strings.ToLower(strings.TrimSpace(head))) {
		case sortID, sortName, sortPhone:
			a.sort, a.text = sort(strings.ToLower(strings.TrimSpace(head))), strings.TrimSpace(rest)
		}
	}
	return a, nil
}

// settle decides the sort if it is open and brings the text into its canonical form.
func (a *account) settle(country string) *Rejection {
	switch a.sort {
	case "":
		return a.guess(country)
	case sortID:
		return a.settleID()
	case sortPhone:
		return a.settlePhone(country)
	case sortName:
		return a.settleName()
	}
	return reject(ReasonNotCanonical)
}

// guess: an @ means a name; a text that only fits an id is one; digits are a phone number
// on messengers that have no other names, and the account number elsewhere.
func (a *account) guess(country string) *Rejection {
	p := a.platform
	if strings.HasPrefix(a.text, "@") {
		a.sort = sortName
		return a.settleName()
	}
	if p.phone && (strings.HasPrefix(a.text, "+") || p.id == nil && p.nameOK == nil) {
		a.sort = sortPhone
		a.changes = append(a.changes, changeReadAsPhone)
		return a.settlePhone(country)
	}
	if p.id != nil && p.id(p.foldID(a.text)) {
		a.sort = sortID
		if p.nameOK != nil && allDigits(p.foldID(a.text)) {
			a.changes = append(a.changes, changeReadAsID)
		}
		return a.settleID()
	}
	if p.phone && strings.Trim(a.text, "0123456789 ()-.") == "" {
		a.sort = sortPhone
		a.changes = append(a.changes, changeReadAsPhone)
		return a.settlePhone(country)
	}
	a.sort = sortName
	return a.settleName()
}

func (a *account) settleID() *Rejection {
	if a.platform.id == nil {
		return reject(ReasonName)
	}
	if t := a.platform.foldID(a.text); t != a.text {
		change := changeFolded
		if strings.EqualFold(t, a.text) {
			change = changeCase
		}
		a.text, a.changes = t, append(a.changes, change)
	}
	if !a.platform.id(a.text) {
		return reject(ReasonName)
	}
	if digits := strings.TrimPrefix(a.text, "-"); allDigits(digits) && placeholder(digits) {
		return reject(ReasonStopValue)
	}
	return nil
}

func (a *account) settlePhone(country string) *Rejection {
	if !a.platform.phone {
		return reject(ReasonName)
	}
	if number, host, ok := strings.Cut(a.text, "@"); ok { // NUMBER@s.whatsapp.net, as in exports
		if host != "s.whatsapp.net" && host != "c.us" {
			return reject(ReasonName)
		}
		a.text = "+" + strings.TrimPrefix(number, "+")
		a.changes = append(a.changes, changeURL)
	}
	c, changes, r := parsePhone(a.text, Defaults{Country: country})
	if r != nil {
		return r
	}
	a.text = c.text
	a.changes = append(a.changes, changes...)
	return nil
}

func (a *account) settleName() *Rejection {
	p := a.platform
	if p.nameOK == nil {
		return reject(ReasonName)
	}
	name := a.text
	if !p.atCounts {
		if t, ok := strings.CutPrefix(name, "@"); ok {
			name = t
			a.changes = append(a.changes, changeAt)
		}
	}
	if lower := lowerName(name); !p.exactCase && lower != name {
		name = lower
		a.changes = append(a.changes, changeCase)
	}
	if p.dotless && strings.Contains(name, ".") {
		name = strings.ReplaceAll(name, ".", "")
		a.changes = append(a.changes, changeDots)
	}
	if !p.nameOK(name) {
		return reject(ReasonName)
	}
	if stopName(name) {
		return reject(ReasonStopValue)
	}
	a.text = name
	return nil
}

// stopName reports names that stand for no one: what people type to fill a field, and
// the platforms' own.
func stopName(name string) bool {
	name = strings.TrimPrefix(name, "@")
	if allDigits(name) && placeholder(name) {
		return true
	}
	switch name {
	case "admin", "administrator", "anonymous", "deleted", "example", "none", "null", "support",
		"test", "undefined", "unknown", "user", "username":
		return true
	}
	return false
}
