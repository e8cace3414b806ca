//go:build linux

package main

import (
	"io"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	var heard strings.Builder
	l := &lines{to: &heard}
	for _, said := range []string{"a play", " passed\r\nano", "ther\n\n", "reboot: System halted\n", "unended"} {
		if _, err := io.WriteString(l, said); err != nil {
			t.Fatal(err)
		}
	}
	if want := "a play passed\nanother\n"; heard.String() != want {
		t.Errorf("heard %q, want %q", heard.String(), want)
	}
}
