package main

import (
	"os"
	"testing"
)

func TestCommittedAssemblyIsGenerated(t *testing.T) {
	b, err := os.ReadFile("../avx2_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != kernel() {
		t.Error("avx2_amd64.s is not what gen writes: run go generate ./crypto/he")
	}
}
