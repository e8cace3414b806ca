// Package serialtext drives displays at a serial port that take text and
// commands as bytes: SparkFun's SerLCD, Matrix Orbital's LK204-7T and customer
// displays with the commands of Epson's DM-D110.
//
// Manuals: SparkFun, AVR-Based Serial Enabled LCDs Hookup Guide, "Firmware
// Overview" (OpenLCD); Matrix Orbital, LK204-7T-1U Technical Manual, "Command
// summary" 2 (text) and 3 (special characters); Epson, DM-D110 Specification
// (Standard), sections 4.3 (code tables) and 5.4 (commands).
//
// A frame is one write, which takes as long as the port: a Keeper of package
// display keeps it from blocking anyone.
package serialtext
