//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLines(t *testing.T) {
	var heard []string
	l := &lines{heard: func(line string) { heard = append(heard, line) }}
	for _, said := range []string{"a play", " passed\r\nano", "ther\n\n", "reboot: System halted\n", "unended"} {
		if _, err := io.WriteString(l, said); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"a play passed", "another"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}

// The time of this very process is told, and not that of a group without any.
func TestTellTime(t *testing.T) {
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
	}
	path := filepath.Join(t.TempDir(), "time")
	told := func(group int) int {
		if err := tellTime(path, group); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSuffix(string(text), "\n"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := told(syscall.Getpgrp()); time.Duration(n) < 20*time.Millisecond {
		t.Errorf("told %v", time.Duration(n))
	}
	if n := told(1 << 30); n != 0 {
		t.Errorf("told %d for nobody", n)
	}
}
