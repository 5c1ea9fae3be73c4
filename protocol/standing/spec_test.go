package standing

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"entente/protocol/tags"
	"entente/protocol/wire"
)

// TestSpecificationSaysTheSame: the words that people agree to stand in SPEC.md, and so do
// number and cap of every frame.
func TestSpecificationSaysTheSame(t *testing.T) {
	spec, err := os.ReadFile("../../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(spec), "\n## Standing rounds\n")
	if !ok {
		t.Fatal("there is no such section")
	}
	for i, s := range Sentences() {
		if !strings.Contains(section, fmt.Sprintf("\n%d. \"%s\"\n", i+1, s)) {
			t.Errorf("SPEC.md does not say: %s", s)
		}
	}
	names := map[wire.Kind]string{
		KindHello: "Hello", KindOffer: "Offer", KindAnswer: "Answer", KindPending: "Pending", KindConfirm: "Confirm",
		KindConfirmed: "Confirmed", KindEnd: "End", KindEnded: "Ended", KindSync: "Sync", KindReady: "Ready", KindDone: "Done",
		kindState: "State", kindPeriod: "Period", kindPosition: "Position", kindBlock: "Block", kindRun: "Run", kindTags: "Tags",
		kindRunsDone: "RunsDone", kindApplied: "Applied", kindQuestions: "Questions", kindAnswers: "Answers",
		kindAcknowledged: "Acknowledged", kindQuestionsDone: "QuestionsDone", kindFeedDone: "FeedDone", kindAlive: "Alive",
	}
	known := 0
	for kind := wire.Kind(1); kind < 64; kind++ {
		limit, is := Limit(kind)
		for _, of := range []func(wire.Kind) (uint32, bool){askerLimit, holderLimit} {
			if n, ok := of(kind); ok {
				limit, is = n, true
			}
		}
		if !is {
			continue
		}
		known++
		row := fmt.Sprintf("\n| %d | %s |", kind, names[kind])
		_, rest, ok := strings.Cut(section, row)
		line, _, _ := strings.Cut(rest, "\n")
		if !ok || !strings.Contains(line, fmt.Sprintf("| %s ", thousands(limit))) {
			t.Errorf("SPEC.md has no row%s with %s bytes", row, thousands(limit))
		}
	}
	if known != len(names) {
		t.Errorf("%d kinds have a cap, %d a name", known, len(names))
	}
}

func thousands(n uint32) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// TestBlockCap: no block of any publication is longer than the cap of its frame.
func TestBlockCap(t *testing.T) {
	longest := 0
	for n := wire.MinSizeClass; n <= MaxTags; n = wire.SizeClass(n + 1) {
		code, err := tags.NewCode(n)
		if err != nil {
			t.Fatal(err)
		}
		longest = max(longest, indexSize+code.MaxBlock(tagsIn(uint32(n), 0)))
	}
	if longest != maxBlock {
		t.Errorf("the longest block has %d bytes, its frame's cap is %d", longest, maxBlock)
	}
}
