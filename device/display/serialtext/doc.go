// Package serialtext drives displays on a serial port that receive text and
// commands as bytes: SparkFun's SerLCD, Matrix Orbital's LK204-7T and customer
// displays with the commands of Epson's DM-D110.
//
// Manuals: SparkFun, AVR-Based Serial Enabled LCDs Hookup Guide, "Firmware
// Overview" (OpenLCD); Matrix Orbital, LK204-7T-1U Technical Manual, "Command
// summary" 2 (text) and 3 (special characters); Epson, DM-D110 Specification
// (Standard), sections 4.3 (code tables) and 5.4 (commands).
//
// A frame is one write, which lasts as long as the port needs. A Keeper of
// package display prevents it from blocking the caller.
package serialtext
