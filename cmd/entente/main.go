// Command entente runs and commands a node of a federation that finds what its
// members' lists have in common.
package main

import "os"

// version is set by the release build.
var version = "development"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
