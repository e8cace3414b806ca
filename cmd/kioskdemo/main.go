// Kioskdemo is the whole system on one machine without hardware: a test PKI
// with software cards, a hub, a kiosk, and a backend that pulls the feed. It
// serves a page in a browser or plays a script.
package main

import (
	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/board"
)

func main() {
	board.Guard() // first: this process may be the guardian that holds the door's line
	cli.Main(command())
}
