//go:build linux

package main

import (
	"testing"

	"smartkiosk/cmd/internal/cli/manpage"
)

func TestManPages(t *testing.T) { manpage.Test(t, program{}.command(), "../../deploy/man") }
