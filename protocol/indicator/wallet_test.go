package indicator

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSegwitVectors: the valid and invalid addresses of BIP-173 and BIP-350, as far as they
// are of the main network; addresses of the test network are refused for that.
func TestSegwitVectors(t *testing.T) {
	for address, program := range map[string]string{
		"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4":                                 "",
		"bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3":             "",
		"bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y": "",
		"BC1SW50QGDZ25J":                       "",
		"bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs": "",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": "",
		"tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7": "test_network",
		"tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy": "test_network",
		"tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c": "test_network",
		"tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut": "unknown_chain",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd": "checksum",
		"tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf": "checksum",
		"BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL": "checksum",
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh":                     "checksum",
		"tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47": "checksum",
		"bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4": "characters",
		"BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R": "structure",
		"bc1pw5dgrnzv": "wrong_length",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav": "wrong_length",
		"BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P":                                         "wrong_length",
		"tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq":               "checksum",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf":             "structure",
		"tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j":               "structure",
		"bc1gmk9yu":                      "too_short",
		"bc1":                            "too_short",
		"bc1q" + strings.Repeat("q", 90): "too_long",
	} {
		v, _, err := Parse(Wallet, address, Defaults{})
		if program != "" {
			t.Run(address, func(t *testing.T) { wantReason(t, err, program) })
			continue
		}
		if err != nil || v.Canonical() != "bitcoin:"+strings.ToLower(address) {
			t.Errorf("%s: %q, %v", address, v.Canonical(), err)
		}
	}
}

// TestChecksumCase: the examples of EIP-55.
func TestChecksumCase(t *testing.T) {
	for _, address := range []string{
		"5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"dbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "D1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
		"52908400098527886E0F7030069857D2E4169EE7", "8617E340B3D01FA5F11F306F4090FD50E238070D",
		"de709f2102306220921060314715629080e2fb77", "27b1fdb04752bbc536007a920d24acb045561c26",
	} {
		lower := strings.ToLower(address)
		if got := checksumCase(lower); got != address {
			t.Errorf("checksum case %s, want %s", got, address)
		}
		for _, notation := range []string{"0x" + address, "0X" + address, "0x" + lower, "eth:0x" + strings.ToUpper(lower), "ethereum:0x" + address + "@1?value=1"} {
			v, _, err := Parse(Wallet, notation, Defaults{})
			if err != nil || v.Canonical() != "ethereum:0x"+lower {
				t.Errorf("%s: %q, %v", notation, v.Canonical(), err)
			}
		}
	}
}

// TestChecksumCaseDamage: in a mixed-case address each changed letter or case is found.
func TestChecksumCaseDamage(t *testing.T) {
	const address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	truth := mustParse(t, Wallet, address)
	for i := 2; i < len(address); i++ {
		for _, c := range "0123456789abcdefABCDEF" {
			bad := address[:i] + string(c) + address[i+1:]
			if v, _, err := Parse(Wallet, bad, Defaults{}); bad != address && err == nil {
				t.Errorf("%q at %d passes, equal %t", c, i, v.Equal(truth))
			}
		}
	}
}

// TestBase58: encodings with leading zero bytes and of the ends of the range.
func TestBase58(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"00":                       "1",
		"0000287fb4cd":             "11233QC4",
		"48656c6c6f20576f726c6421": "2NEpo7TZRRrLZSi2U",
		"00010966776006953d5567439e5e39f86a0d273beed61967f6": "16UwLL9Risc3QfPqBUvKofHmBQ7wMtjvM",
		"ff": "5Q",
	} {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := base58(b); got != want {
			t.Errorf("base58 of %s is %s, want %s", in, got, want)
		}
	}
}

// TestBase58check: decoding inverts encoding for all version bytes, and no changed
// character passes.
func TestBase58check(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for version := range 256 {
		payload := make([]byte, base58Payload)
		payload[0] = byte(version)
		for i := 1 + r.IntN(base58Payload); i < base58Payload; i++ {
			payload[i] = byte(r.IntN(256))
		}
		address := base58checkEncode(payload)
		got, rejected := base58check(address)
		if rejected != nil || !bytes.Equal(got, payload) {
			t.Fatalf("version %d: %v", version, rejected)
		}
		i := r.IntN(len(address))
		for _, c := range base58Alphabet {
			bad := address[:i] + string(c) + address[i+1:]
			if _, rejected := base58check(bad); bad != address && rejected == nil {
				t.Fatalf("version %d: a wrong character passes", version)
			}
		}
		for _, bad := range []string{"1" + address, address[1:], address + "1", address[:len(address)-1], ""} {
			if _, rejected := base58check(bad); rejected == nil {
				t.Fatalf("version %d: %d characters pass", version, len(bad))
			}
		}
	}
}

// TestWalletNotations: links, labels, upper case and hex lead to one address.
func TestWalletNotations(t *testing.T) {
	for _, c := range []struct{ raw, platform, want string }{
		{"btc:1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "", "bitcoin:1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"},
		{"BITCOIN:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4?amount=1", "", "bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"},
		{"TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW", "ethereum", "tron:TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW"},
		{"trx:TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW", "", "tron:TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW"},
		{"tron:415A523B449890854C8FC460AB602DF9F31FE4293F", "", "tron:TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW"},
		{"415a523b449890854c8fc460ab602df9f31fe4293f", "trx", "tron:TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW"},
		{"415a523b449890854c8fc460ab602df9f31fe4293f", "", "!unknown_chain"},
		{"eth:de709f2102306220921060314715629080e2fb77", "", "ethereum:0xde709f2102306220921060314715629080e2fb77"},
		{"eth:1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "", "!unknown_chain"},
		{"doge:DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L", "", "!unknown_chain"},
		{"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "", "!characters"},
		{"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed/transfer", "", "!characters"},
		{"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaedde", "", "!wrong_length"},
		{"41zz523b449890854c8fc460ab602df9f31fe4293f", "tron", "!characters"},
		{"1bvbmseystwetqtfn5au4m4gfg7xjanvn2", "", "!checksum"},
		{"0x000000000000000000000000000000000000dEaD", "", "!stop_value"},
		{"11111111111111111111111111111111", "", "!checksum"},
		{"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "", "!unknown_chain"},
	} {
		v, _, err := Parse(Wallet, c.raw, Defaults{Platform: c.platform})
		if reason, bad := strings.CutPrefix(c.want, "!"); bad {
			t.Run(c.raw, func(t *testing.T) { wantReason(t, err, reason) })
			continue
		}
		if err != nil || v.Canonical() != c.want {
			t.Errorf("%s: %q, %v", c.raw, v.Canonical(), err)
		}
	}
}
