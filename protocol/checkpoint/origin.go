package checkpoint

import (
	"errors"
	"fmt"
)

// ParseOrigin reads exactly what Origin.String writes.
func ParseOrigin(s string) (Origin, error) {
	o, err := parseOrigin(s)
	if err != nil {
		return Origin{}, fmt.Errorf("parse origin: %w", err)
	}
	if o.String() != s {
		return Origin{}, errors.New("parse origin: oddly spelt")
	}
	return o, nil
}
