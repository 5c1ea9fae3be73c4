// Command gen writes the assembly of crypto/ot to its first argument: the hash of rows with
// the AES instructions of amd64, eight rows at a time, and the transposition of bits with
// AVX2, four squares at a time. It is a program and not text because the same few
// instructions repeat for every register.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], kernel(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
