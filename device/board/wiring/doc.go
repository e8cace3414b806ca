// Package wiring tells a person how a board is to be built: what to buy, which
// wire goes from where to where, in words and as a picture of the header, and
// what the Raspberry Pi must be told. It has all of it from the board's file.
//
// The files beside those of deploy/boards are written by
//
//	go generate ./device/board/wiring
package wiring

//go:generate go run ./draw ../../../deploy/boards
