package policy

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"entente/protocol/indicator"
	"entente/protocol/terms"
)

//go:embed schema.cedarschema
var schemaTemplate string

// Schema returns the Cedar schema that every rule is checked against, with the
// kinds and categories that this version knows.
func Schema() string {
	return fmt.Sprintf(schemaTemplate, quoted(indicator.Kinds()), quoted(indicator.Categories()))
}

func quoted[T ~string](values []T) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strconv.Quote(string(v))
	}
	return strings.Join(out, ", ")
}

// engine is the resolved schema with its strict validator.
type engine struct {
	schema    *resolved.Schema
	validator *validate.Validator
}

func newEngine() (*engine, error) {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(Schema())); err != nil {
		return nil, fmt.Errorf("parse policy schema: %w", err)
	}
	r, err := s.Resolve()
	if err != nil {
		return nil, fmt.Errorf("resolve policy schema: %w", err)
	}
	return &engine{schema: r, validator: validate.New(r, validate.WithStrict())}, nil
}

// Entity types of the schema.
const (
	typeMember   types.EntityType = "Member"
	typeRole     types.EntityType = "Role"
	typeList     types.EntityType = "List"
	typeKind     types.EntityType = "Kind"
	typeCategory types.EntityType = "Category"
	typePurpose  types.EntityType = "Purpose"
	typeBasis    types.EntityType = "Basis"
	typeLearner  types.EntityType = "Learner"
	typeAction   types.EntityType = "Action"
)

func action(m terms.Mode) cedar.EntityUID {
	return cedar.NewEntityUID(typeAction, cedar.String(m.String()))
}

// rule is one compiled rule.
type rule struct {
	id           string // file without its ending, '#', number in the file
	title        string
	file         string
	line         int
	forbids      bool
	baseline     bool
	basis        string
	remedy       string
	duties       Duties
	policy       *cedar.Policy // as written
	evaluated    *cedar.Policy // without its action scope: see index
	namedMembers []string
}

// entities are the two entities that have attributes in one decision. A map would
// do the same, with an allocation and a hash for every look-up.
type entities struct{ member, list types.Entity }

// Get implements cedar.EntityGetter.
func (e *entities) Get(uid cedar.EntityUID) (types.Entity, bool) {
	switch uid {
	case e.member.UID:
		return e.member, true
	case e.list.UID:
		return e.list, true
	}
	return types.Entity{}, false
}
