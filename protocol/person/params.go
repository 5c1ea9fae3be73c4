package person

var params = struct {
	weak   int
	length [7]int
	unit   float64
	skel, sound, bigram float64 // share of bits
	pen, penShare float64
	year, yearPen, near float64
	dm, dmPen, swap, month, day float64
	dims int
}{
	weak: 2, length: [7]int{4, 5, 6, 8, 9, 10, 10}, unit: 380,
	skel: 0.75, sound: 0.2, bigram: 0.35,
	pen: 0.6, penShare: 0.08,
	year: 12, yearPen: 3.25, near: 0.33,
	dm: 13.7, dmPen: 2.7, swap: 9, month: 1.7, day: 3,
	dims: 1024,
}
