package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"entente/crypto/seal"
)

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// sources are all ways to unlock, each ready to be used.
func sources(t *testing.T) map[string]Unlock {
	t.Helper()
	outside, credentialsDir := t.TempDir(), t.TempDir()
	t.Setenv(credentials, credentialsDir)
	write(t, filepath.Join(credentialsDir, "entente"), "a passphrase from systemd", 0o440)
	return map[string]Unlock{
		"default":    {},
		"key file":   KeyFile(filepath.Join(outside, "unlock")),
		"passphrase": PassphraseFile(write(t, filepath.Join(outside, "pass"), "correct horse battery\n", 0o600)),
		"credential": Credential("entente"),
	}
}

func equal(a, b Keys) bool {
	return bytes.Equal(a.Identity().Seed(), b.Identity().Seed()) && a.Store().Equal(b.Store()) &&
		a.Transport().Private().Equal(b.Transport().Private())
}

func TestCreateOpen(t *testing.T) {
	for name, u := range sources(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := Open(dir, u); !errors.Is(err, ErrMissing) {
				t.Errorf("before they are made: %v", err)
			}
			made, err := Create(dir, u)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Open(dir, u)
			if err != nil {
				t.Fatal(err)
			}
			if !equal(made, got) {
				t.Error("other keys came back")
			}
			if !got.Transport().Public().Equal(got.Transport().Private().Public()) {
				t.Error("the public key is another's")
			}
			if _, err := Create(dir, u); !errors.Is(err, ErrExists) {
				t.Errorf("made again: %v", err)
			}
			again, err := Open(dir, u)
			if err != nil || !equal(made, again) {
				t.Errorf("the refusal changed something: %v", err)
			}
			warned := u.Warnings(dir)
			if (len(warned) > 0) != (name == "default") {
				t.Errorf("warnings: %v", warned)
			}
			for _, r := range []role{roleIdentity, roleTransport, roleStore} {
				info, err := os.Stat(filepath.Join(dir, Folder, string(r)))
				if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v %v", r, info.Mode(), err)
				}
			}
		})
	}
	if len(KeyFile("sub/unlock").Warnings(t.TempDir())) == 0 {
		t.Error("no warning for a key file inside the directory")
	}
}

func TestOpenRefuses(t *testing.T) {
	outside, dir, slowDir := t.TempDir(), t.TempDir(), t.TempDir()
	quick := KeyFile(filepath.Join(outside, "unlock"))
	slow := PassphraseFile(write(t, filepath.Join(outside, "pass"), "correct horse battery", 0o600))
	made, err1 := Create(dir, quick)
	_, err2 := Create(slowDir, slow)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	key := func(r role) string { return filepath.Join(dir, Folder, string(r)) }
	salt := filepath.Join(slowDir, Folder, saltFile)
	for name, c := range map[string]struct {
		path   string
		change func(path string, old []byte) error
		want   error
	}{
		"another key file":   {filepath.Join(outside, "unlock"), put(strings.Repeat("x", 32)), ErrUnlock},
		"long key file":      {filepath.Join(outside, "unlock"), put(strings.Repeat("x", 33)), ErrUnlock},
		"zero key file":      {filepath.Join(outside, "unlock"), put(strings.Repeat("\x00", 32)), ErrUnlock},
		"no key file":        {filepath.Join(outside, "unlock"), remove, ErrMissing},
		"another passphrase": {filepath.Join(outside, "pass"), put("another horse battery"), ErrUnlock},
		"short passphrase":   {filepath.Join(outside, "pass"), put("short\n"), nil},
		"no passphrase":      {filepath.Join(outside, "pass"), remove, ErrMissing},
		"no identity":        {key(roleIdentity), remove, ErrMissing},
		"no salt":            {salt, remove, ErrMissing},
		"short salt":         {salt, put("salt"), ErrUnlock},
		"altered header":     {key(roleStore), flip(3), ErrUnlock},
		"altered key":        {key(roleTransport), flip(60), ErrUnlock},
		"cut":                {key(roleIdentity), put(header(roleIdentity)), ErrUnlock},
		"empty":              {key(roleIdentity), put(""), ErrUnlock},
		"too long":           {key(roleIdentity), put(strings.Repeat("x", maxFile+1)), nil},
		"another role": {key(roleStore), func(path string, _ []byte) error {
			b, err := os.ReadFile(key(roleTransport))
			return errors.Join(err, os.WriteFile(path, b, 0o600))
		}, ErrUnlock},
		"a folder": {key(roleStore), func(path string, _ []byte) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		}, nil},
		"readable by group": {key(roleStore), func(path string, _ []byte) error { return os.Chmod(path, 0o640) }, ErrReadable},
		"readable by all":   {filepath.Join(outside, "pass"), func(path string, _ []byte) error { return os.Chmod(path, 0o604) }, ErrReadable},
		"a link out": {key(roleStore), func(path string, old []byte) error {
			return errors.Join(os.WriteFile(filepath.Join(outside, "k"), old, 0o600), os.Remove(path), os.Symlink(filepath.Join(outside, "k"), path))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && errors.Is(c.want, ErrReadable) {
				return // access lists do not show in a file's mode there
			}
			old, err := os.ReadFile(c.path)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(c.path, old); err != nil {
				t.Fatal(err)
			}
			open := func() (Keys, error) { return Open(dir, quick) }
			if c.path == salt || filepath.Base(c.path) == "pass" {
				open = func() (Keys, error) { return Open(slowDir, slow) }
			}
			if _, err := open(); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("opened: %v", err)
			}
			if err := errors.Join(os.RemoveAll(c.path), os.WriteFile(c.path, old, 0o600)); err != nil {
				t.Fatal(err)
			}
			if got, err := Open(dir, quick); err != nil || !equal(made, got) {
				t.Fatalf("put back: %v", err)
			}
		})
	}
}

func put(text string) func(string, []byte) error {
	return func(path string, _ []byte) error { return os.WriteFile(path, []byte(text), 0o600) }
}

func flip(at int) func(string, []byte) error {
	return func(path string, old []byte) error {
		b := bytes.Clone(old)
		b[at] ^= 1
		return os.WriteFile(path, b, 0o600)
	}
}

func remove(path string, _ []byte) error { return os.Remove(path) }

func TestUnlockRefuses(t *testing.T) {
	t.Setenv(credentials, "")
	if _, err := Create(t.TempDir(), Credential("entente")); !errors.Is(err, ErrMissing) {
		t.Errorf("without systemd: %v", err)
	}
	folder := t.TempDir()
	t.Setenv(credentials, folder)
	if _, err := Create(t.TempDir(), Credential("entente")); !errors.Is(err, ErrMissing) {
		t.Errorf("without the credential: %v", err)
	}
	if runtime.GOOS != "windows" {
		write(t, filepath.Join(folder, "entente"), "a passphrase from systemd", 0o600)
		if err := os.Chmod(filepath.Join(folder, "entente"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(t.TempDir(), Credential("entente")); !errors.Is(err, ErrReadable) {
			t.Errorf("a credential that all may read: %v", err)
		}
	}
	short := write(t, filepath.Join(t.TempDir(), "unlock"), "short", 0o600)
	if _, err := Create(t.TempDir(), KeyFile(short)); !errors.Is(err, ErrUnlock) {
		t.Errorf("a short key file: %v", err)
	}
	if _, err := Create(t.TempDir(), KeyFile(filepath.Join(t.TempDir(), "none", "unlock"))); err == nil {
		t.Error("made a key file in a folder that is not there")
	}
}

func TestParseUnlock(t *testing.T) {
	for _, c := range []struct {
		method, value string
		want          Unlock
		ok            bool
	}{
		{"", "", Unlock{}, true},
		{"key-file", "/x", KeyFile("/x"), true},
		{"passphrase-file", "x", PassphraseFile("x"), true},
		{"credential", "x", Credential("x"), true},
		{"credential", "a/b", Unlock{}, false},
		{"credential", "..", Unlock{}, false},
		{"key-file", "", Unlock{}, false},
		{"", "x", Unlock{}, false},
		{"tpm", "x", Unlock{}, false},
	} {
		got, err := ParseUnlock(c.method, c.value)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q %q: %v %v", c.method, c.value, got, err)
		}
	}
}

// TestNothingPrints tries every usual way to turn keys into text.
func TestNothingPrints(t *testing.T) {
	k, err := Create(t.TempDir(), Unlock{})
	if err != nil {
		t.Fatal(err)
	}
	var secrets []string
	for _, b := range [][]byte{k.Identity().Seed(), k.Transport().Private().Seed(), k.Store().Bytes()} {
		secrets = append(secrets, string(b[:8]), fmt.Sprintf("%x", b[:4]), fmt.Sprintf("%X", b[:4]),
			strings.Trim(fmt.Sprint(b[:4]), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b[:4]), "[]byte{"), "}"))
	}
	var texts []string
	for _, v := range []any{k, &k, k.Transport(), []any{k, k.Transport()}, struct{ K Keys }{k}, struct{ k Transport }{k.Transport()}, struct{ k Keys }{k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		texts = append(texts, string(b), log.String(), k.String(), k.Transport().String())
	}
	for _, text := range texts {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Fatalf("a secret (%q) is in the text %.300q", s, text)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	key, err := seal.ParseKey(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encode(key, roleStore, make([]byte, 32)))
	f.Add([]byte(header(roleStore)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		secret, err := decode(key, roleStore, b)
		if err != nil && !errors.Is(err, ErrUnlock) {
			t.Errorf("another error: %v", err)
		}
		if err == nil && len(b) != len(header(roleStore))+seal.Overhead+len(secret) {
			t.Error("something beside the key was accepted")
		}
		if _, err := decode(key, roleIdentity, b); err == nil && bytes.HasPrefix(b, []byte(header(roleStore))) {
			t.Error("one file serves two roles")
		}
	})
}
