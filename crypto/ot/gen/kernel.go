package main

import (
	"bytes"
	"fmt"
)

const header = `// Written by the program in the folder gen; change that.

//go:build amd64

#include "textflag.h"
`

// program collects the text.
type program struct{ bytes.Buffer }

// op adds a line.
func (p *program) op(format string, a ...any) {
	fmt.Fprintf(p, format+"\n", a...)
}

// begin opens a function whose arguments are pointers or numbers of 64 bits, and loads them.
func (p *program) begin(comment, name string, arguments ...[2]string) {
	p.op("\n// %s\nTEXT ·%s(SB), NOSPLIT, $0-%d", comment, name, 8*len(arguments))
	for i, a := range arguments {
		p.op("\tMOVQ %s+%d(FP), %s", a[0], 8*i, a[1])
	}
}

// kernel returns the whole file.
func kernel() []byte {
	p := &program{}
	p.WriteString(header)
	p.expandKey()
	p.hashRows()
	p.turnSquares()
	return p.Bytes()
}
