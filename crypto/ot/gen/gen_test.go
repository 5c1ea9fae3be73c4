package main

import (
	"bytes"
	"os"
	"testing"
)

// The assembly in the repository is what this program writes.
func TestCommittedOutput(t *testing.T) {
	committed, err := os.ReadFile("../kernel_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, kernel()) {
		t.Error("kernel_amd64.s is not what gen writes: run go generate")
	}
}
