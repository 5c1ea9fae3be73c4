// Command gen writes the assembly of the kernel IFMA of crypto/ristretto to its first
// argument.
//
// Eight field elements lie across the eight 64-bit lanes of five vectors, in radix 2⁵¹:
// vector k holds the limbs of weight 2^(51·k). A limb is *tight* if it is below
// 2⁵¹ + 2¹⁵. Every element in memory is tight between two routines, so that each routine
// can be checked alone; its comment gives the bounds inside.
//
// It is a program and not text because the instructions of a multiplication repeat in
// a dozen places with other registers.
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
