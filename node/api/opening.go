package api

import (
	"context"
	"errors"
	"fmt"
	"os"

	"entente/node/rounds"
)

// OpeningFile says where an opening is written, and whether it shows nothing but what this side noted
// of the other.
type OpeningFile struct {
	Path    string `json:"path"` // of the new file
	Witness bool   `json:"witness,omitempty"`
}

type openingInput struct {
	ID   string `path:"id"`
	Body OpeningFile
}

// OpeningFiles are the files of both sides of one round.
type OpeningFiles struct {
	First  string `json:"first"`
	Second string `json:"second"`
}

type compareInput struct{ Body OpeningFiles }

// opening writes an opening to a file that only its owner may read.
func (h handlers) opening(ctx context.Context, in *openingInput) error {
	b, err := h.node.Rounds().Opening(ctx, in.ID, in.Body.Witness)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(in.Body.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write opening: %w", err)
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil { // half a secret is no opening
		err = errors.Join(err, os.Remove(in.Body.Path))
	}
	return err
}

// compare reads two openings from files.
func (h handlers) compare(ctx context.Context, in *compareInput) ([]rounds.Recomputed, error) {
	var files [2][]byte
	for i, path := range []string{in.Body.First, in.Body.Second} {
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("read opening: %w", err)
		}
	}
	return h.node.Rounds().CompareOpenings(ctx, files[0], files[1])
}
