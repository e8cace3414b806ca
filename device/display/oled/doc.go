// Package oled drives panels of 128 by 64 dots over I²C, with Solomon Systech's
// SSD1306 or SSD1309 or with Sino Wealth's SH1106. It sets letters in its own
// fonts, with all of Latin-1 and Latin Extended-A, in three layouts, and shows
// images.
//
// Data sheets: SSD1306 rev. 1.1: section 8.1.5 (I²C), 8.7 and 10.1.3 (memory,
// page addressing), tables 9-1 and 9-2 (commands, status), application note
// figure 2 (initialization). SSD1309 rev. 1.1: table 9-1 (commands). SH1106 V2.3:
// table 1 (commands).
package oled
