package roster

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// What the files say about themselves in their first field.
const (
	cardFormat         = "entente member card 1"
	rosterFormat       = "entente roster 1"
	ledgerRosterFormat = "entente roster 2"
	signatureFormat    = "entente roster signature 1"
)

// Sizes above which a file is refused unread, in bytes.
const (
	MaxCardSize      = 16 << 10
	MaxRosterSize    = 512 << 10
	MaxSignatureSize = 16 << 10
)

// ErrFormat marks a file that is not what it should be, whatever else is wrong with it.
var ErrFormat = errors.New("not in the expected format")

type memberFile struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Role      Role        `json:"role"`
	Sign      []byte      `json:"sign_key"`
	Transport []byte      `json:"transport_key"`
	Addresses addressList `json:"addresses"`
}

type cardFile struct {
	Format    string     `json:"format"`
	Member    memberFile `json:"member"`
	Signature []byte     `json:"signature"`
}

type rosterFile struct {
	Format  string     `json:"format"`
	Name    string     `json:"name"`
	Version uint64     `json:"version"`
	Members memberList `json:"members"`
	// In the second form all of these are there, in the first none.
	Sequencers *sequencerList `json:"sequencers,omitempty"`
	Blocs      *blocList      `json:"blocs,omitempty"`
	Wanted     *uint16        `json:"blocs_wanted,omitempty"`
}

type blocFile struct {
	Name    string `json:"name"`
	Members idList `json:"members"`
}

type signatureFile struct {
	Format    string `json:"format"`
	Member    string `json:"member"`
	Roster    string `json:"roster"` // hex, so that people can compare it
	Signature []byte `json:"signature"`
}

// These lists stop decoding at their limit, so that a hostile file of many empty elements
// cannot take many times its size in memory.
type memberList []memberFile

func (l *memberList) UnmarshalJSON(b []byte) error {
	return decodeList(b, (*[]memberFile)(l), MaxMembers)
}

type addressList []string

func (l *addressList) UnmarshalJSON(b []byte) error {
	return decodeList(b, (*[]string)(l), MaxAddresses)
}

type sequencerList []string

func (l *sequencerList) UnmarshalJSON(b []byte) error {
	return decodeList(b, (*[]string)(l), MaxSequencers)
}

type blocList []blocFile

func (l *blocList) UnmarshalJSON(b []byte) error {
	return decodeList(b, (*[]blocFile)(l), MaxMembers)
}

type idList []string

func (l *idList) UnmarshalJSON(b []byte) error {
	return decodeList(b, (*[]string)(l), MaxMembers)
}

func decodeList[T any](b []byte, list *[]T, limit int) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.New("is not a list")
	}
	*list = []T{}
	for d.More() {
		if len(*list) == limit {
			return fmt.Errorf("has more than %d elements", limit)
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		*list = append(*list, v)
	}
	return nil
}

func toFile(m Member) memberFile {
	return memberFile{m.ID, m.Name, m.Role, m.Sign, m.Transport, append(addressList{}, m.Addresses...)}
}

func (f memberFile) member() Member {
	return Member{ID: f.ID, Name: f.Name, Role: f.Role, Sign: f.Sign, Transport: f.Transport, Addresses: f.Addresses}
}

// JSON returns the card as member.json holds it.
func (c Card) JSON() ([]byte, error) {
	return encode(cardFile{cardFormat, toFile(c.Member), c.Signature})
}

// ParseCard reads member.json and verifies it.
func ParseCard(b []byte) (Card, error) {
	var f cardFile
	if err := decode(b, &f, MaxCardSize); err != nil {
		return Card{}, fmt.Errorf("read member card: %w", err)
	}
	if f.Format != cardFormat {
		return Card{}, fmt.Errorf("read member card: %w: the file does not begin as %q", ErrFormat, cardFormat)
	}
	c := Card{Member: f.Member.member(), Signature: f.Signature}
	if err := c.Verify(); err != nil {
		return Card{}, fmt.Errorf("read member card: %w", err)
	}
	return c, nil
}

// JSON returns the roster as fed.json holds it.
func (r Roster) JSON() ([]byte, error) {
	f := rosterFile{Format: r.form().file, Name: r.Name, Version: r.Version, Members: memberList{}}
	for _, m := range r.Members {
		f.Members = append(f.Members, toFile(m))
	}
	if r.HasLedger() {
		sequencers, blocs := sequencerList(r.Sequencers), blocList{}
		for _, b := range r.Spread.Blocs {
			blocs = append(blocs, blocFile{b.Name, append(idList{}, b.Members...)})
		}
		f.Sequencers, f.Blocs, f.Wanted = &sequencers, &blocs, &r.Spread.Wanted
	}
	return encode(f)
}

// Parse reads fed.json and validates it. Signatures are another matter: see Verify.
func Parse(b []byte) (Roster, error) {
	var f rosterFile
	if err := decode(b, &f, MaxRosterSize); err != nil {
		return Roster{}, fmt.Errorf("read roster: %w", err)
	}
	r := Roster{Version: f.Version, Name: f.Name}
	for _, m := range f.Members {
		r.Members = append(r.Members, m.member())
	}
	if err := f.ledger(&r); err != nil {
		return Roster{}, fmt.Errorf("read roster: %w: %w", ErrFormat, err)
	}
	if err := r.Validate(); err != nil {
		return Roster{}, fmt.Errorf("read: %w", err)
	}
	return r, nil
}

// ledger adds to a roster what the second form says besides. The form is the one that the
// file names: what else is in it only has to fit.
func (f *rosterFile) ledger(r *Roster) error {
	switch f.Format {
	case rosterFormat:
		if f.Sequencers != nil || f.Blocs != nil || f.Wanted != nil {
			return fmt.Errorf("sequencers and blocs belong into a file that begins as %q", ledgerRosterFormat)
		}
		return nil
	case ledgerRosterFormat:
		if f.Sequencers == nil || f.Blocs == nil || f.Wanted == nil {
			return errors.New("fields are missing: sequencers, blocs or blocs_wanted")
		}
	default:
		return fmt.Errorf("the file does not begin as %q or %q", rosterFormat, ledgerRosterFormat)
	}
	if len(*f.Sequencers) == 0 {
		return fmt.Errorf("a file that begins as %q must name who sequences", ledgerRosterFormat)
	}
	r.Sequencers, r.Spread.Wanted = *f.Sequencers, *f.Wanted
	for _, b := range *f.Blocs {
		r.Spread.Blocs = append(r.Spread.Blocs, Bloc{Name: b.Name, Members: b.Members})
	}
	return nil
}

// JSON returns the signature as fed.json.<ID>.sig holds it.
func (s Signature) JSON() ([]byte, error) {
	return encode(signatureFile{signatureFormat, s.Member, hex.EncodeToString(s.Roster[:]), s.Signature})
}

// ParseSignature reads fed.json.<ID>.sig; only Roster.Verify says what it is worth.
func ParseSignature(b []byte) (Signature, error) {
	var f signatureFile
	if err := decode(b, &f, MaxSignatureSize); err != nil {
		return Signature{}, fmt.Errorf("read roster signature: %w", err)
	}
	if f.Format != signatureFormat {
		return Signature{}, fmt.Errorf("read roster signature: %w: the file does not begin as %q", ErrFormat, signatureFormat)
	}
	if err := CheckID(f.Member); err != nil {
		return Signature{}, fmt.Errorf("read roster signature: %w", err)
	}
	s := Signature{Member: f.Member, Signature: f.Signature}
	digest, err := hex.DecodeString(f.Roster)
	if err != nil || len(digest) != len(s.Roster) || strings.ToLower(f.Roster) != f.Roster {
		return Signature{}, fmt.Errorf("read roster signature: %w: the roster's digest must be 64 small hex digits", ErrFormat)
	}
	copy(s.Roster[:], digest)
	return s, nil
}

// SignatureName is the name of a member's signature file beside a roster file.
func SignatureName(file, member string) string { return file + "." + member + ".sig" }

// Load reads a roster file and all signature files that lie beside it, without judging
// the signatures. A signature file must carry its signer's ID in its name.
func Load(fsys fs.FS, file string) (Roster, []Signature, error) {
	b, err := ReadLimited(fsys, file, MaxRosterSize)
	if err != nil {
		return Roster{}, nil, fmt.Errorf("load roster: %w", err)
	}
	r, err := Parse(b)
	if err != nil {
		return Roster{}, nil, fmt.Errorf("load %s: %w", file, err)
	}
	names, err := SignatureFiles(fsys, file)
	if err != nil {
		return Roster{}, nil, fmt.Errorf("load roster: %w", err)
	}
	var ss []Signature
	for _, name := range names {
		s, err := loadSignature(fsys, file, name)
		if err != nil {
			return Roster{}, nil, fmt.Errorf("load %s: %w", name, err)
		}
		ss = append(ss, s)
	}
	return r, ss, nil
}

// SignatureFiles lists the signature files beside a roster file, in order of name.
func SignatureFiles(fsys fs.FS, file string) ([]string, error) {
	entries, err := fs.ReadDir(fsys, path.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("list signature files: %w", err)
	}
	var names []string
	for _, e := range entries {
		name := path.Join(path.Dir(file), e.Name())
		if strings.HasPrefix(name, file+".") && strings.HasSuffix(name, ".sig") && !e.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func loadSignature(fsys fs.FS, file, name string) (Signature, error) {
	b, err := ReadLimited(fsys, name, MaxSignatureSize)
	if err != nil {
		return Signature{}, err
	}
	s, err := ParseSignature(b)
	if err != nil {
		return Signature{}, err
	}
	if name != SignatureName(file, s.Member) {
		return Signature{}, fmt.Errorf("%w: holds the signature of %s, the name says another", ErrFormat, s.Member)
	}
	return s, nil
}

// ReadLimited reads a whole file and refuses one above the limit before reading on.
func ReadLimited(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read %s: %w: has more than %d bytes", name, ErrFormat, limit)
	}
	return b, nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write file: %w", err)
	}
	return b.Bytes(), nil
}

// decode admits exactly what encode writes, white space apart: the standard decoder
// alone takes repeated fields, any letter case and many spellings of one string, so that
// what a person reads in the file and what gets verified could differ.
func decode(b []byte, v any, limit int) error {
	if len(b) > limit {
		return fmt.Errorf("%w: has more than %d bytes", ErrFormat, limit)
	}
	d := json.NewDecoder(bytes.NewReader(b)) // reads one value; Compact below refuses what follows it
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	var got, want bytes.Buffer
	got.Grow(len(b))
	want.Grow(len(b))
	if err := json.Compact(&got, b); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("compare with own spelling: %w", err)
	}
	if !bytes.Equal(got.Bytes(), bytes.TrimSuffix(want.Bytes(), []byte("\n"))) {
		return fmt.Errorf("%w: fields are missing, repeated, out of order or oddly spelt", ErrFormat)
	}
	return nil
}
