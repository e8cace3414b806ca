//go:build linux

package main

import (
	"io"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	var out strings.Builder
	l := &lines{to: &out}
	for _, chunk := range []string{"a scenario", " passed\r\nano", "ther\n\n", "reboot: System halted\n", "not ended"} {
		if _, err := io.WriteString(l, chunk); err != nil {
			t.Fatal(err)
		}
	}
	if want := "a scenario passed\nanother\n"; out.String() != want {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
}
