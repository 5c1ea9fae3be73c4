package rounds

import (
	"bytes"
	"errors"
	"testing"

	"entente/protocol/exact"
	"entente/protocol/person"
	"entente/protocol/round"
	"entente/protocol/similar"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// What an answer may make of an offer to compare vectors.
func TestSessionOfAnOfferAndAnAnswer(t *testing.T) {
	suite, err := exact.Lookup(Suite)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := suite.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	vectors := func(change ...func(*similar.Terms)) round.SuiteKey {
		x := similar.Terms{Model: personModel(), Dimension: person.Dimensions, Threshold: 3000}
		for _, c := range change {
			c(&x)
		}
		return round.SuiteKey{Name: similar.Name, Public: x.Marshal()}
	}
	keys := round.SuiteKey{Name: round.NamesSuite, Public: key}
	both, one := terms.Widest(terms.IDs, terms.IDs), terms.Widest(terms.IDs, terms.None)
	for name, c := range map[string]struct {
		kind         string
		offer        []round.SuiteKey
		answer       []round.SuiteKey
		terms        terms.Terms
		ours, theirs uint32
		code         wire.Code // 0: fine
		pairs        int64
	}{
		"few":                        {"person", []round.SuiteKey{vectors(), keys}, []round.SuiteKey{vectors()}, both, 64, 80, 0, 64 * 80},
		"few, by keys":               {"person", []round.SuiteKey{vectors(), keys}, []round.SuiteKey{vectors(), keys}, both, 64, 80, wire.Malformed, 0},
		"many":                       {"person", []round.SuiteKey{vectors(), keys}, []round.SuiteKey{vectors(), keys}, both, 1024, 1280, 0, 64 * 2304},
		"many, all pairs":            {"person", []round.SuiteKey{vectors(), keys}, []round.SuiteKey{vectors()}, both, 1024, 1280, wire.Malformed, 0},
		"many, keys not offered":     {"person", []round.SuiteKey{vectors()}, []round.SuiteKey{vectors()}, both, 1024, 1280, 0, 1024 * 1280},
		"many, keys come unasked":    {"person", []round.SuiteKey{vectors()}, []round.SuiteKey{vectors(), keys}, both, 1024, 1280, wire.Malformed, 0},
		"many, one learns":           {"person", []round.SuiteKey{vectors(), keys}, []round.SuiteKey{vectors()}, one, 1024, 1280, 0, 1024 * 1280},
		"many, one learns, by keys":  {"person", []round.SuiteKey{vectors(), keys}, []round.SuiteKey{vectors(), keys}, one, 1024, 1280, wire.Malformed, 0},
		"a key that is none":         {"person", []round.SuiteKey{vectors(), keys}, []round.SuiteKey{vectors(), {Name: round.NamesSuite, Public: bytes.Repeat([]byte{255}, 32)}}, both, 1024, 1280, wire.BadPoint, 0},
		"faces by keys":              {"face", []round.SuiteKey{vectors(), keys}, []round.SuiteKey{vectors(), keys}, both, 1024, 1280, wire.Malformed, 0},
		"higher threshold":           {"person", []round.SuiteKey{vectors()}, []round.SuiteKey{vectors(func(x *similar.Terms) { x.Threshold++ })}, both, 64, 64, 0, 64 * 64},
		"lower threshold":            {"person", []round.SuiteKey{vectors()}, []round.SuiteKey{vectors(func(x *similar.Terms) { x.Threshold-- })}, both, 64, 64, wire.AboveGrant, 0},
		"threshold without room":     {"person", []round.SuiteKey{vectors()}, []round.SuiteKey{vectors(func(x *similar.Terms) { x.Threshold = person.MaxThreshold + 1 })}, both, 64, 64, wire.Malformed, 0},
		"another model":              {"person", []round.SuiteKey{vectors()}, []round.SuiteKey{vectors(func(x *similar.Terms) { x.Model[3]++ })}, both, 64, 64, wire.AboveGrant, 0},
		"another dimension":          {"person", []round.SuiteKey{vectors()}, []round.SuiteKey{vectors(func(x *similar.Terms) { x.Dimension = 512 })}, both, 64, 64, wire.AboveGrant, 0},
		"as many pairs as there are": {"face", []round.SuiteKey{vectors()}, []round.SuiteKey{vectors()}, both, 1 << 14, 1 << 15, 0, 1 << 29},
		"more pairs than there are":  {"face", []round.SuiteKey{vectors()}, []round.SuiteKey{vectors()}, both, 1 << 14, 5 << 13, wire.TooLarge, 0},
		"no vectors":                 {"person", []round.SuiteKey{vectors()}, []round.SuiteKey{keys}, both, 64, 64, wire.UnsupportedVersion, 0},
	} {
		x, err := session(round.Offer{Kind: c.kind, Class: c.ours, Suites: c.offer}, round.Answer{Class: c.theirs, Suites: c.answer, Terms: c.terms})
		broke, ok := errors.AsType[*wire.ProtocolError](err)
		switch {
		case c.code != 0 && (!ok || broke.Code != c.code):
			t.Errorf("%s: %v, want error %d", name, err, c.code)
		case c.code == 0 && (err != nil || x.pairs() != c.pairs):
			t.Errorf("%s: %d pairs: %v", name, x.pairs(), err)
		}
	}
}
