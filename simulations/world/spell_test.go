package world

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestRespell(t *testing.T) {
	for _, c := range []struct {
		word, rules string
		want        []string // all results that may come
	}{
		{"Yusuf", "u>ou", []string{"Yousuf", "Yusouf"}},
		{"Nour", "u>ou o>oo", nil},                 // no run of three vowels
		{"Hassan", "ss>s s>ss", []string{"Hasan"}}, // no letter thrice
		{"Ali", "i$>y i>ee", []string{"Aly", "Alee"}},
		{"Said", "i$>y", nil},
		{"Adib", ".a>e .i>e", []string{"Adeb"}}, // not at the start
		{"Saeed", "a>e e>a", nil},               // nor out of a double letter, or to three
		{"Jamil", "m>mm l>ll", []string{"Jammil"}},
		{"Nurul", "u>o", []string{"Norul", "Nurol"}},
		{"Yusuf", "u>uu", []string{"Yuusuf", "Yusuuf"}},
		{"Patel", "t>th h>hh", []string{"Pathel"}},
		{"Chen", "ch>tch", []string{"Tchen"}},
		{"Haq", "h> q>k", []string{"Aq", "Hak"}},
		{"Ba", "b>", nil},    // not down to one letter
		{"Mia", "m>mm", nil}, // not at the start
		{"أحمد", "أ>ا", []string{"احمد"}},
		{"İbrahim", "i>ee", []string{"Eebrahim", "İbraheem"}},
	} {
		rules, err := readRules(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for i := range 60 {
			got, ok := respell(newDice(1, "respell", i), c.word, rules)
			if ok != (c.want != nil) || ok && !slices.Contains(c.want, got) || !ok && got != c.word {
				t.Fatalf("%s by %s becomes %s, %v", c.word, c.rules, got, ok)
			}
			seen[got] = true
		}
		if c.want != nil && len(seen) != len(c.want) {
			t.Errorf("%s by %s: %v, want all of %v", c.word, c.rules, seen, c.want)
		}
	}
}

// distance is the number of letters to leave out, put in, replace, or exchange with the next
// one, to get from a to b (optimal string alignment).
func distance(a, b []rune) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range b {
		d[0][j+1] = j + 1
	}
	for i := range a {
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d[i+1][j+1] = min(d[i][j]+cost, d[i][j+1]+1, d[i+1][j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d[i+1][j+1] = min(d[i+1][j+1], d[i-1][j-1]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// TestMistype slips on every name of the data, in every script: once, no more, and the word
// begins as it did, with a capital or not.
func TestMistype(t *testing.T) {
	n, slips := 0, 0
	for _, c := range everything(t) {
		for key, pool := range c.stock.pools {
			if !strings.HasPrefix(key, "given") && !strings.HasPrefix(key, "family") {
				continue
			}
			for _, g := range pool {
				for _, word := range []string{g.columns[0].own[0], g.columns[0].latin[0][0]} {
					if strings.ContainsAny(word, " +-") || word == "" {
						continue
					}
					n++
					got, ok := mistype(newDice(2, word, 0), word)
					if !ok {
						if got != word {
							t.Errorf("%s becomes %s, and yet is not mistyped", word, got)
						}
						continue
					}
					slips++
					from, to := []rune(word), []rune(got)
					// In other scripts letters are exchanged over the marks between them.
					steps := distance([]rune(strings.ToLower(word)), []rune(strings.ToLower(got)))
					if steps > 2 || steps == 0 || steps == 2 && unicode.Is(unicode.Latin, from[0]) {
						t.Errorf("%s becomes %s, %d steps away", word, got, steps)
					}
					if unicode.IsUpper(from[0]) != unicode.IsUpper(to[0]) {
						t.Errorf("%s becomes %s", word, got)
					}
				}
			}
		}
	}
	if n < 1500 || slips < n*8/10 {
		t.Errorf("%d of %d words were mistyped", slips, n)
	}
	for _, word := range []string{"", "A", "王", "明"} {
		if got, ok := mistype(newDice(2, word, 1), word); ok || got != word {
			t.Errorf("%q becomes %q", word, got)
		}
	}
}

func TestNeighbour(t *testing.T) {
	keys := map[rune]string{'q': "w", 'p': "o", 'a': "s", 'l': "k", 'z': "x", 'm': "n", 'g': "fh", 'G': "FH", 'é': "é", 'ж': "ж"}
	for key, want := range keys {
		seen := map[rune]bool{}
		for i := range 50 {
			r := neighbour(newDice(3, string(key), i), key)
			if !strings.ContainsRune(want, r) {
				t.Errorf("beside %c is %c", key, r)
			}
			seen[r] = true
		}
		if len(seen) != len([]rune(want)) {
			t.Errorf("beside %c: %v, want all of %s", key, seen, want)
		}
	}
}

// TestArticle: each way of writing al- comes as often as its weight says.
func TestArticle(t *testing.T) {
	for column, written := range [][]string{
		{"al-Shami", "Al-Shami", "Al Shami", "El Shami", "El-Shami", "Alshami", "Ash-Shami", "Shami"},
		{"al-Chami", "Al-Chami", "Al Chami", "El Chami", "El-Chami", "Alchami", "", "Chami"},
	} {
		const draws = 20_000
		seen := map[string]int{}
		w := writer{dice: newDice(4, "article", column), column: column}
		bare := written[len(written)-1]
		for range draws {
			seen[strings.Join(w.withArticle([]string{bare}), " ")]++
		}
		sum := 0
		for i, weight := range articleWeights(column == 1) {
			if weight > 0 {
				near(t, written[i], seen[written[i]], draws, float64(weight)/100)
			}
			sum += weight
			delete(seen, written[i])
		}
		if len(seen) > 0 || sum != 100 {
			t.Errorf("also written %v; weights add up to %d", seen, sum)
		}
	}
	for name, want := range map[string]string{"tamimi": "t", "dulaimi": "d", "dhahabi": "dh", "rashid": "r", "zahrani": "z", "najjar": "n", "masri": "l", "hassan": "l"} {
		if got := sun(name); got != want {
			t.Errorf("before %s the l becomes %s, want %s", name, got, want)
		}
	}
}

// TestSwap puts names in other orders.
func TestSwap(t *testing.T) {
	for _, c := range []struct {
		roles []Role
		want  string
	}{
		{[]Role{Given, Family}, "10"},
		{[]Role{Given, Middle, Family}, "201"},
		{[]Role{Family, Given}, "10"},
		{[]Role{Family, Middle, Given}, "120"},
		{[]Role{Given, Family, Mother}, "120"},
		{[]Role{Given, Middle, Family, Mother}, "2301"},
		{[]Role{Given, Mother, Family}, "120"},
		{[]Role{Given, Father, Grandfather}, "201"},
		{[]Role{Given, Given}, "10"},
		{[]Role{Given}, "0"},
	} {
		order := func() []written {
			var all []written
			for i, r := range c.roles {
				all = append(all, written{part: part{role: r}, words: []string{string(rune('0' + i))}})
			}
			return all
		}
		swapped := false
		for i := range 500 {
			w := writer{dice: newDice(5, "swap", i), person: &Person{tradition: &tradition{}}}
			names := order()
			w.swap(names)
			text := ""
			for _, n := range names {
				text += n.words[0]
			}
			if w.damage.Has(DamageSwapped) {
				swapped = true
				if text != c.want {
					t.Fatalf("%v becomes %s, want %s", c.roles, text, c.want)
				}
			} else if text != "0123"[:len(c.roles)] {
				t.Fatalf("%v becomes %s without notice", c.roles, text)
			}
		}
		if swapped != (len(c.roles) > 1) {
			t.Errorf("%v swapped: %v", c.roles, swapped)
		}
	}
}

func TestMarks(t *testing.T) {
	for text, want := range map[string]string{
		"Nguyễn": "Nguyen", "Đặng Thị": "Dang Thi", "Łukasz": "Lukasz", "Weiß": "Weiss", "Yıldız": "Yildiz", "İbrahim": "Ibrahim", "Ali": "Ali",
	} {
		if got := bare(text); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{"Nguyễn": "Nguyên", "Đặng": "Đăng", "Phượng": "Phương", "Thủy": "Thuy", "Lê": "Lê"} {
		if got := toneless(text); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

func TestDates(t *testing.T) {
	for date, want := range map[Date]string{{1984, 3, 12}: "1984-03-12", {1984, 0, 0}: "1984", {2006, 12, 31}: "2006-12-31"} {
		if got := date.String(); got != want {
			t.Errorf("%v is written %s", date, got)
		}
	}
	for _, c := range [][3]int{{1900, 2, 28}, {2000, 2, 29}, {1984, 2, 29}, {1985, 2, 28}, {1985, 4, 30}, {1985, 12, 31}} {
		if got := lastDay(c[0], c[1]); got != c[2] {
			t.Errorf("%d-%d has %d days", c[0], c[1], got)
		}
	}
}
