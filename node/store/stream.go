package store

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"

	"entente/crypto/seal"
)

// A backup is a line of text, 16 random bytes that name it, and pieces of the
// database, each sealed:
//
//	"entente backup 1\n" | name (16) | { last (1: 0 or 1) | length (4, big-endian) | sealed piece } …
//
// The associated data of a piece are the name, its number and last, so that pieces
// cannot be left out, exchanged, taken from another backup or cut off at the end.
const (
	backupHeader = "entente backup 1\n"
	backupName   = 16
	pieceSize    = 1 << 20 // bytes of a piece; only the last may be shorter
)

func pieceRow(name []byte, n uint64, last byte) []byte {
	row := append([]byte{}, name...)
	return append(binary.BigEndian.AppendUint64(row, n), last)
}

// sealStream writes r to w as a backup.
func sealStream(key seal.Key, w io.Writer, r io.Reader) error {
	name := make([]byte, backupName)
	rand.Read(name) // never fails
	if _, err := w.Write(append([]byte(backupHeader), name...)); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	in := bufio.NewReaderSize(r, pieceSize)
	piece := make([]byte, pieceSize)
	for n := uint64(0); ; n++ {
		size, err := io.ReadFull(in, piece)
		if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
			return fmt.Errorf("read copy: %w", err)
		}
		var last byte
		if _, err := in.Peek(1); err == io.EOF {
			last = 1
		}
		sealed := key.Seal(piece[:size], place("backup", "piece", pieceRow(name, n, last)))
		frame := binary.BigEndian.AppendUint32([]byte{last}, uint32(len(sealed)))
		if _, err := w.Write(append(frame, sealed...)); err != nil {
			return fmt.Errorf("write backup: %w", err)
		}
		if last == 1 {
			return nil
		}
	}
}

// openStream writes the content of a backup to w, and requires its end. Nothing may
// use what was written if it fails. errors.Is ErrAltered if a piece does not open.
func openStream(key seal.Key, w io.Writer, r io.Reader) error {
	start := make([]byte, len(backupHeader)+backupName)
	if _, err := io.ReadFull(r, start); err != nil {
		return ended(err)
	}
	if string(start[:len(backupHeader)]) != backupHeader {
		return ErrBackup
	}
	name := start[len(backupHeader):]
	sealed := make([]byte, pieceSize+seal.Overhead)
	for n := uint64(0); ; n++ {
		var frame [5]byte
		if _, err := io.ReadFull(r, frame[:]); err != nil {
			return ended(err)
		}
		size := binary.BigEndian.Uint32(frame[1:])
		if frame[0] > 1 || size > uint32(len(sealed)) {
			return ErrBackup
		}
		if _, err := io.ReadFull(r, sealed[:size]); err != nil {
			return ended(err)
		}
		b, err := unseal(key, sealed[:size], "backup", "piece", pieceRow(name, n, frame[0]))
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("write store: %w", err)
		}
		if frame[0] == 0 {
			continue
		}
		switch _, err := io.ReadFull(r, frame[:1]); {
		case err == nil:
			return fmt.Errorf("%w: something follows its end", ErrBackup)
		case err != io.EOF:
			return fmt.Errorf("read backup: %w", err)
		}
		return nil
	}
}

// ended tells a backup that is too short from a reader that fails.
func ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrBackup
	}
	return fmt.Errorf("read backup: %w", err)
}
