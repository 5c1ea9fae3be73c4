package intake

import "bytes"

// rows are those of one file, whatever its form. They are for one goroutine.
type rows interface {
	// next reads one row. blank says that it has no content; it is no row then. At the end
	// of the file err is io.EOF; a *FileError means that the file is refused.
	next(w *rawRow) (blank bool, err error)
	// passed is how many bytes of the file have been read as rows.
	passed() int64
}

// openRows finds out what form a file has, and how its columns or keys are read. blank is the
// number of lines passed over.
func openRows(r *reader, o Options) (in rows, l *layout, blank int, err error) {
	if err := r.fill(1); err != nil {
		return nil, nil, 0, err
	}
	switch head := r.window(); {
	case bytes.HasPrefix(head, []byte(npyMagic)):
		return openNPY(r, o)
	case startsJSON(head):
		return openJSON(r, o)
	}
	if err := r.open(); err != nil {
		return nil, nil, 0, err
	}
	found, blank, err := readLayout(r, o)
	if err != nil {
		return nil, nil, 0, err
	}
	return &csvRows{reader: r, c: &converter{o: o, l: &found}}, &found, blank, nil
}

// csvRows are the rows of a text with separators.
type csvRows struct {
	*reader
	c *converter
	w row
}

func (r *csvRows) next(out *rawRow) (blank bool, err error) {
	if err := r.reader.next(&r.w); err != nil {
		return false, err
	}
	if r.w.blank() {
		return true, nil
	}
	*out = r.c.copyRow(&r.w)
	return false, nil
}

func (r *csvRows) passed() int64 { return r.consumed }
