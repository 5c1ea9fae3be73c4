package federation

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entente/protocol/roster"
)

func TestCreateSignJoinLoad(t *testing.T) {
	au, id, th := newNode(t, "AU", 1), newNode(t, "ID", 2), newNode(t, "TH", 3)
	if _, err := Load(au.dir, "AU", au.keys); !errors.Is(err, ErrNotJoined) {
		t.Errorf("before joining: %v", err)
	}
	file := draw(t, "bali", th, au, id)
	joined, err := Join(au.dir, file, au.keys, Last{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := Load(au.dir, "AU", au.keys)
	if err != nil {
		t.Fatal(err)
	}
	if f.Digest() != joined.Digest() || f.Words() != joined.Words() || f.Roster().Name != "bali" || f.Own().ID != "AU" {
		t.Errorf("loaded %q of %s", f.Roster().Name, f.Own().ID)
	}
	var ids []string
	for _, p := range f.Partners() {
		ids = append(ids, p.ID)
	}
	if !slices.Equal(ids, []string{"ID", "TH"}) {
		t.Errorf("partners are %v", ids)
	}
	p, ok := f.Find("TH")
	if want, err := p.Member.Digest(); !ok || !p.Key.Equal(th.key.Public()) || err != nil || p.Digest != want {
		t.Errorf("Find(TH) = %v, %v", ok, err)
	}
	for _, id := range []string{"AU", "XX"} {
		if _, ok := f.Find(id); ok {
			t.Errorf("%s is a partner", id)
		}
	}
	want := []string{"audit", "federation.json", "federation.json.AU.sig", "federation.json.ID.sig", "federation.json.TH.sig", "member.json", "rosters"}
	if got := names(t, au.dir); !slices.Equal(got, want) {
		t.Errorf("directory holds %v", got)
	}
	if got := names(t, filepath.Join(au.dir, AuditFolder)); !slices.Equal(got, want[1:]) {
		t.Errorf("audit folder holds %v", got)
	}
	if _, err := Join(au.dir, file, au.keys, Last{}); err != nil {
		t.Errorf("joining again: %v", err)
	}
}

// The transport declares its own type of the same form; a conversion must stay possible.
func TestPeersConvert(t *testing.T) {
	type member struct {
		ID        string
		Key       ed25519.PublicKey
		Addresses []string
	}
	au, id := newNode(t, "AU", 1), newNode(t, "ID", 2)
	f, err := Join(au.dir, draw(t, "bali", au, id), au.keys, Last{})
	if err != nil {
		t.Fatal(err)
	}
	ps := f.Peers()
	if len(ps) != 1 {
		t.Fatalf("%d peers", len(ps))
	}
	if m := member(ps[0]); m.ID != "ID" || !m.Key.Equal(id.keys.Transport) || m.Addresses[0] != "/ip4/192.0.2.1/tcp/7101" {
		t.Errorf("peer is %v", m)
	}
}

func TestJoinRefusesSignatures(t *testing.T) {
	au, id, th := newNode(t, "AU", 1), newNode(t, "ID", 2), newNode(t, "TH", 3)
	other := draw(t, "other", au, id)
	for name, c := range map[string]struct {
		change func(file string)
		want   roster.VerifyError
	}{
		"missing": {func(file string) {
			if err := os.Remove(file + ".ID.sig"); err != nil {
				t.Fatal(err)
			}
		}, roster.VerifyError{Missing: []string{"ID"}}},
		"other roster's": {func(file string) { write(t, file+".ID.sig", read(t, other+".ID.sig")) },
			roster.VerifyError{Other: []string{"ID"}}},
		"wrong": {func(file string) {
			text := string(read(t, file+".ID.sig"))
			i := strings.Index(text, `"signature": "`) + len(`"signature": "`)
			swapped := "A"
			if text[i] == 'A' {
				swapped = "B"
			}
			write(t, file+".ID.sig", []byte(text[:i]+swapped+text[i+1:]))
		}, roster.VerifyError{Wrong: []string{"ID"}}},
		"foreign": {func(file string) {
			with := draw(t, "bali", au, id, th)
			write(t, file+".TH.sig", read(t, with+".TH.sig"))
		}, roster.VerifyError{Foreign: []string{"TH"}}},
	} {
		file := draw(t, "bali", au, id)
		c.change(file)
		var got *roster.VerifyError
		if _, err := Join(au.dir, file, au.keys, Last{}); !errors.As(err, &got) || got.Error() != c.want.Error() {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Load(au.dir, "AU", au.keys); !errors.Is(err, ErrNotJoined) {
			t.Errorf("%s: something was joined: %v", name, err)
		}
	}
}

func TestOwnEntryMustBeOwn(t *testing.T) {
	au, id, th := newNode(t, "AU", 1), newNode(t, "ID", 2), newNode(t, "TH", 3)
	var own *OwnEntryError
	without := draw(t, "bali", id, th)
	if _, _, err := Sign(au.dir, without, au.key); !errors.As(err, &own) || !own.Absent {
		t.Errorf("signing a roster without the own entry: %v", err)
	}
	if _, err := Join(au.dir, without, au.keys, Last{}); !errors.As(err, &own) || !own.Absent || own.Member != "AU" {
		t.Errorf("joining a roster without the own entry: %v", err)
	}
	impostor := newNode(t, "AU", 9)
	stolen := draw(t, "bali", impostor, id)
	if _, _, err := Sign(au.dir, stolen, au.key); !errors.As(err, &own) || !slices.Contains(own.Fields, "signing key") {
		t.Errorf("signing a roster with another's key for the own entry: %v", err)
	}
	if _, err := Join(au.dir, stolen, au.keys, Last{}); !errors.As(err, &own) || !slices.Contains(own.Fields, "transport key") {
		t.Errorf("joining it: %v", err)
	}
	file := draw(t, "bali", au, id)
	au.writeCard(t, "Another name")
	if _, err := Join(au.dir, file, au.keys, Last{}); !errors.As(err, &own) || !slices.Equal(own.Fields, []string{"name"}) {
		t.Errorf("joining with another name in the card: %v", err)
	}
	au.writeCard(t, "Member AU")
	if _, err := Join(au.dir, file, au.keys, Last{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(au.dir, "AU", impostor.keys); !errors.As(err, &own) || len(own.Fields) != 2 {
		t.Errorf("loading with other keys: %v", err)
	}
	if _, err := Load(au.dir, "ID", au.keys); !errors.As(err, &own) {
		t.Errorf("loading for another member: %v", err)
	}
}

func TestLoadVerifiesAgain(t *testing.T) {
	au, id := newNode(t, "AU", 1), newNode(t, "ID", 2)
	if _, err := Join(au.dir, draw(t, "bali", au, id), au.keys, Last{}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(au.dir, RosterName)
	good := read(t, file)
	write(t, file, []byte(strings.Replace(string(good), "192.0.2.1", "192.0.2.9", 1)))
	var amiss *roster.VerifyError
	if _, err := Load(au.dir, "AU", au.keys); !errors.As(err, &amiss) || len(amiss.Other) != 2 {
		t.Errorf("a changed address: %v", err)
	}
	write(t, file, good[:100])
	if _, err := Load(au.dir, "AU", au.keys); !errors.Is(err, roster.ErrFormat) {
		t.Errorf("a cut roster: %v", err)
	}
}

func TestAnotherFederationIsRefused(t *testing.T) {
	au, id, th := newNode(t, "AU", 1), newNode(t, "ID", 2), newNode(t, "TH", 3)
	if _, err := Join(au.dir, draw(t, "bali", au, id), au.keys, Last{}); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"another name":              draw(t, "other", au, id),
		"same version, one more in": draw(t, "bali", au, id, th),
	} {
		if _, err := Join(au.dir, file, au.keys, Last{}); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCardFiles(t *testing.T) {
	au := newNode(t, "AU", 1)
	c, err := ReadCard(au.dir)
	if err != nil || c.Member.ID != "AU" {
		t.Fatal(err)
	}
	c.Member.Name = "Other"
	if err := WriteCard(au.dir, c); err == nil {
		t.Error("a card that does not verify was written")
	}
	if err := WriteCard(filepath.Join(au.dir, "none"), c); err == nil {
		t.Error("a card was written into nowhere")
	}
	if _, err := ReadCard(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no card: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	au, id := newNode(t, "AU", 1), newNode(t, "ID", 2)
	cards := []string{filepath.Join(au.dir, CardName), filepath.Join(id.dir, CardName)}
	file := filepath.Join(t.TempDir(), "fed.json")
	if _, err := Create("bali", file, cards[:1]); err == nil {
		t.Error("a federation of one")
	}
	if _, err := Create("bali", file, []string{cards[0], cards[0]}); err == nil {
		t.Error("one member twice")
	}
	if _, err := Create("bali", file, []string{cards[0], file}); err == nil {
		t.Error("a card that is not there")
	}
	if _, err := Create("bali", filepath.Join(file, "x"), cards); err == nil {
		t.Error("a folder that is not there")
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused roster was written: %v", err)
	}
	if _, err := Create("bali", file, cards); err != nil {
		t.Fatal(err)
	}
	before := read(t, file)
	if _, err := Create("other", file, cards); err == nil || string(read(t, file)) != string(before) {
		t.Errorf("an existing roster was overwritten: %v", err)
	}
}

func TestSignNamesItsFile(t *testing.T) {
	au, id := newNode(t, "AU", 1), newNode(t, "ID", 2)
	file := draw(t, "bali", au, id)
	r, name, err := Sign(au.dir, file, au.key) // a second time: replaces the first
	if err != nil || name != file+".AU.sig" || r.Name != "bali" {
		t.Errorf("%s, %v", name, err)
	}
	if _, _, err := Sign(au.dir, file, id.key); err == nil {
		t.Error("signed with a key that is not the card's")
	}
	if _, _, err := Sign(au.dir, file+"x", au.key); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a roster that is not there: %v", err)
	}
	t.Chdir(filepath.Dir(file))
	if _, name, err = Sign(au.dir, "fed.json", au.key); err != nil || name != "fed.json.AU.sig" {
		t.Errorf("in the current folder: %s, %v", name, err)
	}
}

// A roster that says who sequences a ledger is signed, joined, loaded and kept as any other.
func TestRosterWithLedger(t *testing.T) {
	au, id := newNode(t, "AU", 1), newNode(t, "ID", 2)
	file := filepath.Join(t.TempDir(), "fed.json")
	cards := []string{filepath.Join(au.dir, CardName), filepath.Join(id.dir, CardName)}
	spread := roster.Spread{Blocs: []roster.Bloc{{Name: "all", Members: []string{"ID", "AU"}}}, Wanted: 1}
	if _, err := CreateWithLedger("bali", file, cards, []string{"TH"}, spread); err == nil || !strings.Contains(err.Error(), "TH is not a member") {
		t.Errorf("a stranger would sequence: %v", err)
	}
	r, err := CreateWithLedger("bali", file, cards, []string{"ID", "AU"}, spread)
	if err != nil || !slices.Equal(r.Sequencers, []string{"AU", "ID"}) {
		t.Fatalf("%v, %v", r.Sequencers, err)
	}
	for _, n := range []node{au, id} {
		if _, _, err := Sign(n.dir, file, n.key); err != nil {
			t.Fatal(err)
		}
	}
	f := join(t, au, file)
	keptWhole(t, au, f, file)
	loaded, err := Load(au.dir, "AU", au.keys)
	if err != nil || loaded.Digest() != r.Digest() || !loaded.Roster().HasLedger() || loaded.Roster().Spread.Wanted != 1 {
		t.Errorf("%v", err)
	}
	altered := strings.Replace(string(read(t, file)), `"blocs_wanted": 1`, `"blocs_wanted": 0`, 1)
	write(t, file, []byte(altered))
	var amiss *roster.VerifyError
	if _, err := Join(id.dir, file, id.keys, Last{}); !errors.As(err, &amiss) || len(amiss.Other) != 2 {
		t.Errorf("what nobody signed was joined: %v", err)
	}
}
