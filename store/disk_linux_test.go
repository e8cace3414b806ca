package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

func init() { processes["full disk"] = fillDisk }

// fillDisk appends 3 records, then 3 while every write beyond some pages fails
// as on a full disk, then one more. It prints how many of the second 3 failed.
// It is a separate process because the limit applies to the whole process.
func fillDisk(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := s.Append(sealText("before")); err != nil {
			return err
		}
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	var pages, failed uint64
	if _, err := fmt.Sscan(os.Getenv("PAGES"), &pages); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: pages * pageSize, Max: before.Max}); err != nil {
		return err
	}
	for range 3 {
		switch _, err := s.Append(sealText("perhaps")); {
		case errors.Is(err, syscall.EFBIG):
			failed++
		case err != nil:
			return err
		}
	}
	if n := s.Len(); n != 6-int(failed) {
		return fmt.Errorf("%d records after %d of 6 failed", n, failed)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	if _, err := s.Append(sealText("after")); err != nil {
		return err
	}
	fmt.Println(failed)
	return s.Close()
}

// TestDiskFull: Append fails while the disk is full, whichever page cannot be
// written. When there is space again it works as before.
func TestDiskFull(t *testing.T) {
	someFailed := 0
	for pages := range 8 {
		path := outbox(t)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), processName+"=full disk", processPath+"="+path, fmt.Sprintf("PAGES=%d", pages))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%d pages: %v", pages, err)
		}
		var failed int
		if _, err := fmt.Sscan(strings.TrimSpace(string(out)), &failed); err != nil {
			t.Fatal(err)
		}
		if failed > 0 {
			someFailed++
		}
		s := open(t, path)
		checkChain(t, pending(t, s, 0, 10), 1, nil)
		if want := 7 - failed; s.Len() != want {
			t.Errorf("%d pages: %d records, want %d", pages, s.Len(), want)
		}
	}
	if someFailed < 3 {
		t.Errorf("the disk was full %d times", someFailed)
	}
}
