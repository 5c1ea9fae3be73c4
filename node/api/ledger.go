package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"entente/node"
	"entente/node/ledger"
)

// Text is something that is written for other tools.
type Text struct {
	Text string `json:"text"`
}

// Proposed names a proposal.
type Proposed struct {
	ID string `json:"id"`
}

type wantedInput struct{ Body node.Wanted }

type termInput struct{ Body node.WantedTerm }

type proposalInput struct {
	ID string `path:"id"`
}

type linesInput struct {
	From uint64 `query:"from"`
	Most int    `query:"most"`
}

type secondsInput struct {
	Seconds int `query:"seconds" minimum:"1" maximum:"60"`
}

type indexInput struct {
	Index uint64 `path:"index"`
}

func (h handlers) ledger(a huma.API) {
	operation(a, http.MethodGet, "/ledger", "How the ledger stands", func(ctx context.Context, _ *none) (ledger.Standing, error) {
		l, err := h.node.Ledger()
		if err != nil {
			return ledger.Standing{}, err
		}
		return l.Standing(ctx)
	})
	operation(a, http.MethodGet, "/ledger/wait", "How it stands once something has changed, or after so many seconds", func(ctx context.Context, in *secondsInput) (ledger.Standing, error) {
		l, err := h.node.Ledger()
		if err != nil {
			return ledger.Standing{}, err
		}
		l.Wait(ctx, time.Duration(in.Seconds)*time.Second)
		return l.Standing(ctx)
	})
	operation(a, http.MethodGet, "/ledger/entries", "Entries of the ledger", func(_ context.Context, in *linesInput) ([]ledger.Line, error) {
		l, err := h.node.Ledger()
		if err != nil {
			return nil, err
		}
		return l.Lines(in.From, in.Most)
	})
	operation(a, http.MethodGet, "/ledger/checkpoint", "The newest final checkpoint, as a signed note", func(context.Context, *none) (Text, error) {
		l, err := h.node.Ledger()
		if err != nil {
			return Text{}, err
		}
		_, note, err := l.Note()
		return Text{note}, err
	})
	operation(a, http.MethodGet, "/ledger/proof/{index}", "Proof that an entry is in it", func(_ context.Context, in *indexInput) (Text, error) {
		l, err := h.node.Ledger()
		if err != nil {
			return Text{}, err
		}
		proof, err := l.Proof(in.Index)
		return Text{proof}, err
	})
	operation(a, http.MethodGet, "/ledger/calls", "Calls for a new term of the ledger", func(context.Context, *none) ([]ledger.Called, error) {
		l, err := h.node.Ledger()
		if err != nil {
			return nil, err
		}
		return l.Calls()
	})
	operation(a, http.MethodPost, "/ledger/calls", "Call for a new term of the ledger", func(_ context.Context, in *termInput) (ledger.Called, error) {
		return h.node.CallTerm(in.Body)
	})
	operation(a, http.MethodPost, "/ledger/calls/{id}/agree", "Agree to a call for a new term", func(_ context.Context, in *proposalInput) (ledger.Called, error) {
		return h.node.AgreeTerm(in.ID)
	})
	operation(a, http.MethodGet, "/proposals", "Changes of the federation, ended and open", func(context.Context, *none) ([]node.Proposal, error) {
		return h.node.Proposals()
	})
	operation(a, http.MethodPost, "/proposals", "Propose a change of the federation", func(ctx context.Context, in *wantedInput) (Proposed, error) {
		id, err := h.node.Propose(ctx, in.Body)
		return Proposed{id}, err
	})
	for _, verb := range []string{"approve", "object"} {
		operation(a, http.MethodPost, "/proposals/{id}/"+verb, "Answer a proposal", func(ctx context.Context, in *proposalInput) (node.Proposal, error) {
			return h.node.Answer(ctx, in.ID, verb == "approve")
		})
	}
}
