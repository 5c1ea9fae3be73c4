package roster

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckID(t *testing.T) {
	for id, good := range map[string]bool{
		"AU": true, "ID": true, "A1": true, "1A": true, "IOM-ASIA": true, "A-B-C": true, "ABCDEFGHIJKLMNOP": true,
		"": false, "A": false, "ABCDEFGHIJKLMNOPQ": false, "au": false, "Au": false, "-A": false, "A-": false,
		"A B": false, "A.B": false, "A/B": false, "ÅU": false, "A\x00": false, "..": false,
	} {
		if err := CheckID(id); (err == nil) != good {
			t.Errorf("CheckID(%q) = %v", id, err)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	good := []string{
		"/ip4/192.0.2.1/tcp/1", "/ip4/127.0.0.1/tcp/65535", "/ip4/192.0.2.1/udp/7101/quic-v1",
		"/ip6/2001:db8::1/tcp/7101", "/ip6/::1/udp/7101/quic-v1",
		"/dns/node.example/tcp/7101", "/dns4/a-b.example/tcp/7101", "/dns6/x/udp/7/quic-v1",
	}
	bad := []string{
		"", "/", "192.0.2.1:7101", "/ip4/192.0.2.1", "/ip4/192.0.2.1/tcp", "/ip4/192.0.2.1/tcp/",
		"/ip4/192.0.2.1/tcp/0", "/ip4/192.0.2.1/tcp/65536", "/ip4/192.0.2.1/tcp/07", "/ip4/192.0.2.1/tcp/+7",
		"/ip4/192.0.2.1/tcp/7101/", "/ip4/192.0.2.1/tcp/7101/p2p/x", "/ip4/192.0.2.1/tcp/7101/quic-v1",
		"/ip4/192.0.2.1/udp/7101", "/ip4/192.0.2.1/udp/7101/quic", "/ip4/192.0.2.1/sctp/7101",
		"/ip4/192.0.2.01/tcp/7101", "/ip4/::1/tcp/7101", "/ip6/192.0.2.1/tcp/7101", "/ip6/2001:DB8::1/tcp/7101",
		"/ip6/fe80::1%eth0/tcp/7101", "/ip6/::ffff:192.0.2.1/tcp/7101", "/ip4/0.0.0.0/tcp/7101", "/ip6/::/tcp/7101",
		"/ip4/224.0.0.1/tcp/7101", "/dns/Node.example/tcp/7101", "/dns/-a/tcp/7101", "/dns/a-/tcp/7101",
		"/dns/a..b/tcp/7101", "/dns//tcp/7101", "/dns/a_b/tcp/7101", "/unix/a/tcp/7101",
		"/dns/" + strings.Repeat("a", 64) + "/tcp/7101", "/dns/" + strings.Repeat("ab.", 40) + "c/tcp/7101",
		"x/ip4/192.0.2.1/tcp/7101", "/ip4/192.0.2.1/tcp/7101 ",
	}
	for _, a := range good {
		if err := CheckAddress(a); err != nil {
			t.Errorf("CheckAddress(%q) = %v", a, err)
		}
	}
	for _, a := range bad {
		if CheckAddress(a) == nil {
			t.Errorf("CheckAddress(%q) accepted", a)
		}
	}
}

func TestMemberValidate(t *testing.T) {
	nine := make([]string, 9)
	for i := range nine {
		nine[i] = "/ip4/192.0.2.1/tcp/" + string(rune('1'+i))
	}
	for name, c := range map[string]struct {
		change func(*Member)
		want   string // part of the error; empty: valid
	}{
		"as it is":             {func(*Member) {}, ""},
		"no addresses":         {func(m *Member) { m.Addresses = nil }, ""},
		"eight addresses":      {func(m *Member) { m.Addresses = nine[:8] }, ""},
		"nine addresses":       {func(m *Member) { m.Addresses = nine }, "at most 8"},
		"address twice":        {func(m *Member) { m.Addresses[1] = m.Addresses[0] }, "twice"},
		"bad address":          {func(m *Member) { m.Addresses[1] = "x" }, "address 2"},
		"id":                   {func(m *Member) { m.ID = "au" }, "id"},
		"no name":              {func(m *Member) { m.Name = "" }, "name"},
		"name of 128 bytes":    {func(m *Member) { m.Name = strings.Repeat("é", 64) }, ""},
		"name of 129 bytes":    {func(m *Member) { m.Name = strings.Repeat("é", 64) + "x" }, "name"},
		"name not UTF-8":       {func(m *Member) { m.Name = "a\xff" }, "UTF-8"},
		"name with direction":  {func(m *Member) { m.Name = "AU\u202eSU" }, "does not print"},
		"name with line feed":  {func(m *Member) { m.Name = "A\nB" }, "does not print"},
		"name with edge space": {func(m *Member) { m.Name = "Australia " }, "space"},
		"role":                 {func(m *Member) { m.Role = "State" }, "role"},
		"sign key short":       {func(m *Member) { m.Sign = m.Sign[1:] }, "signing key"},
		"sign key small order": {func(m *Member) { m.Sign = append(make([]byte, 32), m.Sign[32:]...) }, "signing key"},
		"transport key short":  {func(m *Member) { m.Transport = m.Transport[1:] }, "transport key"},
		"transport key zero":   {func(m *Member) { m.Transport = make([]byte, 32) }, "transport key"},
	} {
		m := member(t, "AU", 1)
		c.change(&m)
		err := m.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCardSignature(t *testing.T) {
	c := card(t, "AU", 1)
	if err := c.Verify(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewCard(c.Member, key(t, 2)); err == nil {
		t.Error("a card was signed with a key that it does not name")
	}
	for name, change := range map[string]func(*Card){
		"name":      func(c *Card) { c.Member.Name = "Austria" },
		"role":      func(c *Card) { c.Member.Role = NGO },
		"transport": func(c *Card) { c.Member.Transport = member(t, "ID", 2).Transport },
		"addresses": func(c *Card) { c.Member.Addresses = c.Member.Addresses[:1] },
		"signature": func(c *Card) { c.Signature = c.Signature[1:] },
		"other key": func(c *Card) { c.Member.Sign = key(t, 2).Public().Bytes() },
	} {
		d := c
		d.Member.Addresses = slices.Clone(c.Member.Addresses)
		change(&d)
		if d.Verify() == nil {
			t.Errorf("a card with another %s still verifies", name)
		}
	}
}

func TestDifferences(t *testing.T) {
	a := member(t, "AU", 1)
	if !a.Equal(member(t, "AU", 1)) {
		t.Error("equal entries differ")
	}
	b := member(t, "ID", 2)
	b.Role, b.Addresses = NGO, nil
	want := []string{"id", "name", "role", "signing key", "transport key", "addresses"}
	if got := a.Differences(b); !slices.Equal(got, want) {
		t.Errorf("differences are %v, want %v", got, want)
	}
}

func TestMemberDigestCoversEveryField(t *testing.T) {
	seen := map[[32]byte]string{}
	for name, change := range map[string]func(*Member){
		"nothing":   func(*Member) {},
		"id":        func(m *Member) { m.ID = "NZ" },
		"name":      func(m *Member) { m.Name += "x" },
		"role":      func(m *Member) { m.Role = NGO },
		"sign":      func(m *Member) { m.Sign = key(t, 9).Public().Bytes() },
		"transport": func(m *Member) { m.Transport[0] ^= 1 },
		"addresses": func(m *Member) { m.Addresses = nil },
	} {
		m := member(t, "AU", 1)
		change(&m)
		d, err := m.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[d]; ok {
			t.Errorf("changing %s gives the digest of changing %s", name, other)
		}
		seen[d] = name
	}
	empty, absent := member(t, "AU", 1), member(t, "AU", 1)
	empty.Addresses, absent.Addresses = []string{}, nil
	a, err := empty.Words()
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := absent.Words(); a != b || len(strings.Fields(a)) != 8 {
		t.Errorf("words %q and %q", a, b)
	}
}
