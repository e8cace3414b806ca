package main

import (
	"io"
	"testing"

	"smartkiosk/cmd/internal/cli/manpage"
)

func TestManPages(t *testing.T) {
	manpage.Test(t, newProgram(io.Discard, io.Discard).command(), "../../deploy/man")
}
