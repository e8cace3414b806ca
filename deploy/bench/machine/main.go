//go:build linux

// Machine boots a machine made of programs: a user-mode Linux with the
// hardware of a kiosk, played by programs of ours, on a root of Debian's
// packages. It is its own first program inside.
//
//	machine [-short] [-report FOLDER] -kernel FILE -modules FOLDER -root FOLDER -programs FOLDER
//	machine -kernel FILE -modules FOLDER -root FOLDER PROGRAM [ARGUMENT …]
//
// The first runs the scenarios (see its package scenario), the second a static
// program, as root, with the hardware's far ends in /dev and nothing else
// running. Both end with the machine's exit code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if os.Getpid() == 1 {
		beInit()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "machine:", err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context) (code int, err error) {
	var m machine
	flag.StringVar(&m.kernel, "kernel", "", "user-mode Linux, as kernel.sh builds it")
	flag.StringVar(&m.modules, "modules", "", "folder of modules, as modules.sh builds them")
	flag.StringVar(&m.root, "root", "", "root folder, as root.sh makes it")
	limit := flag.Duration("limit", 5*time.Minute, "how long the machine may run")
	flag.Parse()
	if m.kernel == "" || m.modules == "" || m.root == "" {
		return 0, errors.New("-kernel, -modules and -root must be given")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("the machine ran longer than %v", *limit))
	defer cancel()
	if flag.NArg() == 0 {
		return 0, errors.New("a program must be given")
	}
	return m.runProgram(ctx, flag.Arg(0), flag.Args()[1:])
}
