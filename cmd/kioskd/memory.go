package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hideMemory keeps PINs and names out of core dumps and away from debuggers of
// the same user: the process writes no core, and only root may read its memory
// (prctl(2), PR_SET_DUMPABLE).
func hideMemory() {
	err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if err == nil {
		err = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kioskd: cannot hide memory:", err)
		os.Exit(1)
	}
}
