package federation

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"entente/protocol/roster"
)

// interrupted returns a node whose join stopped when the collection was complete.
func interrupted(t *testing.T) (node, *os.Root) {
	t.Helper()
	au, id := newNode(t, "AU", 1), newNode(t, "ID", 2)
	file := draw(t, "bali", au, id)
	r, ss, err := roster.Load(os.DirFS(filepath.Dir(file)), "fed.json")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(au.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := collect(root, r, ss); err != nil {
		t.Fatal(err)
	}
	return au, root
}

func TestInterruptedJoinIsFinished(t *testing.T) {
	for name, disturb := range map[string]func(dir string){
		"nothing placed yet": func(string) {},
		"one file placed": func(dir string) {
			write(t, filepath.Join(dir, RosterName), read(t, filepath.Join(dir, collected, RosterName)))
		},
		"a file half written": func(dir string) {
			write(t, filepath.Join(dir, RosterName+unfinished), []byte("{"))
		},
		"a signature of an older roster": func(dir string) {
			write(t, filepath.Join(dir, RosterName+".XX.sig"), []byte("{"))
		},
		"remains of an older join": func(dir string) {
			if err := os.MkdirAll(filepath.Join(dir, collecting, "x"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			au, _ := interrupted(t)
			disturb(au.dir)
			f, err := Load(au.dir, "AU", au.keys)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"audit", "federation.json", "federation.json.AU.sig", "federation.json.ID.sig", "member.json", "rosters"}
			if got := names(t, au.dir); !slices.Equal(got, want) || f.Own().ID != "AU" {
				t.Errorf("directory holds %v", got)
			}
		})
	}
}

// A join that stopped before the collection was complete has not happened.
func TestUnfinishedCollectionIsNoJoin(t *testing.T) {
	au, root := interrupted(t)
	if err := root.Rename(collected, collecting); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(au.dir, "AU", au.keys); !errors.Is(err, ErrNotJoined) {
		t.Errorf("loaded: %v", err)
	}
}

// Killed after the collection got its last name, while files are being removed.
func TestHalfRemovedCollection(t *testing.T) {
	au, root := interrupted(t)
	if err := finishJoin(root); err != nil {
		t.Fatal(err)
	}
	if err := root.Mkdir(collecting, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(au.dir, "AU", au.keys); err != nil {
		t.Error(err)
	}
}

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, text := range []string{"first", "second", ""} {
		if err := replaceFile(root, "x", []byte(text)); err != nil || string(read(t, filepath.Join(dir, "x"))) != text {
			t.Errorf("writing %q: %v", text, err)
		}
	}
	if err := root.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := root.Mkdir("folder/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(root, "folder", []byte("x")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if err := replaceFile(root, "../x", nil); err == nil {
		t.Error("a file was written outside of the directory")
	}
	if err := replaceFile(root, "none/x", nil); err == nil {
		t.Error("a file was written into a folder that is not there")
	}
	if got := names(t, dir); !slices.Equal(got, []string{"folder", "x"}) {
		t.Errorf("directory holds %v", got)
	}
}
