package ristretto

// The constants of RFC 9496 section 4.1, as four words of 64 bits, the lowest first. They
// are arrays and never written to; Go has no constants of such a type.
var (
	// edwardsD is d of the curve −x² + y² = 1 + d·x²·y², −121665/121666.
	edwardsD = [4]uint64{0x75eb4dca135978a3, 0x00700a4d4141d8ab, 0x8cc740797779e898, 0x52036cee2b6ffe73}
	// sqrtMinusOne is SQRT_M1, the even root.
	sqrtMinusOne = [4]uint64{0xc4ee1b274a0ea0b0, 0x2f431806ad2fe478, 0x2b4d00993dfbd7a7, 0x2b8324804fc1df0b}
	// sqrtADMinusOne is SQRT_AD_MINUS_ONE, an odd root of −d − 1.
	sqrtADMinusOne = [4]uint64{0x7e97f6a0497b2e1b, 0xaf9d8e0c1b7854bd, 0x0f3cfcc931f5d1fd, 0x376931bf2b8348ac}
	// invSqrtAMinusD is INVSQRT_A_MINUS_D, an even root of 1/(−1 − d).
	invSqrtAMinusD = [4]uint64{0x99c8fdaa805d40ea, 0x9d2f16175a4172be, 0x16c27b91fe01d840, 0x786c8905cfaffca2}
	// oneMinusDSquare is ONE_MINUS_D_SQ, 1 − d².
	oneMinusDSquare = [4]uint64{0xe27c09c1945fc176, 0x2c81a138cd5e350f, 0x9994abddbe70dfe4, 0x029072a8b2b3e0d7}
	// dMinusOneSquare is D_MINUS_ONE_SQ, (d − 1)².
	dMinusOneSquare = [4]uint64{0x31ad5aaa44ed4d20, 0xd29e4a2cb01e1999, 0x4cdcd32f529b4eeb, 0x5968b37af66c2241}
)
