package bench

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Invented phones: North American numbers with the exchange 555, of which no line is
// assigned any more (0100 to 0199 are reserved for fiction; 1212 was a service and is
// left out). Area codes are those of the United States, so that the numbers have the
// form of assigned ranges and take the parser's longest way.
const (
	linesPerArea = 9_999 // 0000 to 9999 without 1212
	maxPhones    = int64(len(areaCodes)/4) * linesPerArea
	areaCodes    = "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 252 253 254 " +
		"256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 320 321 323 325 330 " +
		"331 334 336 337 347 351 352 360 361 386 401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 424 425 430 432 " +
		"434 435 440 443 469 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520 530 540 541 551 559 " +
		"561 562 563 567 570 571 573 574 575 580 585 586 601 602 603 605 606 607 608 609 610 612 614 615 616 617 618 619 620 623 " +
		"626 630 631 636 641 646 650 651 660 661 662 678 682 701 702 703 704 706 707 708 712 713 714 715 716 717 718 719 720 724 " +
		"727 731 732 734 740 754 757 760 763 765 770 772 773 774 775 781 785 786 801 802 803 804 805 806 808 810 812 813 814 815 "
)

// phone returns the area code and line of the i-th invented number.
func phone(i int64) (area string, line int64) {
	at := i / linesPerArea * 4
	line = i % linesPerArea
	if line >= 1212 {
		line++
	}
	return areaCodes[at : at+3], line
}

// notations are the ways in which lists write one number.
func notation(w *strings.Builder, area string, line int64, style int64) {
	switch style {
	case 0:
		fmt.Fprintf(w, "+1%s555%04d", area, line)
	case 1:
		fmt.Fprintf(w, "(%s) 555-%04d", area, line)
	case 2:
		fmt.Fprintf(w, "%s-555-%04d", area, line)
	case 3:
		fmt.Fprintf(w, "%s555%04d", area, line)
	case 4:
		fmt.Fprintf(w, "%s.555.%04d", area, line)
	case 5:
		fmt.Fprintf(w, "1 %s 555 %04d", area, line)
	case 6:
		fmt.Fprintf(w, "tel:+1-%s-555-%04d", area, line)
	case 7:
		fmt.Fprintf(w, "001 %s 555 %04d", area, line)
	case 8:
		fmt.Fprintf(w, "\"+1 (%s)\u00a0555\u2011%04d\"", area, line)
	default:
		fmt.Fprintf(w, "=\"%s555%04d\"", area, line)
	}
}

const notations = 10

// writePhones writes a list of n different numbers, in no order, with a column before
// and one after them.
func writePhones(w io.Writer, n int64) error {
	out := bufio.NewWriterSize(w, 1<<20)
	if _, err := out.WriteString("ref,phone,notes\n"); err != nil {
		return fmt.Errorf("write list: %w", err)
	}
	step := stride(n)
	var b strings.Builder
	for i := range n {
		b.Reset()
		fmt.Fprintf(&b, "%d,", i+1)
		area, line := phone(i * step % n)
		notation(&b, area, line, i%notations)
		if i%100 == 99 {
			b.WriteString(",\"seen twice,\nsee file\"\n")
		} else {
			b.WriteString(",\n")
		}
		if _, err := out.WriteString(b.String()); err != nil {
			return fmt.Errorf("write list: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write list: %w", err)
	}
	return nil
}

// stride returns a step that visits each of n numbers once: it has no divisor in common
// with n.
func stride(n int64) int64 {
	gcd := func(a, b int64) int64 {
		for b != 0 {
			a, b = b, a%b
		}
		return a
	}
	s := n*618/1000 + 1
	for gcd(s, n) != 1 {
		s++
	}
	return s
}
