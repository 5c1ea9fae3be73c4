package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"sort"
	"sync"

	"entente/crypto/seal"
)

// Segment is an open segment file. Its methods may be called concurrently, but for Close.
type Segment struct {
	info  SegmentInfo
	key   seal.Key
	file  *os.File
	index []byte // first keys of the chunks

	last struct { // chunk that was opened last for Find: neighbours are often asked for
		sync.Mutex
		number int // -1 before the first
		chunk  []byte
	}
}

// Format prints a placeholder, whatever the verb: a segment holds entries and a key.
func (*Segment) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[segment]")) }

// OpenSegment opens a finished segment file. errors.Is ErrNotFound if there is none,
// ErrAltered if it is not what Commit returned info for. Chunks are checked when they are
// read. The caller must close it.
func (s *Store) OpenSegment(info SegmentInfo) (*Segment, error) {
	g, err := s.openSegment(info)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	return g, nil
}

func (s *Store) openSegment(info SegmentInfo) (*Segment, error) {
	if err := info.check(); err != nil {
		return nil, err
	}
	key, err := s.keys.unwrap(info.Wrapped[:], "segment files", []byte(info.Name))
	if err != nil {
		return nil, err
	}
	root, err := s.segmentRoot()
	if err != nil {
		return nil, err
	}
	f, err := root.Open(info.Name)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	if err := errors.Join(err, root.Close()); err != nil {
		return nil, err
	}
	g := &Segment{info: info, key: key, file: f}
	g.last.number = -1
	if err := g.readFooter(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return g, nil
}

// readFooter checks the file's size, header and footer. The size comes first: it bounds
// what is allocated.
func (g *Segment) readFooter() error {
	st, err := g.file.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() != g.info.footerAt()+g.info.footerSize() {
		return fmt.Errorf("%w: a segment does not have the size that it was written with", ErrAltered)
	}
	header, err := g.read(0, len(segmentHeader))
	if err != nil {
		return err
	}
	sealed, err := g.read(g.info.footerAt(), int(g.info.footerSize()))
	if err != nil {
		return err
	}
	if string(header) != segmentHeader || sha256.Sum256(sealed) != g.info.Digest {
		return errFooter
	}
	b, err := unseal(g.key, sealed, "segment files", "footer", g.info.piece(g.info.chunks()))
	if err != nil {
		return err
	}
	g.index, err = g.info.decodeFooter(b)
	return err
}

// read reads a part of the file. One that is shorter now was cut.
func (g *Segment) read(at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := g.file.ReadAt(b, at); err != nil {
		if err == io.EOF {
			return nil, fmt.Errorf("%w: a segment was cut", ErrAltered)
		}
		return nil, err
	}
	return b, nil
}

// chunk opens one chunk.
func (g *Segment) chunk(n int) ([]byte, error) {
	size := g.info.entriesOf(n) * g.info.Width
	sealed, err := g.read(g.info.chunkAt(n), size+seal.Overhead)
	if err != nil {
		return nil, err
	}
	b, err := unseal(g.key, sealed, "segment files", "chunk", g.info.piece(n))
	if err != nil {
		return nil, err
	}
	if len(b) != size || !bytes.HasPrefix(b, g.firstKey(n)) {
		return nil, errFooter
	}
	return b, nil
}

func (g *Segment) firstKey(chunk int) []byte {
	k := g.info.KeyLength
	return g.index[chunk*k : (chunk+1)*k]
}

// Info returns what the segment was opened with.
func (g *Segment) Info() SegmentInfo { return g.info }

// Len returns the number of entries.
func (g *Segment) Len() int64 { return g.info.Entries }

// Find returns the entry with a key, and whether there is one. It opens the one chunk where
// it must be, if that is not the chunk of the call before: whoever has many keys asks in
// their order. The entry must not be changed.
func (g *Segment) Find(key []byte) ([]byte, bool, error) {
	g.last.Lock()
	defer g.last.Unlock()
	at, found, err := g.search(key)
	if err != nil || !found {
		return nil, false, err
	}
	i := int(at%chunkEntries) * g.info.Width
	return g.last.chunk[i : i+g.info.Width : i+g.info.Width], true, nil
}

// search returns the position of the first entry whose key is not below the given one, and
// whether it is that one. The chunk that it looked into is the last one.
func (g *Segment) search(key []byte) (int64, bool, error) {
	k, w := g.info.KeyLength, g.info.Width
	if len(key) != k {
		return 0, false, fmt.Errorf("search segment: a key has %d bytes instead of %d", len(key), k)
	}
	n := sort.Search(g.info.chunks(), func(n int) bool { return bytes.Compare(g.firstKey(n), key) > 0 }) - 1
	if n < 0 {
		return 0, false, nil
	}
	if g.last.number != n {
		b, err := g.chunk(n)
		if err != nil {
			return 0, false, fmt.Errorf("search segment: %w", err)
		}
		g.last.number, g.last.chunk = n, b
	}
	b := g.last.chunk
	i := sort.Search(len(b)/w, func(i int) bool { return bytes.Compare(b[i*w:i*w+k], key) >= 0 })
	found := i*w < len(b) && bytes.Equal(b[i*w:i*w+k], key)
	return int64(n)*chunkEntries + int64(i), found, nil
}

// Range gives the entries whose keys are not below from, in order; nil is the beginning. It
// holds one chunk at a time, and stops after an error. Entries must not be changed.
func (g *Segment) Range(from []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var first int64
		if from != nil {
			var err error
			g.last.Lock()
			first, _, err = g.search(from)
			g.last.Unlock()
			if err != nil {
				yield(nil, err)
				return
			}
		}
		g.From(first)(yield)
	}
}

// From gives the entries from a position on, counted from 0, in order. It holds one chunk
// at a time, and stops after an error. Entries must not be changed.
func (g *Segment) From(position int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		c := g.cursor(position)
		for {
			entry, err := c.next()
			if err != nil {
				yield(nil, err)
				return
			}
			if entry == nil || !yield(entry, nil) {
				return
			}
		}
	}
}

// cursor walks through a segment.
type cursor struct {
	segment *Segment
	number  int    // of the next chunk to open
	skip    int    // bytes of it that come before the beginning
	rest    []byte // of the chunk that is open
}

func (g *Segment) cursor(position int64) cursor {
	position = max(position, 0)
	return cursor{segment: g, number: int(position / chunkEntries), skip: int(position%chunkEntries) * g.info.Width}
}

// next returns the next entry; nil after the last.
func (c *cursor) next() ([]byte, error) {
	w := c.segment.info.Width
	if len(c.rest) == 0 {
		if c.number >= c.segment.info.chunks() {
			return nil, nil
		}
		b, err := c.segment.chunk(c.number)
		if err != nil {
			return nil, fmt.Errorf("read segment: %w", err)
		}
		c.rest = b[min(c.skip, len(b)):]
		c.number, c.skip = c.number+1, 0
		if len(c.rest) == 0 { // the position lies behind the last entry
			return nil, nil
		}
	}
	entry := c.rest[:w:w]
	c.rest = c.rest[w:]
	return entry, nil
}

// Close closes the file.
func (g *Segment) Close() error {
	if err := g.file.Close(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	return nil
}
