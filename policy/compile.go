package policy

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

//go:embed baseline.cedar
var baselineText string

const (
	baselineFile = "baseline.cedar"
	// BaselineVersion numbers the embedded rules, so that a recorded decision says
	// which of them stood above the bundle.
	BaselineVersion = 1
)

// compiler turns files into rules and collects what is wrong with them.
type compiler struct {
	register register
	engine   *engine
	titles   map[string]string // title → id of the rule that has it
	literals map[types.EntityType][]string
	used     map[types.EntityType]map[string]bool // literals and bases that rules name
	rules    ruleSet
	findings []Finding
}

// compile reads all files. An error means that the embedded parts are broken; what
// is wrong with the bundle is in the findings.
func compile(files map[string][]byte) (*Bundle, []Finding, error) {
	e, err := newEngine()
	if err != nil {
		return nil, nil, err
	}
	c := &compiler{engine: e, titles: make(map[string]string)}
	c.use(register{})
	c.compileFile(baselineFile, []byte(baselineText))
	if len(c.findings) > 0 {
		return nil, nil, fmt.Errorf("compile baseline: %w", &InvalidError{Findings: c.findings})
	}
	for _, r := range c.rules {
		r.baseline = true
	}
	content, ok := files[registerFile]
	if !ok {
		c.fault(registerFile, token{}, "is missing", "Every rules folder has one; it states version, members, purposes and bases.")
	} else {
		r, findings := parseRegister(content)
		c.findings = append(c.findings, findings...)
		c.use(r)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case name == registerFile:
		case !isRuleFile(name):
			c.fault(plain(name, maxName), token{}, "is neither bundle.toml nor a rules file", "")
		default:
			c.compileFile(name, files[name])
		}
	}
	if len(c.rules) > maxRules {
		c.fault(registerFile, token{}, fmt.Sprintf("the folder has more than %d rules", maxRules), "")
	}
	c.lintRegister()
	b := &Bundle{files: maps.Clone(files), register: c.register, rules: c.rules, byID: make(map[string]*rule), index: newIndex(c.rules), engine: e}
	for _, r := range c.rules {
		b.byID[r.id] = r
	}
	for name, content := range b.files {
		b.files[name] = slices.Clone(content)
	}
	return b, c.findings, nil
}

// use makes a register's entries the names that rules may use.
func (c *compiler) use(r register) {
	c.register = r
	c.used = map[types.EntityType]map[string]bool{typeMember: {}, typePurpose: {}, typeBasis: {}}
	c.literals = map[types.EntityType][]string{
		typeMember:  slices.Clone(r.Members),
		typePurpose: slices.Clone(r.Purposes),
		typeBasis:   slices.Sorted(maps.Keys(r.Bases)),
		typeList:    nil, // rules are about categories and bases, not about single lists
	}
	for name, enum := range c.engine.schema.Enums {
		for _, v := range enum.Values {
			c.literals[name] = append(c.literals[name], string(v.ID))
		}
	}
	for uid := range c.engine.schema.Actions {
		c.literals[typeAction] = append(c.literals[typeAction], string(uid.ID))
	}
	for _, names := range c.literals {
		slices.Sort(names)
	}
}

func (c *compiler) fault(file string, at token, text, remedy string) {
	c.findings = append(c.findings, Finding{File: file, Line: at.line, Column: at.column, Severity: Error, Text: text, Remedy: remedy})
}

func (c *compiler) warn(file string, at token, text, remedy string) {
	c.findings = append(c.findings, Finding{File: file, Line: at.line, Column: at.column, Severity: Warning, Text: text, Remedy: remedy})
}

// compileFile parses one file and checks each of its rules.
func (c *compiler) compileFile(name string, content []byte) {
	src := string(content)
	var tokens []token
	if len(src) <= maxFileBytes {
		tokens = scan(src)
	}
	if faults := checkText(name, src, tokens); len(faults) > 0 {
		c.findings = append(c.findings, faults...)
		return
	}
	list, err := cedar.NewPolicyListFromBytes(name, content)
	if err != nil {
		c.syntax(name, err)
		return
	}
	for i, p := range list {
		position := p.Position()
		r := &rule{
			id:   fmt.Sprintf("%s#%d", strings.TrimSuffix(name, ".cedar"), i+1),
			file: name, line: position.Line, forbids: p.Effect() == cedar.Forbid, policy: p, evaluated: inAnyMode(p),
		}
		own := span(tokens, position.Offset)
		c.annotate(r, own)
		c.lint(r, own)
		c.rules = append(c.rules, r)
	}
}

// cedarPlace finds the place in an error of Cedar's parser or scanner, which keep
// it only in the text.
var cedarPlace = regexp.MustCompile(`^parser error: (?:parse error at )?<[^>]*>:(\d+):(\d+):? (.*)$`)

// cedarExpected finds what Cedar's parser missed.
var cedarExpected = regexp.MustCompile(`exact got (.*) want (.*)$`)

func (c *compiler) syntax(name string, err error) {
	text := plain(err.Error(), maxText)
	var at token
	if m := cedarPlace.FindStringSubmatch(text); m != nil {
		at.line, _ = strconv.Atoi(m[1])
		at.column, _ = strconv.Atoi(m[2])
		text = m[3]
		if e := cedarExpected.FindStringSubmatch(text); e != nil {
			text = fmt.Sprintf("%q is expected here, not %q", e[2], e[1])
		}
	}
	c.fault(name, at, "cannot be read: "+text, "Look for a missing comma, bracket, quote or semicolon just before.")
}

func cedarKey(s string) types.AnnotationKey { return types.AnnotationKey(s) }
