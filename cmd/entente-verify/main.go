// Command entente-verify checks the audit folder of a node offline. It trusts nothing
// but the keys in the roster, whose words are to be compared with those of the other
// members over another channel, and links no peer-to-peer, consensus or database code.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
