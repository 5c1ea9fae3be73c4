package indicator

import (
	"slices"
	"strings"
	"testing"
)

// TestPlatformTable: names, aliases and hosts lead to one platform each, and each platform
// admits something.
func TestPlatformTable(t *testing.T) {
	names, hosts := map[string]bool{}, map[string]bool{}
	for _, p := range platforms() {
		for _, n := range append([]string{p.name}, p.aliases...) {
			if names[n] || n != strings.ToLower(n) || strings.Contains(n, ":") {
				t.Errorf("the name %s stands twice or is not in small letters", n)
			}
			names[n] = true
			if got, ok := platformNamed(" " + strings.ToUpper(n)); !ok || got != p {
				t.Errorf("%s is not found", n)
			}
		}
		for _, h := range p.hosts {
			if hosts[h] || trimHost(h) != h {
				t.Errorf("the host %s stands twice or would be trimmed", h)
			}
			hosts[h] = true
			if got, ok := platformAt(h); !ok || got != p {
				t.Errorf("host %s is not found", h)
			}
		}
		if !p.phone && p.id == nil && p.nameOK == nil {
			t.Errorf("%s knows no accounts", p.name)
		}
		if len(p.hosts) > 0 && p.profile == nil && p.name != "douyin" {
			t.Errorf("%s has hosts and no reader of addresses", p.name)
		}
	}
	for _, required := range []string{"telegram", "whatsapp", "signal", "line", "wechat", "facebook", "instagram", "tiktok", "x", "viber", "zalo", "kakaotalk", "discord", "youtube"} {
		if !names[required] {
			t.Errorf("%s is missing", required)
		}
	}
}

// TestOneAccount: all notations of a line are one account.
func TestOneAccount(t *testing.T) {
	for _, c := range []struct{ want, notations string }{
		{"telegram:name:river_trader", "telegram:@River_Trader|telegram:river_trader|tg:name:river_trader|https://t.me/river_trader|http://telegram.me/River_Trader?start=1|t.me/river_trader/|https://t.me/river_trader/12|tg://resolve?domain=river_trader|https://river_trader.t.me|https://web.telegram.me/river_trader"},
		{"telegram:id:5550123987", "telegram:5550123987|telegram:id:5550123987|tg://user?id=5550123987|tg://openmessage?user_id=1&id=5550123987"},
		{"telegram:id:-1001550123987", "telegram:-1001550123987|https://t.me/c/1550123987/3"},
		{"whatsapp:phone:+61491570006", "whatsapp:+61491570006|wa:phone:+61 491 570 006|https://wa.me/61491570006|https://wa.me/+61491570006|https://api.whatsapp.com/send?phone=%2B61491570006|https://web.whatsapp.com/send?phone=61491570006|whatsapp://send?phone=61491570006|whatsapp:61491570006@s.whatsapp.net|whatsapp:61491570006@c.us"},
		{"signal:phone:+61491570006", "signal:+61491570006|https://signal.me/#p/+61491570006"},
		{"viber:phone:+61491570006", "viber:+61 491 570 006|viber://chat?number=61491570006|viber://add?number=%2B61491570006"},
		{"line:name:river.trader", "line:river.trader|https://line.me/ti/p/~river.trader|http://line.me/R/ti/p/~River.Trader"},
		{"wechat:id:wxid_a1b2c3d4e5f6", "wechat:wxid_a1b2c3d4e5f6|weixin:WXID_A1B2C3D4E5F6|wechat:id:wxid_a1b2c3d4e5f6"},
		{"facebook:name:rivertrader", "facebook:river.trader|fb:@RiverTrader|https://www.facebook.com/river.trader|https://m.facebook.com/River.Trader?ref=1|https://web.facebook.com/rivertrader/posts/1|https://m.me/rivertrader|https://www.messenger.com/t/river.trader|fb.com/rivertrader"},
		{"facebook:id:100055501239876", "facebook:100055501239876|https://facebook.com/profile.php?id=100055501239876&sk=about|https://www.facebook.com/people/A-B/100055501239876|https://www.facebook.com/100055501239876|messenger:100055501239876"},
		{"instagram:name:river.trader", "instagram:@river.trader|ig:River.Trader|https://www.instagram.com/river.trader/|instagram.com/river.trader/?igsh=1"},
		{"tiktok:name:river.trader", "tiktok:@river.trader|tiktok:name:river.trader|https://www.tiktok.com/@river.trader|https://m.tiktok.com/@River.Trader/live"},
		{"x:name:river_trader", "x:@River_Trader|twitter:river_trader|https://x.com/river_trader|https://twitter.com/river_trader/status/1|https://twitter.com/intent/user?screen_name=river_trader"},
		{"x:id:1555012398", "x:id:1555012398|https://x.com/i/user/1555012398"},
		{"discord:id:155501239876543210", "discord:155501239876543210|https://discordapp.com/users/155501239876543210"},
		{"youtube:name:rivertrader", "youtube:@RiverTrader|https://www.youtube.com/@rivertrader/videos|yt:name:RiverTrader"},
		{"vk:id:55501239", "vk:id:55501239|https://vk.com/id55501239|vk:55501239"},
		{"snapchat:name:river-trader", "snapchat:river-trader|https://snapchat.com/add/river-trader|https://www.snapchat.com/@River-Trader"},
		{"reddit:name:river_trader", "reddit:river_trader|https://old.reddit.com/user/River_Trader/|https://reddit.com/u/river_trader"},
	} {
		for notation := range strings.SplitSeq(c.notations, "|") {
			v, _, err := Parse(Handle, notation, Defaults{})
			if err != nil || v.Canonical() != c.want {
				t.Errorf("%s: %q, %v", notation, v.Canonical(), err)
			}
		}
	}
}

// TestNoAccount: addresses that lead elsewhere are refused, each with its reason.
func TestNoAccount(t *testing.T) {
	for address, reason := range map[string]Reason{
		"https://t.me/":                                   ReasonNoAccount,
		"https://t.me/joinchat/AbCd":                      ReasonNoAccount,
		"https://t.me/+AbCdEf":                            ReasonNoAccount,
		"https://t.me/addstickers/a":                      ReasonNoAccount,
		"tg://join?invite=AbCd":                           ReasonNoAccount,
		"https://wa.me/message/AB12":                      ReasonNoAccount,
		"https://signal.me/#eu/AbCd":                      ReasonNoAccount,
		"https://line.me/ti/g/AbCd":                       ReasonNoAccount,
		"https://facebook.com/groups/1234567":             ReasonNoAccount,
		"https://facebook.com/watch?v=1":                  ReasonNoAccount,
		"https://facebook.com/people/A-B":                 ReasonNoAccount,
		"https://facebook.com/profile.php":                ReasonNoAccount,
		"https://instagram.com/reel/abc":                  ReasonNoAccount,
		"https://tiktok.com/tag/abc":                      ReasonNoAccount,
		"https://x.com/home":                              ReasonNoAccount,
		"https://discord.com/invite/abc":                  ReasonNoAccount,
		"https://youtube.com/c/abc":                       ReasonNoAccount,
		"https://reddit.com/r/abc":                        ReasonNoAccount,
		"https://vm.tiktok.com/ZM1":                       ReasonNoAccount,
		"https://chat.whatsapp.com/AbCd":                  ReasonNoAccount,
		"https://douyin.com/user/abc":                     ReasonNoAccount,
		"https://example.org/@river":                      ReasonUnknownPlatform,
		"https://t.me.example.org/river":                  ReasonUnknownPlatform,
		"https://river@t.me/x":                            ReasonUnknownPlatform,
		"ftp://t.me/river":                                ReasonUnknownPlatform,
		"https://a.b.t.me/x":                              ReasonNoAccount,
		"https://xn--tme-.example/river":                  ReasonUnknownPlatform,
		"https://youtube.com/channel/UCshort":             ReasonName,
		"https://facebook.com/profile.php?id=x":           ReasonName,
		"https://zalo.me/abc":                             ReasonNoAccount,
		"https://wa.me/999123456":                         ReasonUnknownCountry,
		"https://www.facebook.com/%00":                    ReasonUnknownPlatform,
		"https://t.me/%E0%B9%81%E0%B8%A1%E0%B9%88":        ReasonName,
		"https://t.me/" + strings.Repeat("a", 33):         ReasonName,
		"https://user:password@www.instagram.com/profile": ReasonUnknownPlatform,
	} {
		_, _, err := Parse(Handle, address, Defaults{})
		if address == "https://www.facebook.com/%00" {
			reason = ReasonName // the address is well formed, its account is not
		}
		t.Run(address, func(t *testing.T) { wantReason(t, err, string(reason)) })
	}
}

// TestNameLengths: at the edges of each platform's lengths.
func TestNameLengths(t *testing.T) {
	for _, c := range []struct {
		platform          string
		shortest, longest int
	}{
		{"telegram", 4, 32}, {"wechat", 6, 20}, {"kakaotalk", 4, 20}, {"facebook", 5, 50}, {"instagram", 1, 30},
		{"tiktok", 2, 24}, {"x", 1, 20}, {"snapchat", 3, 15}, {"discord", 2, 32}, {"linkedin", 3, 100}, {"reddit", 3, 20},
		{"line", 3, 20}, {"youtube", 2, 30}, {"vk", 4, 32},
	} {
		for n, ok := range map[int]bool{c.shortest - 1: false, c.shortest: true, c.longest: true, c.longest + 1: false} {
			_, _, err := Parse(Handle, c.platform+":name:"+strings.Repeat("q", n), Defaults{})
			if ok != (err == nil) {
				t.Errorf("%s: a name of %d letters: %v", c.platform, n, err)
			}
		}
	}
}

// TestNameRules: signs and first letters that a platform does not have.
func TestNameRules(t *testing.T) {
	for _, bad := range []string{
		"telegram:name:1river", "telegram:name:_river", "telegram:name:river.trader", "telegram:name:river-trader",
		"wechat:name:1river", "wechat:name:river.trader", "facebook:name:1234567", "facebook:name:river_trader",
		"instagram:name:river-trader", "tiktok:name:river-trader", "x:name:river.trader", "snapchat:name:1river",
		"signal:name:river", "signal:name:river.1", "signal:name:1river.42", "signal:name:ri.42", "signal:name:river.4a",
		"youtube:name:river trader", "discord:name:river#0042", "line:name:@@river", "qq:name:river", "zalo:name:river",
		"whatsapp:name:river", "whatsapp:id:5550123987", "line:phone:+61491570006", "facebook:phone:+61491570006",
		"telegram:id:0123456", "telegram:id:12a4567", "telegram:id:--1234567", "discord:id:15550123987654321234567",
		"line:id:u4af4980629f1c2d3e4b5a69788c7d6e5", "line:id:U4af4980629f1c2d3e4b5a69788c7d6eg", "youtube:id:UDa1B2c3D4e5F6g7H8i9J0kL",
		"signal:id:9e107d9d372b4a3eb1d20c5f5a1e7c10", "wechat:id:river", "weibo:name:river",
	} {
		if _, _, err := Parse(Handle, bad, Defaults{}); err == nil {
			t.Errorf("%s passes", bad)
		}
	}
}

// TestAccountSorts: how bare text is read.
func TestAccountSorts(t *testing.T) {
	for _, c := range []struct{ platform, raw, want, change string }{
		{"telegram", "5550123987", "telegram:id:5550123987", "read_as_id"},
		{"telegram", "+61491570006", "telegram:phone:+61491570006", "read_as_phone"},
		{"telegram", "0491 570 006", "telegram:phone:+61491570006", "read_as_phone"},
		{"instagram", "5550123987", "instagram:id:5550123987", "read_as_id"},
		{"instagram", "@5550123987", "instagram:name:5550123987", "at_sign_removed"},
		{"instagram", "111", "", ""},
		{"instagram", "123", "instagram:name:123", ""},
		{"instagram", "0555", "instagram:name:0555", ""},
		{"whatsapp", "0491570006", "whatsapp:phone:+61491570006", "read_as_phone"},
		{"imo", "0491570006", "imo:phone:+61491570006", "read_as_phone"},
		{"zalo", "0491570006", "zalo:phone:+61491570006", "read_as_phone"},
		{"qq", "555012398", "qq:id:555012398", ""},
		{"line", "@river", "line:name:@river", ""},
		{"discord", "155501239876543210", "discord:id:155501239876543210", "read_as_id"},
		{"telegram", "๕๕๕๐๑๒๓๙๘๗", "telegram:id:5550123987", "characters_folded"},
	} {
		v, changes, err := Parse(Handle, c.raw, Defaults{Platform: c.platform, Country: "AU"})
		if c.want == "" {
			wantReason(t, err, string(ReasonStopValue)) // a placeholder
			continue
		}
		if err != nil || v.Canonical() != c.want {
			t.Errorf("%s %q: %q, %v", c.platform, c.raw, v.Canonical(), err)
		}
		if c.change != "" && !slices.ContainsFunc(changes, func(g Change) bool { return g.Code == c.change }) {
			t.Errorf("%s %q: changes %v lack %s", c.platform, c.raw, changes, c.change)
		}
	}
}
