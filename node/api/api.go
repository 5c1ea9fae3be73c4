// Package api is how a node is commanded: HTTP with JSON on a unix socket in the
// node's directory, described by OpenAPI at /openapi.json.
//
// Whoever may open the socket may do all that the operator may; the file system's
// permissions guard it, and nothing listens on a network. The same handlers serve
// the daemon and a command that runs without one (see Dial). Errors say in words
// what is wrong and carry a code on which a caller branches; a rejected value is
// never repeated, since it may be an indicator.
package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/validation"

	"entente/node"
	"entente/node/federation"
	"entente/node/intake"
	"entente/node/ledger"
	"entente/node/rounds"
	"entente/node/standing"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/roster"
)

// Code names a kind of failure. The command line turns it into an exit code.
type Code string

// Codes of failures. Failed is everything that has no code of its own.
const (
	Failed         Code = "failed"
	Invalid        Code = "invalid"   // the request makes no sense
	NotFound       Code = "not_found" // list, round or partner
	Denied         Code = "denied"    // the own rules
	WrongState     Code = "wrong_state"
	NotServing     Code = "not_serving"
	NotJoined      Code = "not_joined"
	BadFile        Code = "bad_file"   // an import cannot read the file at all
	BadRules       Code = "bad_rules"  // with findings
	NoLedger       Code = "no_ledger"  // the federation keeps none
	BadRoster      Code = "bad_roster" // a signature or entry is missing or wrong
	alreadyChanged Code = "differs"    // a list of that name means something else
)

// Problem is the body of every failed answer.
type Problem struct {
	Status   int              `json:"status"`
	Code     Code             `json:"code"`
	Message  string           `json:"message"`
	Grounds  []string         `json:"grounds,omitempty"`  // own rules that denied
	Findings []policy.Finding `json:"findings,omitempty"` // in rules
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// GetStatus is the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// invalid is a request that makes no sense. The message never repeats what was sent.
func invalid(message string) error {
	return &Problem{Status: http.StatusBadRequest, Code: Invalid, Message: message}
}

// errStopped says that this node itself cut the partner off.
var errStopped = errors.New("this node has stopped the partner; let it in again with: entente partner allow")

// problem finds code and status for an error.
func problem(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	p := &Problem{Status: http.StatusUnprocessableEntity, Code: Failed, Message: err.Error()}
	var denied *rounds.DeniedError
	var file *intake.FileError
	var rules *policy.InvalidError
	var signatures *roster.VerifyError
	var own *federation.OwnEntryError
	var stale *federation.StaleError
	switch {
	case errors.As(err, &denied):
		p.Code, p.Grounds, p.Status = Denied, denied.Grounds, http.StatusForbidden
		if len(p.Grounds) > 0 {
			p.Message = rounds.ErrDenied.Error() // the grounds follow
		}
	case errors.As(err, &file):
		p.Code = BadFile
	case errors.As(err, &rules):
		p.Code, p.Findings, p.Message = BadRules, rules.Findings, "the rules are not valid"
	case errors.As(err, &signatures), errors.As(err, &own):
		p.Code = BadRoster
	case errors.As(err, &stale):
		p.Code, p.Status = NotJoined, http.StatusConflict
	case errors.Is(err, federation.ErrNotJoined): // before the partner, who is unknown for that reason
		p.Code, p.Status, p.Message = NotJoined, http.StatusConflict, federation.ErrNotJoined.Error()
	case errors.Is(err, rounds.ErrUnknownRound), errors.Is(err, rounds.ErrUnknownPartner), errors.Is(err, standing.ErrUnknown):
		p.Code, p.Status = NotFound, http.StatusNotFound
	case errors.Is(err, node.ErrNoLedger), errors.Is(err, node.ErrKeysByPairs), errors.Is(err, node.ErrAddressesByPairs):
		p.Code, p.Status = NoLedger, http.StatusConflict
	case errors.Is(err, rounds.ErrOpening):
		p.Code, p.Status = BadFile, http.StatusBadRequest
	case errors.Is(err, node.ErrWanted):
		p.Code, p.Status = Invalid, http.StatusBadRequest
	case errors.Is(err, node.ErrNoProposal), errors.Is(err, ledger.ErrNoCall), errors.Is(err, ledger.ErrNotHeld):
		p.Code, p.Status = NotFound, http.StatusNotFound
	case errors.Is(err, store.ErrNotFound): // all else that is asked for by name
		p.Code, p.Status, p.Message = NotFound, http.StatusNotFound, "there is no list of that name"
	case errors.Is(err, rounds.ErrNotServing):
		p.Code, p.Status = NotServing, http.StatusConflict
	case errors.Is(err, ledger.ErrPledged), errors.Is(err, ledger.ErrTerm), errors.Is(err, node.ErrUnaccounted), errors.Is(err, node.ErrByLedger), errors.Is(err, node.ErrNoPart), errors.Is(err, node.ErrRotating), errors.Is(err, rounds.ErrState), errors.Is(err, rounds.ErrNothing), errors.Is(err, rounds.ErrNoEvidence), errors.Is(err, store.ErrListInUse),
		errors.Is(err, errStopped), errors.Is(err, standing.ErrState):
		p.Code, p.Status = WrongState, http.StatusConflict
	case errors.Is(err, store.ErrListDiffers):
		p.Code, p.Status = alreadyChanged, http.StatusConflict
	}
	return p
}

// withoutValues replaces the framework's error bodies, which repeat what was sent.
func withoutValues(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &Problem{Status: e.Status, Code: Invalid, Message: e.Detail}
	for _, d := range e.Errors {
		place := d.Location
		if d.Message == validation.MsgUnexpectedProperty {
			place = "body" // the rest is what was sent
		}
		p.Message += "; " + place + ": " + d.Message
	}
	return p, nil
}

// Handler returns the API of a node.
func Handler(n *node.Node) http.Handler {
	mux := http.NewServeMux()
	c := huma.DefaultConfig("Entente node", "1")
	c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", nil
	c.Transformers = append(c.Transformers, withoutValues)
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", named)
	a := humago.New(mux, c)
	h := handlers{n}
	h.federation(a)
	h.rules(a)
	h.lists(a)
	h.rounds(a)
	h.standing(a)
	h.care(a)
	h.ledger(a)
	return mux
}

// named tells the types of standing rounds from those of single ones, which have the same
// names in their packages.
func named(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == reflect.TypeFor[standing.View]().PkgPath() {
		return "Standing" + name
	}
	return name
}

type handlers struct{ node *node.Node }

// reply is an answer's body.
type reply[T any] struct{ Body T }

// none is the input of operations that need none.
type none struct{}

// Done is the answer of operations that return nothing.
type Done struct {
	OK bool `json:"ok"`
}

// operation registers one operation, whose failures become Problems.
func operation[I, O any](a huma.API, method, path, summary string, f func(context.Context, *I) (O, error)) {
	huma.Register(a, huma.Operation{Method: method, Path: path, Summary: summary, OperationID: method + path, MaxBodyBytes: 1 << 20},
		func(ctx context.Context, in *I) (*reply[O], error) {
			out, err := f(ctx, in)
			if err != nil {
				return nil, problem(err)
			}
			return &reply[O]{out}, nil
		})
}

// done adapts an operation that returns nothing.
func done[I any](f func(context.Context, *I) error) func(context.Context, *I) (Done, error) {
	return func(ctx context.Context, in *I) (Done, error) {
		err := f(ctx, in)
		return Done{OK: err == nil}, err
	}
}
