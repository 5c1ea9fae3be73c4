package demo

import (
	"context"
	"path/filepath"
	"time"
)

// next tells which commands do what the story has shown.
func (s *story) next(context.Context) error {
	if s.o.Dir == "" {
		s.screen.say("This demonstration leaves nothing behind. To keep the three nodes and try the commands on them:")
		s.screen.line("  entente demo --dir trial")
		s.screen.say("A node of your own begins like this; every command has --help:")
		for _, c := range []string{
			"entente init --dir au --member AU --name Australia --role state \\",
			"  --listen /ip4/127.0.0.1/tcp/7101",
			"entente federation create --name bali --out fed.json au/member.json id/member.json",
			"entente policy init --dir au --template pilot --partner ID --basis AU-TIP",
			"entente list check --help",
		} {
			s.screen.line("  %s", c)
		}
		s.screen.gap()
		return nil
	}
	au, id := s.stage.dir(au), s.stage.dir(id)
	s.screen.say("The nodes are kept in %s. Start two of them, each in a window of its own:", s.base)
	s.screen.line("  entente serve --dir %s", au)
	s.screen.line("  entente serve --dir %s", id)
	s.screen.say("Then, in a third window:")
	for _, c := range []string{
		"entente round plan --dir " + au + " --with ID --list wanted --kind phone --purpose trafficking",
		"entente round propose --dir " + au + " --with ID --list wanted --kind phone \\",
		"  --purpose trafficking --learn both --result which --wait",
		"entente round list --dir " + id,
		"entente hit list --dir " + au + " --round " + s.round.ID,
		"entente policy explain --dir " + id,
		"entente audit verify --dir " + au,
		"entente-verify " + filepath.Join(s.base, alteredFolder),
	} {
		s.screen.line("  %s", c)
	}
	s.screen.say("The files that were read in are in %s.", filepath.Join(s.base, filesFolder))
	return nil
}

// ending says whether all of it was true.
func (s *story) ending() {
	s.doc.Seconds = time.Since(s.began).Seconds()
	s.screen.say("If the shell does not know entente: \"go build -o . ./cmd/...\" makes the programs in this folder; then write ./entente.")
	if s.doc.Verified {
		s.screen.say("All of this, but for what step 8 calls recorded, happened just now, in %.1f seconds, and was compared with what had been "+
			"planted in the files: %d checks, all right. Remember: trial data only.", s.doc.Seconds, s.doc.checks())
		return
	}
	s.screen.say("SOMETHING IS NOT AS IT MUST BE: the lines that begin with !! above say what. Do not use this build.")
}
