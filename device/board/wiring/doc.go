// Package wiring describes how to build a board: what to buy, where each wire
// goes, in words and as a picture of the header, and how to configure the
// Raspberry Pi. It derives all of this from the board's file.
//
// The .md and .svg files of the boards in deploy/boards are written by
//
//	go generate ./device/board/wiring
package wiring

//go:generate go run ./draw ../../../deploy/boards
