package checkpoint

import (
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

func TestTextHasOneSpelling(t *testing.T) {
	later := Origin{Federation: federation, Term: 3, Caller: "AU", Opening: [32]byte{9}}
	good := string(Checkpoint{later, 12, Hash{1}}.Text())
	c, err := Parse([]byte(good))
	if err != nil || c.Origin != later || c.Size != 12 || c.Root != (Hash{1}) {
		t.Errorf("%+v, %v", c, err)
	}
	var other log.Checkpoint // another reader understands it
	if rest, err := other.Unmarshal([]byte(good)); err != nil || len(rest) > 0 || other.Size != 12 || other.Origin != c.Origin.String() {
		t.Errorf("another reader: %+v, %v", other, err)
	}
	for name, bad := range map[string]string{
		"empty":           "",
		"no end":          strings.TrimSuffix(good, "\n"),
		"extension line":  good + "more\n",
		"zero before":     strings.Replace(good, "\n12\n", "\n012\n", 1),
		"sign":            strings.Replace(good, "\n12\n", "\n+12\n", 1),
		"too large":       strings.Replace(good, "\n12\n", "\n35184372088833\n", 1),
		"other origin":    strings.Replace(good, "entente/", "example/", 1),
		"no prefix":       strings.TrimPrefix(good, "entente/"),
		"term 0":          strings.Replace(good, "/3/", "/0/", 1),
		"term 03":         strings.Replace(good, "/3/", "/03/", 1),
		"first, opened":   strings.Replace(good, "/3/", "/1/", 1),
		"later, unopened": string(Checkpoint{Origin{Federation: federation, Term: 1}, 12, Hash{1}}.Text()[:75]) + "2\n12\n" + good[len(good)-45:],
		"no caller":       strings.Replace(good, "/AU/", "//", 1),
		"small caller":    strings.Replace(good, "/AU/", "/au/", 1),
		"short opening":   strings.Replace(good, "/AU/09", "/AU/", 1),
		"three parts":     strings.Replace(good, "/AU/", "/", 1),
		"capital letters": strings.Replace(good, "fed1", "FED1", 1),
		"short root":      strings.Replace(good, "AAAA=", "=", 1),
		"trailing bits":   strings.Replace(good, "AAA=", "AAB=", 1),
		"carriage return": strings.Replace(good, "\n12\n", "\r\n12\n", 1),
		"long":            good + strings.Repeat("x", MaxText),
	} {
		if _, err := Parse([]byte(bad)); err == nil || bad == good {
			t.Errorf("%s was taken", name)
		}
	}
}

// The tree is RFC 6962's, as another implementation of it checks.
func TestProofsConvinceAnotherVerifier(t *testing.T) {
	const most = 70
	m := grown(t, most, most, 0)
	if uint64(len(m)) != Stored(most) {
		t.Errorf("%d hashes are stored, expected %d", len(m), Stored(most))
	}
	for size := uint64(1); size <= most; size += 3 {
		c := at(t, m, size)
		for i := range size {
			p, err := ProveInclusion(i, size, m)
			must(t, err)
			leaf, err := m.ReadHashes([]int64{int64(Stored(i))})
			must(t, err)
			must(t, c.CheckInclusion(p, i, leaf[0]))
			must(t, proof.VerifyInclusion(rfc6962.DefaultHasher, i, size, leaf[0][:], raw(p), c.Root[:]))
			if size > 1 && c.CheckInclusion(p, (i+1)%size, leaf[0]) == nil {
				t.Errorf("entry %d passes for entry %d of %d", i, i+1, size)
			}
			if c.CheckInclusion(p, i, Hash{9}) == nil || c.CheckInclusion(append(p, Hash{}), i, leaf[0]) == nil {
				t.Errorf("a wrong proof of entry %d of %d passes", i, size)
			}
		}
		for old := range size {
			p, err := ProveConsistency(old, size, m)
			must(t, err)
			before := at(t, m, old)
			must(t, c.CheckConsistency(p, old, before.Root))
			if old > 0 {
				must(t, proof.VerifyConsistency(rfc6962.DefaultHasher, old, size, raw(p), before.Root[:], c.Root[:]))
			}
			if c.CheckConsistency(p, old, Hash{9}) == nil || c.CheckConsistency(append(p, Hash{}), old, before.Root) == nil {
				t.Errorf("a wrong proof from %d to %d passes", old, size)
			}
		}
		must(t, c.CheckConsistency(nil, size, c.Root))
	}
}

func raw(hashes []Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}

func TestProofsOutOfRange(t *testing.T) {
	m := grown(t, 4, 4, 0)
	c := at(t, m, 4)
	long := make([]Hash, MaxProof+1)
	for name, err := range map[string]error{
		"index":        c.CheckInclusion(nil, 4, Hash{}),
		"long":         c.CheckInclusion(long, 0, Hash{}),
		"size":         c.CheckConsistency(nil, 5, Hash{}),
		"long history": c.CheckConsistency(long, 2, Hash{}),
		"huge":         Checkpoint{Size: 1 << 63}.CheckConsistency(nil, 1<<62, Hash{}),
		"huge entry":   Checkpoint{Size: 1 << 63}.CheckInclusion(nil, 1<<62, Hash{}),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := ProveInclusion(4, 4, m); err == nil {
		t.Error("proved an entry that is not there")
	}
	if _, err := ProveConsistency(5, 4, m); err == nil {
		t.Error("proved a smaller tree")
	}
	if _, err := Append(MaxSize, Hash{}, m); err == nil {
		t.Error("appended to a full tree")
	}
	if _, err := Root(5, m); err == nil {
		t.Error("a root of what is not held")
	}
}
