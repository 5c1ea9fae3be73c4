package person

import ("testing";"fmt";"os";"bufio")

func TestExplore(t *testing.T) {
	f, err := os.Open(os.Getenv("NAMES"))
	if err != nil { t.Fatal(err) }
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		ws, u := tables().wordsOf(sc.Text())
		fmt.Printf("%-40s", sc.Text())
		for _, w := range ws { s := tables().soundOf(w); fmt.Printf(" %s/%s/%s", w, s, skeletonOf(s)) }
		if u { fmt.Print(" UNKNOWN") }
		fmt.Println()
	}
}
