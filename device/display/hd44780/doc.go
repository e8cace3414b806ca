// Package hd44780 drives character displays of 2 or 4 rows that have Hitachi's
// HD44780 or a compatible controller. It reaches them over six GPIO lines or
// through a PCF8574 I²C expander.
//
// Data sheets: Hitachi HD44780U (ADE-207-272(Z)): table 4 (ROM codes), table 5
// (CGRAM), table 6 (instructions and their times), figures 5 and 7 (addresses),
// figure 24 (initializing by instruction, 4-bit). NXP PCF8574/PCF8574A: section
// 8 (writing and reading the port).
//
// The national letters in ROM differ from module to module. Letters that ASCII
// lacks are therefore taught through CGRAM, eight at a time.
package hd44780
