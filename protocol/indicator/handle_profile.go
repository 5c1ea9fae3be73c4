package indicator

import (
	"net/url"
	"slices"
	"strings"
)

// splitAddress takes a profile address apart: host without www and the like, unescaped
// path elements, query. A text without scheme is an address if its host is a platform's.
func splitAddress(s string) (host string, path []string, query map[string]string, ok bool) {
	lower := strings.ToLower(s)
	schemed := strings.Contains(lower, "://")
	if !schemed {
		head, _, slash := strings.Cut(lower, "/")
		if _, known := platformAt(trimHost(head)); !known || !slash {
			return "", nil, nil, false
		}
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil {
		return "", nil, nil, schemed
	}
	query = map[string]string{}
	for k, v := range u.Query() {
		query[strings.ToLower(k)] = v[0]
	}
	if !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https") {
		// tg://resolve?domain=name, viber://chat?number=…: the scheme is the platform.
		return strings.ToLower(u.Scheme) + ":", []string{strings.ToLower(u.Host)}, query, true
	}
	path = strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	if strings.HasPrefix(u.Fragment, "p/") { // signal.me/#p/+61…
		path = append(path, strings.Split(u.Fragment, "/")...)
	}
	return trimHost(strings.ToLower(u.Hostname())), path, query, true
}

// trimHost removes the subdomains that only choose a view.
func trimHost(host string) string {
	for _, view := range []string{"www.", "m.", "mobile.", "web.", "mbasic.", "touch.", "old.", "business."} {
		// m.me is a host of its own, not a view of "me".
		if rest, ok := strings.CutPrefix(host, view); ok && strings.Contains(rest, ".") {
			return rest
		}
	}
	return host
}

func platformAt(host string) (*platform, bool) {
	for _, p := range platforms() {
		if slices.Contains(p.hosts, host) {
			return p, true
		}
	}
	return nil, false
}

// platformUnder reports a subdomain of a platform's host.
func platformUnder(host string) bool {
	for i := strings.IndexByte(host, '.'); i >= 0; i = strings.IndexByte(host, '.') {
		host = host[i+1:]
		if _, ok := platformAt(host); ok {
			return true
		}
	}
	return false
}

// readProfile finds the account of a profile address.
func readProfile(host string, path []string, query map[string]string) (account, *Rejection) {
	a := account{changes: []Change{changeURL}}
	if scheme, ok := strings.CutSuffix(host, ":"); ok {
		p, known := platformNamed(scheme)
		if !known {
			return a, reject(ReasonUnknownPlatform)
		}
		a.platform = p
		a.sort, a.text = schemeProfile(query)
	} else {
		p, known := platformAt(host)
		switch name, sub := strings.CutSuffix(host, ".t.me"); {
		case known:
			a.platform = p
		case sub && !strings.Contains(name, "."): // name.t.me
			a.platform, _ = platformNamed("telegram")
			path = []string{name}
		case platformUnder(host): // short links and invitations, such as vm.tiktok.com
			return a, reject(ReasonNoAccount)
		default:
			return a, reject(ReasonUnknownPlatform)
		}
		if a.platform.profile != nil {
			a.sort, a.text = a.platform.profile(path, query)
		}
	}
	if a.text == "" {
		return a, reject(ReasonNoAccount)
	}
	if a.sort == sortPhone && !strings.HasPrefix(a.text, "+") && !strings.HasPrefix(a.text, "0") {
		a.text = "+" + a.text // addresses hold country code and number without the +
	}
	return a, nil
}

// schemeProfile reads tg://resolve?domain=, tg://user?id=, viber://chat?number= and
// whatsapp://send?phone=.
func schemeProfile(query map[string]string) (sort, string) {
	for _, k := range []struct {
		key  string
		sort sort
	}{{"domain", sortName}, {"id", sortID}, {"number", sortPhone}, {"phone", sortPhone}} {
		if v := query[k.key]; v != "" {
			return k.sort, v
		}
	}
	return "", ""
}

func telegramProfile(path []string, _ map[string]string) (sort, string) {
	if len(path) == 0 {
		return "", ""
	}
	first := path[0]
	switch {
	case strings.HasPrefix(first, "+"): // a phone number, or else an invitation
		if allDigits(first[1:]) {
			return sortPhone, first
		}
		return "", ""
	case first == "c" && len(path) > 1: // t.me/c/NUMBER/POST, a channel without a name
		return sortID, "-100" + path[1]
	case first == "s" && len(path) > 1: // t.me/s/NAME, the preview
		return sortName, path[1]
	case slices.Contains([]string{"c", "s", "joinchat", "addstickers", "share", "proxy", "iv", "addlist"}, first):
		return "", ""
	}
	return sortName, first
}

func whatsappProfile(path []string, query map[string]string) (sort, string) {
	if v := strings.TrimPrefix(query["phone"], "+"); v != "" {
		return sortPhone, strings.TrimSpace(v)
	}
	return phonePath(path, query)
}

// phonePath reads HOST/NUMBER.
func phonePath(path []string, _ map[string]string) (sort, string) {
	if len(path) == 1 && allDigits(strings.TrimPrefix(path[0], "+")) {
		return sortPhone, path[0]
	}
	return "", ""
}

func signalProfile(path []string, _ map[string]string) (sort, string) {
	if len(path) == 2 && path[0] == "p" {
		return sortPhone, path[1]
	}
	return "", ""
}

// zaloProfile reads zalo.me/NUMBER: a phone number, or the longer number of an official
// account.
func zaloProfile(path []string, query map[string]string) (sort, string) {
	if len(path) == 1 && numeric(15, 20)(path[0]) {
		return sortID, path[0]
	}
	return phonePath(path, query)
}

// lineProfile reads line.me/ti/p/~NAME and line.me/R/ti/p/@NAME.
func lineProfile(path []string, _ map[string]string) (sort, string) {
	if len(path) > 0 && path[0] == "R" {
		path = path[1:]
	}
	if len(path) == 3 && path[0] == "ti" && path[1] == "p" {
		if name, ok := strings.CutPrefix(path[2], "~"); ok {
			return sortName, name
		}
		if strings.HasPrefix(path[2], "@") {
			return sortName, path[2]
		}
	}
	return "", ""
}

func facebookProfile(path []string, query map[string]string) (sort, string) {
	if len(path) == 0 {
		return "", ""
	}
	switch first := strings.ToLower(path[0]); {
	case first == "profile.php":
		return sortID, query["id"]
	case first == "people" && len(path) >= 3:
		return sortID, path[2]
	case first == "t" && len(path) >= 2: // messenger.com/t/NAME
		return idOrName(path[1])
	case slices.Contains([]string{"people", "t", "groups", "events", "pages", "watch", "story.php", "photo", "photo.php",
		"permalink.php", "sharer", "share", "marketplace", "reel", "login", "hashtag", "help"}, first):
		return "", ""
	}
	return idOrName(path[0])
}

func idOrName(s string) (sort, string) {
	if allDigits(s) {
		return sortID, s
	}
	return sortName, s
}

func xProfile(path []string, query map[string]string) (sort, string) {
	if len(path) == 0 {
		return "", ""
	}
	switch {
	case path[0] == "i" && len(path) == 3 && path[1] == "user":
		return sortID, path[2]
	case path[0] == "intent" && query["user_id"] != "":
		return sortID, query["user_id"]
	case path[0] == "intent" && query["screen_name"] != "":
		return sortName, query["screen_name"]
	}
	return firstElement("i", "intent", "home", "search", "hashtag", "explore", "share", "settings", "messages", "notifications")(path, query)
}

func snapchatProfile(path []string, _ map[string]string) (sort, string) {
	if len(path) >= 2 && path[0] == "add" {
		return sortName, path[1]
	}
	return atElement(path, nil)
}

func youtubeProfile(path []string, _ map[string]string) (sort, string) {
	if len(path) >= 2 && path[0] == "channel" {
		return sortID, path[1]
	}
	// /user/ and /c/ name accounts in older name spaces that do not agree with @names.
	return atElement(path, nil)
}

// vkProfile reads vk.com/id123 and vk.com/name.
func vkProfile(path []string, _ map[string]string) (sort, string) {
	if len(path) != 1 {
		return "", ""
	}
	if digits, ok := strings.CutPrefix(path[0], "id"); ok && allDigits(digits) {
		return sortID, digits
	}
	return sortName, path[0]
}

// firstElement reads HOST/NAME, unless the first element is one of the service's own.
func firstElement(reserved ...string) func([]string, map[string]string) (sort, string) {
	return func(path []string, _ map[string]string) (sort, string) {
		if len(path) == 0 || slices.Contains(reserved, strings.ToLower(path[0])) {
			return "", ""
		}
		return sortName, path[0]
	}
}

// atElement reads HOST/@NAME.
func atElement(path []string, _ map[string]string) (sort, string) {
	if len(path) == 0 || !strings.HasPrefix(path[0], "@") {
		return "", ""
	}
	return sortName, path[0]
}

// underElement reads HOST/WORD/ACCOUNT.
func underElement(s sort, words ...string) func([]string, map[string]string) (sort, string) {
	return func(path []string, _ map[string]string) (sort, string) {
		if len(path) < 2 || !slices.Contains(words, strings.ToLower(path[0])) {
			return "", ""
		}
		return s, path[1]
	}
}
