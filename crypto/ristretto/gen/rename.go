package main

import (
	"fmt"
	"slices"
)

// rename gives each value of a block a name of its own, so that only true dependencies
// are left. Constants keep their registers; no other value may live at the ends of the
// block.
func rename(block []instruction, constants []string) []instruction {
	names, count := map[string]string{}, 0
	out := make([]instruction, len(block))
	for i, in := range block {
		words := slices.Clone(in.operands)
		last := len(words) - 1
		for k, o := range words[:last] {
			if name, ok := names[o]; ok {
				words[k] = name
			}
		}
		if o := words[last]; o[0] == 'Z' && !slices.Contains(constants, o) {
			if !in.updates || in.start != "" {
				names[o] = fmt.Sprint("V", count)
				count++
			}
			words[last] = names[o]
		}
		in.operands = words
		out[i] = in
	}
	return out
}

// assign gives values registers again.
func assign(block []instruction, constants []string) []instruction {
	var free []string
	for r := registers - 1; r >= 0; r-- {
		if z := fmt.Sprint("Z", r); !slices.Contains(constants, z) {
			free = append(free, z)
		}
	}
	live, places := newLiveness(block), map[string]string{}
	for i, in := range block {
		words := slices.Clone(in.operands)
		live.take(in)
		for k, o := range words {
			if z, ok := places[o]; ok {
				words[k] = z
			}
		}
		release := func() {
			for _, o := range distinct(in) {
				if z, ok := places[o]; ok && !live.used[o] {
					free = append(free, z)
					delete(places, o)
				}
			}
		}
		if in.start == "" { // sources that end here may give their register to the destination
			release()
		}
		if o := in.destination(); words[len(words)-1][0] == 'V' {
			places[o] = free[len(free)-1]
			free = free[:len(free)-1]
			words[len(words)-1] = places[o]
		}
		release()
		block[i].operands = words
	}
	return block
}
