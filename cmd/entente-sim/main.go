// Command entente-sim runs simulations and attacks with the protocol code of nodes and
// invented data. It is a binary of its own, so that no node links attackers or the weak
// baselines that they are measured on.
package main

import "os"

// version is set by the release build.
var version = "development"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
