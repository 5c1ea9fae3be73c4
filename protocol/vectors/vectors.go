// Package vectors holds the test vectors of the protocol as embedded data, so that
// another implementation can run the very same bytes.
//
// One file belongs to one package. A valid vector is recomputed from its input and
// must equal its bytes; an invalid one must be refused with the fault it names. The
// hex blocks of SPEC.md are copies of these bytes, and a test compares them.
package vectors

import (
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed *.json
var files embed.FS

// Vector is one example with its bytes.
type Vector struct {
	Name  string            `json:"name"`
	Valid bool              `json:"valid"`
	Fault string            `json:"fault,omitempty"` // error class of an invalid vector
	Input map[string]string `json:"input,omitempty"`
	Hex   string            `json:"hex"`
}

// Bytes returns the vector's bytes. White space in the hex is ignored.
func (v Vector) Bytes() ([]byte, error) {
	b, err := hex.DecodeString(strings.Join(strings.Fields(v.Hex), ""))
	if err != nil {
		return nil, fmt.Errorf("decode vector %s: %w", v.Name, err)
	}
	return b, nil
}

// Load returns the vectors of one package, named by the package's last element.
func Load(name string) ([]Vector, error) {
	b, err := files.ReadFile(name + ".json")
	if err != nil {
		return nil, fmt.Errorf("load vectors: %w", err)
	}
	var vs []Vector
	if err := json.Unmarshal(b, &vs); err != nil {
		return nil, fmt.Errorf("load vectors of %s: %w", name, err)
	}
	return vs, nil
}
