// Package intake reads the lists that agencies have, as comma-, semicolon- or
// tab-separated text, into canonical indicators.
//
//	file ─► reader ─► rows ─┬► worker: Parse, handling data ─┬► file order ─► Sink
//	        (one)           └► worker …                      ┘      └► Report
//
// The text format is RFC 4180 read strictly, with what spreadsheets add to it: UTF-8
// with or without a byte order mark, three separators, a leading "sep=" line, line
// ends of every system, blank lines. Nothing is guessed: a row whose quotes or number
// of columns are wrong is rejected with its line, and reading goes on at the line
// after the one on which it began; text in another encoding is refused as a whole.
//
// What it promises to the focal point: every row is counted exactly once (rows =
// ready + rejected + held + duplicates); every change is in the report with its value
// before and after; the report of one file is the same on any number of cores;
// handling data are never dropped (a row that cannot be read in full is rejected).
// Import either ends with every row handed to the sink, or returns an error, and the
// sink's owner then rolls back: nothing is half imported.
//
// What it promises about other people's eyes: no error, log line or formatted value
// of this package holds a cell of a row. Before and After in a Report do, and are for
// the importing side alone.
//
// Memory: a field has at most 64 KiB, a row 1 MiB and 1,024 columns; at most 50 units
// of 512 rows or 256 KiB and one row (62 MiB of text at the very worst, usually 2) are
// in flight; the report keeps the first 1,000 rows of each outcome, values cut to 256
// characters. Finding duplicates in the file costs about 40 bytes a row.
//
// What it does not do: it does not decide whether a value may be matched (policy and
// the store's snapshot do), and it reads no spreadsheet files: those are saved as
// CSV UTF-8 first, and the error for one says how.
package intake
