package main

// rounds of AES-128 (FIPS 197); there is one round key more.
const rounds = 10

// expandKey is the key expansion of FIPS 197 section 5.2. The instruction gives the last
// word, rotated, substituted and with the round constant; each word of the next key is the
// sum of it and of all words of the last key up to its place.
func (p *program) expandKey() {
	p.begin("func expandKey(keys *[11]Block, key *Block)", "expandKey", [2]string{"keys", "DI"}, [2]string{"key", "SI"})
	p.op("\tVMOVDQU (SI), X0\n\tVMOVDQU X0, (DI)")
	constant := 1
	for r := 1; r <= rounds; r++ {
		p.op("\tVAESKEYGENASSIST $%d, X0, X1", constant)
		p.op("\tVPSHUFD $0xff, X1, X1\n\tVMOVDQA X0, X2")
		for range 3 {
			p.op("\tVPSLLDQ $4, X2, X2\n\tVPXOR X2, X0, X0")
		}
		p.op("\tVPXOR X1, X0, X0\n\tVMOVDQU X0, %d(DI)", 16*r)
		if constant <<= 1; constant > 255 {
			constant ^= 0x11b
		}
	}
	p.op("\tRET")
}

// hashRows sets out to AES(K, z) + z for z = row + offset.
func (p *program) hashRows() {
	p.begin("func hashRows(out, rows, offsets *Block, keys *[11]Block, n uint64)", "hashRows",
		[2]string{"out", "DI"}, [2]string{"rows", "SI"}, [2]string{"offsets", "DX"}, [2]string{"keys", "CX"}, [2]string{"n", "BX"})
	p.op("eight:\n\tCMPQ BX, $8\n\tJB one")
	p.hashLanes(8)
	p.op("\tSUBQ $8, BX\n\tJMP eight")
	p.op("one:\n\tTESTQ BX, BX\n\tJZ done")
	p.hashLanes(1)
	p.op("\tDECQ BX\n\tJMP one")
	p.op("done:\n\tRET")
}

// hashLanes hashes some rows at once, so that the latency of a round does not matter, and
// moves the pointers on.
func (p *program) hashLanes(lanes int) {
	const key = 15
	p.op("\tVMOVDQU (CX), X%d", key)
	for i := range lanes {
		p.op("\tVMOVDQU %d(SI), X%d\n\tVPXOR %d(DX), X%d, X%d", 16*i, i, 16*i, i, i)
		p.op("\tVPXOR X%d, X%d, X%d", key, i, i)
	}
	for r := 1; r <= rounds; r++ {
		name := "VAESENC"
		if r == rounds {
			name = "VAESENCLAST"
		}
		p.op("\tVMOVDQU %d(CX), X%d", 16*r, key)
		for i := range lanes {
			p.op("\t%s X%d, X%d, X%d", name, key, i, i)
		}
	}
	for i := range lanes {
		p.op("\tVPXOR %d(SI), X%d, X%d\n\tVPXOR %d(DX), X%d, X%d", 16*i, i, i, 16*i, i, i)
		p.op("\tVMOVDQU X%d, %d(DI)", i, 16*i)
	}
	p.op("\tADDQ $%d, DI\n\tADDQ $%d, SI\n\tADDQ $%d, DX", 16*lanes, 16*lanes, 16*lanes)
}
