package indicator

import (
	"encoding/hex"
	"slices"
	"strings"

	"golang.org/x/crypto/sha3"
)

// Wallets: canonical text is CHAIN ":" ADDRESS. Bitcoin addresses keep their encoding
// (base58check as it stands, bech32 in lower case); Ethereum addresses are 0x and 40
// small hex digits and stand for all chains that share its address form; Tron addresses
// are base58check. A wrong checksum is rejected: nobody can pay to such an address, so it
// is a copying error and no evidence.
var walletDefinition = definition{kind: Wallet, version: 1, parse: parseWallet, canonical: canonicalWallet}

const (
	chainBitcoin  = "bitcoin"
	chainEthereum = "ethereum"
	chainTron     = "tron"
)

func parseWallet(raw string, d Defaults) (content, []Change, *Rejection) {
	s, folded := fold(raw)
	var changes []Change
	if folded {
		changes = append(changes, changeFolded)
	}
	chain, rest := "", s
	if head, tail, ok := strings.Cut(s, ":"); ok {
		if chain, ok = chainNamed(head); !ok {
			return content{}, nil, reject(ReasonUnknownChain)
		}
		rest = strings.TrimSpace(tail)
	}
	if address, cut := cutParameters(rest); cut {
		rest, changes = address, append(changes, changeParameters)
	}
	if strings.ContainsAny(rest, " \t\n,;/|") {
		return content{}, nil, reject(ReasonCharacters)
	}
	hint, _ := chainNamed(d.Platform)
	if chain != "" {
		hint = chain
	}
	found, address, more, r := readAddress(rest, hint)
	if r != nil {
		return content{}, nil, r
	}
	if chain != "" && chain != found {
		return content{}, nil, reject(ReasonUnknownChain)
	}
	if chain == "" {
		changes = append(changes, changeChain)
	}
	text := found + ":" + address
	if stopWallet(text) {
		return content{}, nil, reject(ReasonStopValue)
	}
	return content{formCanonical, text}, append(changes, more...), nil
}

func canonicalWallet(c content) bool { return c.form == formCanonical && reparses(c, parseWallet) }

func chainNamed(s string) (string, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case chainBitcoin, "btc":
		return chainBitcoin, true
	case chainEthereum, "eth":
		return chainEthereum, true
	case chainTron, "trx":
		return chainTron, true
	}
	return "", false
}

// cutParameters removes amounts and chain numbers of payment links (BIP-21, EIP-681).
func cutParameters(s string) (string, bool) {
	if i := strings.IndexAny(s, "?@"); i >= 0 {
		return s[:i], true
	}
	return s, false
}

// readAddress recognises the chain by the form of the address. Bare hex is read only with
// a hint, since a hash looks the same.
func readAddress(s, hint string) (chain, address string, changes []Change, r *Rejection) {
	lower := strings.ToLower(s)
	switch {
	case strings.HasPrefix(lower, "0x"):
		address, changes, r = ethereum(s[2:])
		return chainEthereum, address, changes, r
	case len(s) == 40 && hint == chainEthereum:
		address, changes, r = ethereum(s)
		return chainEthereum, address, append(changes, changeHexAddress), r
	case len(s) == 42 && hint == chainTron && strings.HasPrefix(s, "41"):
		address, r = tronHex(lower)
		return chainTron, address, []Change{changeHexAddress}, r
	case strings.HasPrefix(lower, "bc1") || strings.HasPrefix(lower, "tb1") || strings.HasPrefix(lower, "bcrt1"):
		address, r = segwit(s)
		if r == nil && address != s {
			changes = []Change{changeCase}
		}
		return chainBitcoin, address, changes, r
	}
	return readBase58(s)
}

// readBase58 tells chains apart by the version byte.
func readBase58(s string) (chain, address string, changes []Change, r *Rejection) {
	payload, r := base58check(s)
	if r != nil {
		return "", "", nil, r
	}
	switch payload[0] {
	case 0x00, 0x05: // pay to public key hash, pay to script hash
		return chainBitcoin, s, nil, nil
	case 0x41:
		return chainTron, s, nil, nil
	case 0x6F, 0xC4:
		return "", "", nil, reject(ReasonTestNetwork)
	}
	return "", "", nil, reject(ReasonUnknownChain)
}

// ethereum reads 40 hex digits. Mixed case carries the checksum of EIP-55.
func ethereum(s string) (string, []Change, *Rejection) {
	lower := strings.ToLower(s)
	if len(s) != 40 {
		return "", nil, reject(ReasonWrongLength)
	}
	if !onlyOf(lower, isHexLower) {
		return "", nil, reject(ReasonCharacters)
	}
	address := "0x" + lower
	if s == lower || s == strings.ToUpper(s) {
		return address, []Change{changeNoChecksum}, nil
	}
	if s != checksumCase(lower) {
		return "", nil, reject(ReasonChecksum)
	}
	return address, []Change{changeChecksumCase}, nil
}

// checksumCase writes the letters in upper case where the hash of the address has a half
// byte of 8 or more.
func checksumCase(lower string) string {
	h := sha3.NewLegacyKeccak256()
	_, _ = h.Write([]byte(lower)) // a hash never fails
	digest := hex.EncodeToString(h.Sum(nil))
	out := []byte(lower)
	for i := range out {
		if isLower(out[i]) && digest[i] >= '8' {
			out[i] -= 'a' - 'A'
		}
	}
	return string(out)
}

func tronHex(lower string) (string, *Rejection) {
	payload, err := hex.DecodeString(lower)
	if err != nil {
		return "", reject(ReasonCharacters)
	}
	return base58checkEncode(payload), nil
}

// stopWallet reports addresses that nobody owns, and contracts of tokens that people copy
// instead of the address that holds them.
func stopWallet(text string) bool {
	return slices.Contains([]string{
		"bitcoin:1111111111111111111114oLvT2", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
		"bitcoin:1BitcoinEaterAddressDontSendf59kuE",
		"ethereum:0x0000000000000000000000000000000000000000", "ethereum:0x000000000000000000000000000000000000dead",
		"ethereum:0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "ethereum:0xdac17f958d2ee523a2206206994597c13d831ec7",
		"ethereum:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
		"tron:T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "tron:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
	}, text)
}
