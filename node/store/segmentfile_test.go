package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"entente/crypto/seal"
	"entente/protocol/vectors/memory"
)

// entryAt is the n-th entry of a test's segment: keys are gap apart.
func entryAt(width, keyLength, n, gap int) []byte {
	e := make([]byte, width)
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], uint64(n*gap))
	copy(e[max(keyLength-8, 0):keyLength], key[max(8-keyLength, 0):])
	for i := keyLength; i < width; i++ {
		e[i] = byte(n + i)
	}
	return e
}

// segment makes a segment of n entries.
func (d *desk) segment(t testing.TB, width, keyLength, n, gap int) SegmentInfo {
	t.Helper()
	w, err := d.CreateSegment(width, keyLength)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.Append(entryAt(width, keyLength, i, gap)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func (d *desk) open(t testing.TB, info SegmentInfo) *Segment {
	t.Helper()
	g, err := d.OpenSegment(info)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() }) // a test may have closed it
	return g
}

func suiteSegments(t *testing.T, d *desk) {
	if names, err := d.Segments(); err != nil || len(names) != 0 {
		t.Errorf("segments of a new store: %v %v", names, err)
	}
	var infos []SegmentInfo
	for _, c := range []struct{ width, key, n int }{
		{10, 10, 0}, {10, 10, 1}, {26, 16, chunkEntries - 1}, {10, 4, chunkEntries}, {42, 10, chunkEntries + 1}, {8, 8, 3*chunkEntries + 7}, {256, 256, 5}, {1, 1, 100},
	} {
		gap := 2
		info := d.segment(t, c.width, c.key, c.n, gap)
		infos = append(infos, info)
		again, err := DecodeSegmentInfo(info.Encode())
		if err != nil || again != info || info.Entries != int64(c.n) || info.Width != c.width || info.KeyLength != c.key {
			t.Fatalf("%v came back as %v: %v", info, again, err)
		}
		g := d.open(t, again)
		if g.Len() != int64(c.n) || g.Info() != info {
			t.Errorf("it has %d entries", g.Len())
		}
		for _, from := range []int{0, 1, 2, chunkEntries - 1, chunkEntries, chunkEntries + 1, c.n - 1, c.n, c.n + 9} {
			i := max(from, 0)
			for e, err := range g.From(int64(from)) {
				if err != nil || !bytes.Equal(e, entryAt(c.width, c.key, i, gap)) {
					t.Fatalf("entry %d of %d: %v", i, c.n, err)
				}
				i++
			}
			if i != max(c.n, from) {
				t.Errorf("from %d on it ends at %d of %d", from, i, c.n)
			}
		}
		for i := range c.n + 1 {
			if i%97 != 0 && i != c.n && i != c.n-1 && i%chunkEntries > 1 || c.key == 1 && i > 126 {
				continue
			}
			key := entryAt(c.width, c.key, i, gap)[:c.key]
			e, found, err := g.Find(key)
			if err != nil || found != (i < c.n) || found && !bytes.Equal(e, entryAt(c.width, c.key, i, gap)) {
				t.Fatalf("finding entry %d of %d: %v %v", i, c.n, found, err)
			}
			key[c.key-1]++ // between this and the next
			if e, found, err := g.Find(key); found || e != nil || err != nil {
				t.Fatalf("finding what is not there after %d: %v %v", i, found, err)
			}
			next := i + 1
			for e, err := range g.Range(key) {
				if err != nil || !bytes.Equal(e, entryAt(c.width, c.key, next, gap)) {
					t.Fatalf("the first after entry %d: %v", i, err)
				}
				break
			}
		}
		if _, _, err := g.Find(make([]byte, c.key+1)); err == nil {
			t.Error("found a key of another length")
		}
		for _, err := range g.Range(make([]byte, c.key+1)) {
			if err == nil {
				t.Error("a range from a key of another length")
			}
		}
	}
	suiteSegmentNames(t, d, infos)
}

// suiteSegmentNames removes and cleans.
func suiteSegmentNames(t *testing.T, d *desk, infos []SegmentInfo) {
	names, err := d.Segments()
	if err != nil || len(names) != len(infos) || !slices.IsSorted(names) {
		t.Fatalf("%d segments, not %d: %v", len(names), len(infos), err)
	}
	if err := errors.Join(d.RemoveSegment(infos[0].Name), d.RemoveSegment(infos[0].Name)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.OpenSegment(infos[0]); !errors.Is(err, ErrNotFound) {
		t.Errorf("a removed segment: %v", err)
	}
	for _, name := range []string{"", "..", "../store.db", infos[1].Name + segmentTemp, "../" + SegmentFolder + "/" + infos[1].Name} {
		if err := d.RemoveSegment(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("removing %q: %v", name, err)
		}
	}
	w, err := d.CreateSegment(8, 8)
	if err == nil {
		err = w.Append(make([]byte, 8))
	}
	if err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(d.dir, SegmentFolder, "notes")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := d.RemoveStraySegments([]string{infos[1].Name, infos[2].Name})
	if left, more := d.Segments(); n != len(infos)-2 || err != nil || more != nil || len(left) != 2 {
		t.Errorf("%d strays, %d left: %v %v", n, len(left), err, more)
	}
	if !exists(foreign) {
		t.Error("it removed what is not its own")
	}
	if _, err := w.Commit(); err == nil {
		t.Error("committed what was removed")
	}
}

// TestSegmentWriter tries what a writer must refuse.
func TestSegmentWriter(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct{ width, key int }{{0, 0}, {1, 0}, {1, 2}, {maxWidth + 1, 1}, {-1, -1}, {1, -1}} {
		if w, err := d.CreateSegment(c.width, c.key); err == nil {
			t.Errorf("entries of %d bytes with keys of %d: %v", c.width, c.key, w)
		}
	}
	for name, entries := range map[string][][]byte{
		"equal keys": {{1, 1}, {1, 2}}, "descending": {{2, 0}, {1, 0}}, "short": {{1}}, "long": {{1, 2, 3}}, "empty": {{}},
	} {
		w, err := d.CreateSegment(2, 1)
		if err != nil {
			t.Fatal(err)
		}
		err = nil
		for _, e := range entries {
			err = errors.Join(err, w.Append(e))
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		if err := w.Append([]byte{9, 9}); err == nil {
			t.Errorf("%s: goes on after it", name)
		}
		if _, err := w.Commit(); err == nil {
			t.Errorf("%s: committed", name)
		}
	}
	w, err := d.CreateSegment(2, 1)
	if err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit()
	if err := errors.Join(err, w.Abort(), w.Abort()); err != nil {
		t.Error(err)
	}
	if _, err := w.Commit(); err == nil || w.Append([]byte{1, 1}) == nil {
		t.Error("an ended writer goes on")
	}
	d.open(t, info) // what was committed stays
	files, err := os.ReadDir(filepath.Join(d.dir, SegmentFolder))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files are left: %v", len(files), err)
	}
	if st, err := files[0].Info(); err != nil || st.Mode().Perm()&0o077 != 0 && filepath.Separator == '/' {
		t.Errorf("others may read it: %v", err)
	}
}

// TestSegmentAltered changes the file in every way: whatever is read is right, or ErrAltered.
func TestSegmentAltered(t *testing.T) {
	d := newDesk(t)
	const n = 2*chunkEntries + 3
	info, twin := d.segment(t, 12, 8, n, 1), d.segment(t, 12, 8, n, 1)
	path := filepath.Join(d.dir, SegmentFolder, info.Name)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(d.dir, SegmentFolder, twin.Name))
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) []byte { b := bytes.Clone(whole); b[at] ^= 1; return b }
	first, second, third, footer := int(info.chunkAt(0)), int(info.chunkAt(1)), int(info.chunkAt(2)), int(info.footerAt())
	cases := map[string][]byte{
		"empty": {}, "cut by a byte": whole[:len(whole)-1], "cut in half": whole[:len(whole)/2], "a byte more": append(bytes.Clone(whole), 0),
		"header": flip(3), "first chunk": flip(first), "second chunk": flip(second + 100), "last chunk": flip(footer - 1),
		"footer": flip(footer + 30), "last byte": flip(len(whole) - 1),
		"chunks exchanged":       slices.Concat(whole[:first], whole[second:third], whole[first:second], whole[third:]),
		"another file":           other,
		"a chunk of another":     slices.Concat(whole[:second], other[second:third], whole[third:]),
		"the footer of another":  slices.Concat(whole[:footer], other[footer:]),
		"the first chunk twice":  slices.Concat(whole[:second], whole[first:second], whole[third:]),
		"nothing but its length": make([]byte, len(whole)),
	}
	for name, b := range cases {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := readAll(d.Store, info, n); !errors.Is(err, ErrAltered) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := readAll(d.Store, info, n); err != nil {
		t.Fatal(err)
	}
	g := d.open(t, info)
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Find(entryAt(12, 8, n-1, 1)[:8]); !errors.Is(err, ErrAltered) {
		t.Errorf("cut while it is open: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := readAll(d.Store, info, n); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	suiteSegmentInfo(t, d, twin)
}

// suiteSegmentInfo changes what the caller keeps.
func suiteSegmentInfo(t *testing.T, d *desk, info SegmentInfo) {
	for name, change := range map[string]func(*SegmentInfo){
		"entries": func(i *SegmentInfo) { i.Entries-- }, "digest": func(i *SegmentInfo) { i.Digest[0] ^= 1 },
		"key": func(i *SegmentInfo) { i.Wrapped[40] ^= 1 }, "key length": func(i *SegmentInfo) { i.KeyLength-- },
	} {
		other := info
		change(&other)
		if _, err := d.OpenSegment(other); !errors.Is(err, ErrAltered) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*SegmentInfo){
		"width": func(i *SegmentInfo) { i.Width = 0 }, "name": func(i *SegmentInfo) { i.Name = "../store.db" },
		"negative": func(i *SegmentInfo) { i.Entries = -1 }, "huge": func(i *SegmentInfo) { i.Entries = 1 << 62 },
	} {
		other := info
		change(&other)
		if _, err := d.OpenSegment(other); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := newDesk(t)
	if err := os.CopyFS(filepath.Join(stranger.dir, SegmentFolder), os.DirFS(filepath.Join(d.dir, SegmentFolder))); err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.OpenSegment(info); !errors.Is(err, ErrAltered) {
		t.Errorf("under another store's key: %v", err)
	}
}

// readAll reads a segment in every way, and fails also if what comes is wrong.
func readAll(s *Store, info SegmentInfo, n int) (err error) {
	g, err := s.OpenSegment(info)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	i := 0
	for e, err := range g.Range(nil) {
		if err != nil {
			return err
		}
		if !bytes.Equal(e, entryAt(info.Width, info.KeyLength, i, 1)) {
			return errors.New("wrong data")
		}
		i++
	}
	if i != n {
		return errors.New("not all came")
	}
	for _, i := range []int{0, n / 2, n - 1} {
		want := entryAt(info.Width, info.KeyLength, i, 1)
		if e, found, err := g.Find(want[:info.KeyLength]); err != nil || !found || !bytes.Equal(e, want) {
			return errors.Join(err, errors.New("not found"))
		}
	}
	return nil
}

// TestSegmentKilled fails at each point of making a segment, and copies the folder there as
// a kill would leave it.
func TestSegmentKilled(t *testing.T) {
	d := newDesk(t)
	const n = 2*chunkEntries + 3
	old := d.segment(t, 12, 8, n, 1)
	for k := 0; ; k++ {
		left, hit := k, false
		dir := filepath.Join(t.TempDir(), "copy")
		d.step = func(name string) error {
			if left--; left < 0 && !hit {
				hit = true
				copyDir(t, d.dir, dir)
				return errInjected
			}
			return nil
		}
		w, err := d.CreateSegment(12, 8)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err = w.Append(entryAt(12, 8, i, 1)); err != nil {
				break
			}
		}
		info, committed := w.Commit()
		d.step = func(string) error { return nil }
		if err := errors.Join(w.Abort(), d.RemoveSegment(old.Name+"x")); errors.Is(err, errInjected) {
			t.Error(err)
		}
		if !hit {
			if err != nil || committed != nil || k != 6 {
				t.Errorf("after %d failures: %v %v", k, err, committed)
			}
			if err := readAll(d.Store, info, n); err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(committed, errInjected) {
			t.Errorf("failure %d came out as: %v", k, committed)
		}
		files, err := os.ReadDir(filepath.Join(d.dir, SegmentFolder))
		if err != nil || len(files) != 1 {
			t.Errorf("failure %d left %d files: %v", k, len(files)-1, err)
		}
		s, err := Open(t.Context(), dir, d.key, d.author)
		if err != nil {
			t.Fatal(err)
		}
		strays, err := s.RemoveStraySegments([]string{old.Name})
		if strays != 1 || err != nil {
			t.Errorf("kill %d left %d strays: %v", k, strays, err)
		}
		if err := errors.Join(readAll(s, old, n), s.Close()); err != nil {
			t.Errorf("after kill %d: %v", k, err)
		}
	}
}

// TestSegmentMerge merges random segments and compares with a map.
func TestSegmentMerge(t *testing.T) {
	d := newDesk(t)
	r := rand.New(rand.NewPCG(1, 5))
	for range 20 {
		want := make(map[string]string)
		var parts []*Segment
		for age := range 1 + r.IntN(6) {
			part := make(map[string]string)
			for range r.IntN(2 * chunkEntries) {
				key := string(binary.BigEndian.AppendUint16(nil, uint16(r.IntN(30_000))))
				part[key] = key + string(rune('a'+age))
			}
			w, err := d.CreateSegment(3, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range slices.Sorted(maps.Keys(part)) {
				if err := w.Append([]byte(part[k])); err != nil {
					t.Fatal(err)
				}
			}
			info, err := w.Commit()
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, d.open(t, info))
			maps.Copy(want, part)
		}
		drop := func(e []byte) bool { return e[1]%3 == 0 }
		maps.DeleteFunc(want, func(_, e string) bool { return drop([]byte(e)) })
		info, err := d.MergeSegments(t.Context(), parts, drop)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for e, err := range d.open(t, info).Range(nil) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(e))
		}
		if !slices.Equal(got, slices.Sorted(maps.Values(want))) {
			t.Fatalf("%d entries, not %d", len(got), len(want))
		}
	}
}

func TestSegmentMergeRefuses(t *testing.T) {
	d := newDesk(t)
	a, b := d.open(t, d.segment(t, 8, 8, 10, 1)), d.open(t, d.segment(t, 8, 7, 10, 1))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, f := range map[string]func() error{
		"nothing":       func() error { _, err := d.MergeSegments(t.Context(), nil, nil); return err },
		"another form":  func() error { _, err := d.MergeSegments(t.Context(), []*Segment{a, b}, nil); return err },
		"ended context": func() error { _, err := d.MergeSegments(ended, []*Segment{a}, nil); return err },
		"closed": func() error {
			_ = b.Close() // that is the fault
			_, err := d.MergeSegments(t.Context(), []*Segment{b}, nil)
			return err
		},
	} {
		if err := f(); err == nil {
			t.Errorf("%s: merged", name)
		}
	}
	if names, err := d.Segments(); err != nil || len(names) != 2 {
		t.Errorf("%d segments are left: %v", len(names), err)
	}
}

// TestSegmentAtOnce reads one segment from many goroutines while others come and go.
func TestSegmentAtOnce(t *testing.T) {
	d := newDesk(t)
	const n = 3 * chunkEntries
	info := d.segment(t, 12, 8, n, 1)
	g := d.open(t, info)
	var wait sync.WaitGroup
	for k := range 8 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(k), 6))
			for range 200 {
				want := entryAt(12, 8, r.IntN(n), 1)
				if e, found, err := g.Find(want[:8]); err != nil || !found || !bytes.Equal(e, want) {
					t.Errorf("not found: %v", err)
				}
			}
			if err := readAll(d.Store, info, n); err != nil {
				t.Error(err)
			}
			made, err := d.MergeSegments(t.Context(), []*Segment{g}, nil)
			if err := errors.Join(err, readAll(d.Store, made, n), d.RemoveSegment(made.Name)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

// TestSegmentSecret searches the files, and requires that nothing can be read without the info.
func TestSegmentSecret(t *testing.T) {
	d := newDesk(t)
	w, err := d.CreateSegment(16, 8)
	if err == nil {
		err = w.Append([]byte("keykeykevaluable"))
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"keykeyke", "valuable", string(info.Wrapped[:]), string(info.Wrapped[30:50])} {
		if grep(t, d.dir, []byte(secret)) {
			t.Errorf("a file holds %q", secret)
		}
	}
	if !grep(t, d.dir, []byte(segmentHeader)) {
		t.Error("the search does not find what is known to be there")
	}
}

func FuzzSegmentInfo(f *testing.F) {
	f.Add(SegmentInfo{Name: "0123456789abcdef0123456789abcdef", Width: 10, KeyLength: 10, Entries: 1 << 20}.Encode())
	f.Add([]byte{infoVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		var info SegmentInfo
		var err error
		bound(t, memory.Allocated(func() { info, err = DecodeSegmentInfo(b) }), b)
		if err == nil && !bytes.Equal(info.Encode(), b) {
			t.Error("not the bytes that were read")
		}
	})
}

func FuzzSegmentFooter(f *testing.F) {
	info := SegmentInfo{Width: 3, KeyLength: 2, Entries: 2*chunkEntries + 1}
	f.Add(info.encodeFooter([]byte{0, 1, 0, 2, 1, 0}), uint16(3), uint16(2), info.Entries)
	f.Add([]byte{}, uint16(1), uint16(1), int64(maxEntries))
	f.Fuzz(func(t *testing.T, b []byte, width, key uint16, entries int64) {
		info := SegmentInfo{Name: "0123456789abcdef0123456789abcdef", Width: int(width), KeyLength: int(key), Entries: entries}
		if info.check() != nil {
			return
		}
		var index []byte
		var err error
		bound(t, memory.Allocated(func() { index, err = info.decodeFooter(b) }), b)
		if err == nil && (len(index) != info.chunks()*info.KeyLength || !bytes.Equal(info.encodeFooter(index), b)) {
			t.Error("not the bytes that were read")
		}
	})
}

// FuzzSegmentFile lets anything pass for a segment file: what is read is right, or an error.
func FuzzSegmentFile(f *testing.F) {
	dir := f.TempDir()
	s := &Store{dir: dir, keys: newRing(seal.NewKey()), step: func(string) error { return nil }}
	d := &desk{Store: s, dir: dir}
	const n = chunkEntries + 5
	info := d.segment(f, 3, 3, n, 1)
	path := filepath.Join(dir, SegmentFolder, info.Name)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, []byte{}, 0)
	f.Add(20, []byte{1}, 0)
	f.Add(len(whole)-1, []byte{1, 2, 3}, 0)
	f.Add(0, []byte("x"), len(whole))
	f.Fuzz(func(t *testing.T, at int, change []byte, cut int) {
		b := bytes.Clone(whole[:len(whole)-min(max(cut, 0), len(whole))])
		at = min(max(at, 0), len(b))
		b = append(b[:at], append(bytes.Clone(change), b[min(at+len(change), len(b)):]...)...)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		switch err := readAll(s, info, n); {
		case bytes.Equal(b, whole) != (err == nil):
			t.Errorf("altered: %v, read: %v", !bytes.Equal(b, whole), err)
		case err != nil && !errors.Is(err, ErrAltered) || errors.Is(err, fs.ErrNotExist):
			t.Errorf("it came out as: %v", err)
		}
	})
}
