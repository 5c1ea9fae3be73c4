package indicator

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// platform is the naming rules of one service.
type platform struct {
	name    string
	aliases []string
	hosts   []string // of profile addresses; subdomains www, m, mobile, web are implied
	phone   bool     // accounts are known by phone number
	id      func(string) bool
	nameOK  func(string) bool // over the folded name; nil if there are no names
	// profile reads the path of a profile address; nil if addresses name no account.
	profile func(path []string, query map[string]string) (sort, string)

	hexID     bool // ids are written in small letters, whatever the source shows
	atCounts  bool // a leading @ is part of the name
	exactCase bool // case makes a difference
	dotless   bool // dots make no difference
}

// platforms is the one table of services. Rules are those that the services publish, in
// their widest form, so that old names still pass.
func platforms() []*platform { return platformTable[:] }

var platformTable = [...]*platform{
	{name: "telegram", aliases: []string{"tg"}, hosts: []string{"t.me", "telegram.me", "telegram.dog"}, phone: true,
		id: telegramID, nameOK: named(4, 32, "_", firstLetter), profile: telegramProfile},
	{name: "whatsapp", aliases: []string{"wa"}, hosts: []string{"wa.me", "api.whatsapp.com", "whatsapp.com"}, phone: true,
		profile: whatsappProfile},
	{name: "signal", hosts: []string{"signal.me"}, phone: true, id: uuid, hexID: true, nameOK: signalName, profile: signalProfile},
	{name: "viber", hosts: []string{"viber.click"}, phone: true, profile: phonePath},
	{name: "zalo", hosts: []string{"zalo.me"}, phone: true, id: numeric(15, 20), profile: zaloProfile},
	{name: "imo", phone: true},
	{name: "botim", phone: true},
	{name: "line", hosts: []string{"line.me"}, id: lineID, nameOK: lineName, profile: lineProfile, atCounts: true},
	{name: "wechat", aliases: []string{"weixin"}, id: wechatID, hexID: true,
		nameOK: named(6, 20, "_-", func(s string) bool { return firstLetter(s) && !wechatID(s) })},
	{name: "qq", id: numeric(5, 12)},
	{name: "kakaotalk", aliases: []string{"kakao"}, nameOK: named(4, 20, "._-", nil)},
	{name: "facebook", aliases: []string{"fb", "messenger"}, hosts: []string{"facebook.com", "fb.com", "fb.me", "m.me", "messenger.com"},
		id: numeric(4, 20), nameOK: named(5, 50, "", hasLetter), profile: facebookProfile, dotless: true},
	{name: "instagram", aliases: []string{"ig"}, hosts: []string{"instagram.com", "instagr.am"},
		id: numeric(5, 20), nameOK: named(1, 30, "._", nil), profile: firstElement("p", "reel", "reels", "stories", "explore", "tv", "accounts", "share")},
	{name: "threads", hosts: []string{"threads.net", "threads.com"},
		id: numeric(5, 20), nameOK: named(1, 30, "._", nil), profile: atElement},
	{name: "tiktok", aliases: []string{"tik tok"}, hosts: []string{"tiktok.com"},
		id: numeric(5, 20), nameOK: named(2, 24, "._", nil), profile: atElement},
	{name: "douyin", hosts: []string{"douyin.com"}, id: numeric(5, 20), nameOK: named(2, 24, "._", nil)},
	{name: "x", aliases: []string{"twitter"}, hosts: []string{"x.com", "twitter.com"},
		id: numeric(2, 20), nameOK: named(1, 20, "_", nil), profile: xProfile},
	{name: "snapchat", hosts: []string{"snapchat.com"}, nameOK: named(3, 15, "._-", firstLetter), profile: snapchatProfile},
	{name: "discord", hosts: []string{"discord.com", "discordapp.com"}, id: numeric(17, 20), nameOK: named(2, 32, "._", nil),
		profile: underElement(sortID, "users")},
	{name: "youtube", aliases: []string{"yt"}, hosts: []string{"youtube.com"}, id: youtubeID, nameOK: youtubeName, profile: youtubeProfile},
	{name: "linkedin", hosts: []string{"linkedin.com"}, nameOK: named(3, 100, "-", nil), profile: underElement(sortName, "in")},
	{name: "skype", nameOK: named(6, 64, "._,-:", nil)},
	{name: "reddit", hosts: []string{"reddit.com"}, nameOK: named(3, 20, "_-", nil), profile: underElement(sortName, "u", "user")},
	{name: "weibo", hosts: []string{"weibo.com", "weibo.cn"}, id: numeric(5, 12), profile: underElement(sortID, "u")},
	{name: "vk", aliases: []string{"vkontakte"}, hosts: []string{"vk.com", "vk.ru"}, id: numeric(1, 12), nameOK: named(4, 32, "._", hasLetter), profile: vkProfile},
}

// platformNamed finds a platform by name or alias, in any case.
func platformNamed(s string) (*platform, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, p := range platforms() {
		if p.name == s {
			return p, true
		}
		for _, a := range p.aliases {
			if a == s {
				return p, true
			}
		}
	}
	return nil, false
}

// foldID writes digits of other scripts as plain ones and, where the platform knows only
// one case, folds it.
func (p *platform) foldID(s string) string {
	s, _ = fold(s)
	if p.hexID {
		s = strings.ToLower(s)
	}
	return s
}

// numeric accepts account numbers of that many digits without a leading zero.
func numeric(shortest, longest int) func(string) bool {
	return func(s string) bool {
		return len(s) >= shortest && len(s) <= longest && allDigits(s) && s[0] != '0'
	}
}

// named accepts names of small letters, digits and the extra signs; the lengths are in
// bytes, and more may be asked of the whole name.
func named(shortest, longest int, extra string, more func(string) bool) func(string) bool {
	return func(s string) bool {
		return len(s) >= shortest && len(s) <= longest && (more == nil || more(s)) &&
			onlyOf(s, func(b byte) bool { return isLowerNum(b) || strings.IndexByte(extra, b) >= 0 })
	}
}

func firstLetter(s string) bool { return s != "" && isLower(s[0]) }
func hasLetter(s string) bool   { return strings.ContainsFunc(s, unicode.IsLetter) }

// telegramID accepts user numbers and the negative numbers of groups and channels.
func telegramID(s string) bool {
	return numeric(5, 16)(strings.TrimPrefix(s, "-"))
}

// signalName is a nickname, a dot and at least two digits.
func signalName(s string) bool {
	nick, digits, ok := strings.Cut(s, ".")
	return ok && len(digits) >= 2 && len(digits) <= 10 && allDigits(digits) &&
		named(3, 32, "_", func(n string) bool { return isLower(n[0]) || n[0] == '_' })(nick)
}

// uuid accepts the lower-case text form of RFC 9562.
func uuid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !isHexLower(s[i]) {
			return false
		}
	}
	return true
}

// lineID is U and 32 hex digits; C and R, of groups and rooms, are no accounts.
func lineID(s string) bool {
	return len(s) == 33 && s[0] == 'U' && onlyOf(s[1:], isHexLower)
}

// lineName is a personal name, or @ and the name of an official account: LINE keeps the
// two apart, so the @ counts.
func lineName(s string) bool {
	if t, ok := strings.CutPrefix(s, "@"); ok {
		return named(3, 20, "._-", nil)(t)
	}
	return named(3, 20, "._-", nil)(s)
}

// wechatID is the key that WeChat gives to accounts before they choose a name.
func wechatID(s string) bool {
	rest, ok := strings.CutPrefix(s, "wxid_")
	return ok && named(8, 30, "", nil)(rest)
}

// youtubeID is a channel key: UC and 22 characters in which case counts.
func youtubeID(s string) bool {
	return len(s) == 24 && strings.HasPrefix(s, "UC") && onlyOf(s[2:], func(b byte) bool {
		return isUpperNum(b) || isLower(b) || b == '-' || b == '_'
	})
}

// youtubeName may hold letters of every script.
func youtubeName(s string) bool {
	n := 0
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.·", r) {
			return false
		}
		n++
	}
	return n >= 2 && n <= 30 && norm.NFC.IsNormalString(s) && lowerName(s) == s
}

// lowerName folds case and composes accents; the result is a fixed point or is refused by
// nameOK.
func lowerName(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return norm.NFC.String(strings.ToLower(norm.NFC.String(s)))
}
