package entry

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"entente/protocol/checkpoint"
	"entente/protocol/roster"
)

// What a field of the submitted chain may be. There is no class for an indicator, for
// anything computed from one, for an outcome, a count of hits, a ground or a person.
const (
	aMember  = "a member or what its card says"
	aKey     = "a public key, or a proof by one"
	aDigest  = "digest of a document that its members hold: a roster, rules, an entry"
	aNonce   = "digest over a secret nonce of 256 bits"
	aNumber  = "a number or time of the ledger's own: version, period, clock, window, threshold"
	aBudget  = "granted or spent, in size classes"
	aCounter = "requests that one member refused in a window, for all grounds and partners"
	aKind    = "name of a kind of indicator, or of a bloc"
	aTree    = "checkpoints and their signatures"
	anAction = "which change is proposed"
)

// shown says what each field of each body of the submitted chain is. Whoever adds a kind
// or a field has to say it here.
var shown = map[string]string{
	"RosterState.Version": aNumber, "RosterState.Digest": aDigest,
	"PolicyState.Version": aNumber, "PolicyState.Digest": aDigest,
	"Gap.First": aNumber, "Gap.Last": aNumber, "Gap.Lost": aNumber,
	"Sealed.Digest": aNonce, "KeyState.Key": aKey, "KeyState.Ed25519": aKey, "KeyState.MLDSA44": aKey, "Reference.Proposal": aDigest,
	"Spend.Kind": aKind, "Spend.Period": aNumber, "Spend.Class": aBudget,
	"Refused.From": aNumber, "Refused.Until": aNumber, "Refused.Count": aCounter,
	"Conflict.Evidence": aTree,
	"Rotation.Sign":     aKey, "Rotation.Transport": aKey, "Rotation.Proof": aKey, "Rotation.Channel": aKey,
	"AddressState.Addresses": aMember,
	"Change.Action":          anAction, "Change.Body": "the body of one of the actions, below", "Change.Expires": aNumber,
	"Joining.Member": aMember, "Joining.Signature": aKey, "Renewal.Member": aMember, "Renewal.Signature": aKey,
	"Concerned.Member": aMember, "Seats.Members": aMember, "Seats.Threshold": aNumber,
	"Spread.Blocs": aKind, "Spread.Wanted": aNumber, "Bloc.Name": aKind, "Bloc.Members": aMember,
	"Granted.Member": aMember, "Granted.Kind": aKind, "Granted.Period": aNumber, "Granted.Items": aBudget, "Granted.Daily": aBudget,
	"Member.ID": aMember, "Member.Name": aMember, "Member.Role": aMember, "Member.Sign": aKey, "Member.Transport": aKey,
	"Member.Addresses": aMember,
}

// bodies are the forms of all kinds of the submitted chain; nil is the empty array.
var bodies = map[Kind]any{
	Created: nil, PolicyActivated: PolicyState{}, Restored: Gap{}, RosterJoined: RosterState{}, SealedDigest: Sealed{},
	LocalHead: Sealed{}, Genesis: RosterState{}, CosigningKey: KeyState{}, Proposal: Change{}, Approval: Reference{},
	Objection: Reference{}, Tick: nil, BudgetSpent: Spend{}, Refusals: Refused{}, Evidence: Conflict{}, KeyRotated: Rotation{},
	AddressesChanged: AddressState{},
}

// TestWhatTheLedgerShows walks every kind that others may see, and every field of it.
func TestWhatTheLedgerShows(t *testing.T) {
	seen := map[string]bool{}
	var walk func(v reflect.Type)
	walk = func(v reflect.Type) {
		for v.Kind() == reflect.Slice {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return
		}
		for i := range v.NumField() {
			f := v.Field(i)
			if f.Name == "_" {
				continue
			}
			field := v.Name() + "." + f.Name
			if shown[field] == "" {
				t.Errorf("nobody has said what %s shows", field)
			}
			seen[field] = true
			walk(f.Type)
		}
	}
	for k := range kindAfterLast {
		form, listed := bodies[k]
		if listed != k.Allowed(Submitted) {
			t.Errorf("%s: is its form listed: %v; may it be submitted: %v", k, listed, !listed)
		}
		if form != nil {
			walk(reflect.TypeOf(form))
		}
		if !k.Allowed(Submitted) {
			continue
		}
		// The form is enforced: nothing else decodes under this kind.
		e := Entry{
			Version: Version, Federation: make([]byte, DigestSize), Chain: Submitted, Member: "AU", Sequence: 7,
			Previous: make([]byte, DigestSize), Time: start.UnixMilli(), Kind: k,
			Body: body(t, struct {
				_    struct{} `codec:",toarray"`
				Free string
			}{Free: "+61491570156"}),
		}
		if err := e.validate(); err == nil {
			t.Errorf("%s takes free text", k)
		}
	}
	for a := Join; a <= Grant; a++ {
		walk(reflect.TypeOf(everyAction(t)[a]))
	}
	for field := range shown {
		if !seen[field] {
			t.Errorf("%s is in no entry", field)
		}
	}
}

// Two parties that seal one agreement publish what nobody can link, test or tell from
// anything else that is sealed; only the author and the size are to be seen.
func TestSealedEntriesShowAuthorAndSize(t *testing.T) {
	agreement := bytes.Repeat([]byte{7}, 32)
	sizes, digests := map[int]bool{}, map[string]bool{}
	for _, member := range []string{"AU", "ID"} {
		for _, what := range []struct {
			label string
			body  []byte
		}{
			{"entente/round-agreement/1", agreement}, {"entente/round-agreement/1", agreement},
			{"entente/round-certificate/1", []byte("long " + strings.Repeat("x", 1000))}, {"entente/standing-applied/1", nil},
		} {
			o, err := Seal(what.label, what.body)
			if err != nil {
				t.Fatal(err)
			}
			public, err := o.Entry()
			if err != nil {
				t.Fatal(err)
			}
			s, _, err := author(t, member, 1).Next(Head{}, Submitted, SealedDigest, public, start)
			if err != nil {
				t.Fatal(err)
			}
			sizes[len(s.Entry)] = true
			d := o.Digest()
			digests[fmt.Sprintf("%x", d)] = true
			for _, hidden := range [][]byte{agreement, []byte("entente/"), o.Nonce} {
				if bytes.Contains(s.Entry, hidden) {
					t.Errorf("the entry of %s holds what it seals", what.label)
				}
			}
			// Who guesses label and body, but not the nonce, cannot test the guess.
			for _, nonce := range [][]byte{make([]byte, nonceSize), agreement} {
				guess := Opening{Label: what.label, Nonce: nonce, Body: what.body}
				if guess.Digest() == d {
					t.Error("a guess was confirmed")
				}
			}
		}
	}
	if len(sizes) != 1 || len(digests) != 8 {
		t.Errorf("%d sizes, %d different digests of 8", len(sizes), len(digests))
	}
}

// Evidence holds checkpoints and nothing that could carry more.
func TestEvidenceHoldsNothingElse(t *testing.T) {
	for _, v := range []any{checkpoint.Evidence{}, checkpoint.Signed{}, checkpoint.Signature{}} {
		r := reflect.TypeOf(v)
		for i := range r.NumField() {
			switch f := r.Field(i); f.Name {
			case "_", "First", "Second", "Root", "Proof", "Text", "Signatures", "Member", "Role", "Time", "Ed25519", "MLDSA44":
			default:
				t.Errorf("%s.%s is new: say what it shows", r.Name(), f.Name)
			}
		}
	}
	if reflect.TypeOf(roster.Member{}).NumField() != 7 {
		t.Error("a member's card has another field: say what it shows")
	}
}
