package federation

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entente/protocol/roster"
)

// drawVersion is draw for a later version of the roster.
func drawVersion(t testing.TB, version uint64, nodes ...node) string {
	t.Helper()
	file := draw(t, "bali", nodes...)
	r, err := roster.Parse(read(t, file))
	if err != nil {
		t.Fatal(err)
	}
	r.Version = version
	b, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, b)
	for _, n := range nodes {
		if _, _, err := Sign(n.dir, file, n.key); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func join(t testing.TB, n node, file string) *Federation {
	t.Helper()
	f, err := Join(n.dir, file, n.keys, Last{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// keptWhole checks that a roster lies in both folders as it was joined.
func keptWhole(t *testing.T, n node, f *Federation, file string) {
	t.Helper()
	for _, name := range []string{keptName(f.Digest()), auditName(keptName(f.Digest()))} {
		for _, suffix := range []string{"", ".AU.sig", ".ID.sig"} {
			if string(read(t, filepath.Join(n.dir, name+suffix))) != string(read(t, file+suffix)) {
				t.Errorf("%s is not as it was joined", name+suffix)
			}
		}
	}
}

func TestEveryRosterIsKept(t *testing.T) {
	au, id, th := newNode(t, "AU", 1), newNode(t, "ID", 2), newNode(t, "TH", 3)
	files := []string{draw(t, "bali", au, id), drawVersion(t, 2, au, id, th), drawVersion(t, 3, au, id)}
	var all []*Federation
	for _, file := range files {
		all = append(all, join(t, au, file))
	}
	for i, f := range all {
		keptWhole(t, au, f, files[i])
	}
	for _, dir := range []string{RostersFolder, auditName(RostersFolder)} {
		if got := names(t, filepath.Join(au.dir, dir)); len(got) != 3+4+3 {
			t.Errorf("%s holds %v", dir, got)
		}
	}
	for _, dir := range []string{".", AuditFolder} { // nothing of version 2 beside version 3
		if got := names(t, filepath.Join(au.dir, dir)); slices.Contains(got, "federation.json.TH.sig") {
			t.Errorf("%s holds %v", dir, got)
		}
	}
}

// An auditor takes the folder away, or an earlier program did not keep rosters.
func TestLoadCompletesTheFolders(t *testing.T) {
	au, id, th := newNode(t, "AU", 1), newNode(t, "ID", 2), newNode(t, "TH", 3)
	file, later := draw(t, "bali", au, id), drawVersion(t, 2, au, id, th)
	first := join(t, au, file)
	if err := os.RemoveAll(filepath.Join(au.dir, RostersFolder)); err != nil {
		t.Fatal(err)
	}
	second := join(t, au, later)
	keptWhole(t, au, first, file)
	want := names(t, filepath.Join(au.dir, AuditFolder))
	if err := os.RemoveAll(filepath.Join(au.dir, AuditFolder)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Load(au.dir, "AU", au.keys); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, filepath.Join(au.dir, AuditFolder)); !slices.Equal(got, want) {
		t.Errorf("audit folder holds %v, want %v", got, want)
	}
	keptWhole(t, au, first, file)
	keptWhole(t, au, second, later)
}

// A backup may hold the auditor's copies alone; an altered one is not taken over.
func TestLoadTakesRostersFromTheAuditFolder(t *testing.T) {
	au, id, th := newNode(t, "AU", 1), newNode(t, "ID", 2), newNode(t, "TH", 3)
	file := draw(t, "bali", au, id)
	first := join(t, au, file)
	join(t, au, drawVersion(t, 2, au, id, th))
	copied := filepath.Join(au.dir, auditName(keptName(first.Digest()))) + ".ID.sig"
	good := read(t, copied)
	for _, altered := range []bool{true, false} {
		write(t, copied, good)
		if altered {
			write(t, copied, []byte("{}"))
		}
		if err := os.RemoveAll(filepath.Join(au.dir, RostersFolder)); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(au.dir, "AU", au.keys); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(filepath.Join(au.dir, keptName(first.Digest())))
		if altered != errors.Is(err, os.ErrNotExist) {
			t.Errorf("altered is %v, and the roster: %v", altered, err)
		}
	}
	keptWhole(t, au, first, file)
}

// What somebody altered in the auditor's folder is not mended behind the auditor's back.
func TestAlteredCopyIsLeft(t *testing.T) {
	au, id := newNode(t, "AU", 1), newNode(t, "ID", 2)
	f := join(t, au, draw(t, "bali", au, id))
	name := filepath.Join(au.dir, auditName(keptName(f.Digest())))
	write(t, name, []byte("altered"))
	if _, err := Load(au.dir, "AU", au.keys); err != nil || string(read(t, name)) != "altered" {
		t.Errorf("%v", err)
	}
}

func TestInterruptedJoinKeepsTheRoster(t *testing.T) {
	au, root := interrupted(t)
	if err := root.MkdirAll(RostersFolder, folderMode); err != nil {
		t.Fatal(err)
	}
	f, err := Load(au.dir, "AU", au.keys)
	if err != nil {
		t.Fatal(err)
	}
	keptWhole(t, au, f, filepath.Join(au.dir, RosterName))
}

func TestJoinDoesNotFallBehindTheChain(t *testing.T) {
	au, id, th := newNode(t, "AU", 1), newNode(t, "ID", 2), newNode(t, "TH", 3)
	file, later := draw(t, "bali", au, id), drawVersion(t, 2, au, id, th)
	first := join(t, au, file)
	digestOfSecond := join(t, newNodeLike(t, au), later).Digest()
	for name, c := range map[string]struct {
		file string
		last Last
	}{
		"an older one":                {file, Last{2, digestOfSecond}},
		"another of the same version": {later, Last{2, [32]byte{1}}},
		"older than what was lost":    {later, Last{3, [32]byte{1}}},
	} {
		if _, err := Join(au.dir, c.file, au.keys, c.last); err == nil || !strings.Contains(err.Error(), "this node's log says") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []struct {
		file string
		last Last
	}{{file, Last{1, first.Digest()}}, {later, Last{2, digestOfSecond}}, {later, Last{1, first.Digest()}}} {
		if _, err := Join(au.dir, c.file, au.keys, c.last); err != nil {
			t.Errorf("joining after version %d: %v", c.last.Version, err)
		}
	}
}

// newNodeLike is another directory of the same member.
func newNodeLike(t *testing.T, n node) node {
	t.Helper()
	n.dir = t.TempDir()
	n.writeCard(t, "Member "+n.id)
	return n
}

func TestCheckAgainstTheChain(t *testing.T) {
	au, id := newNode(t, "AU", 1), newNode(t, "ID", 2)
	f := join(t, au, draw(t, "bali", au, id))
	digest, other := f.Digest(), [32]byte{1}
	for name, c := range map[string]struct {
		f     *Federation
		chain []byte
		want  string // part of the error; empty: none
	}{
		"neither":      {nil, nil, ""},
		"both":         {f, digest[:], ""},
		"file missing": {nil, digest[:], roster.Words(digest)},
		"another file": {f, other[:], roster.Words(other)},
		"not entered":  {f, nil, "names none"},
	} {
		err := c.f.Check(c.chain)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var stale *StaleError
		if !errors.As(err, &stale) || !errors.Is(err, ErrNotJoined) || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), "join the newest roster again") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
