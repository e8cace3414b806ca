// Package hd44780 drives character displays with Hitachi's HD44780 or one of
// its many likes, with 2 rows or with 4, over six GPIO lines or behind a PCF8574
// I²C expander.
//
// Data sheets: Hitachi HD44780U (ADE-207-272(Z)): table 4 (ROM codes), table 5
// (CGRAM), table 6 (instructions and their times), figures 5 and 7 (addresses),
// figure 24 (initializing by instruction, 4-bit). NXP PCF8574/PCF8574A: section
// 8 (writing and reading the port).
//
// The national letters of the ROMs differ by module, so those that ASCII lacks
// are taught through CGRAM, eight at a time.
package hd44780
