//go:build linux

// Machine boots a machine made of programs: a user-mode Linux with the
// hardware of a kiosk, played by programs of ours, on a root of Debian's
// packages. It is its own first program inside.
//
//	machine [-short] [-only BUILD] -kernel FILE -modules FOLDER -root FOLDER -programs FOLDER -boards FOLDER -report FOLDER
//	machine -kernel FILE -modules FOLDER -root FOLDER PROGRAM [ARGUMENT …]
//
// The first plays the scenarios of package scenario with the release build of
// our programs, and leaves a report with pictures. The second runs a program, as
// root, with nothing else running, and ends with its exit code.
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

	"smartkiosk/deploy/bench/machine/scenario"
)

func main() {
	if os.Getpid() == 1 {
		beInit()
	}
	if os.Args[0] == playerName {
		play(os.Args[1])
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

// playerName is the name by which this program knows that it is to play the
// scenarios, inside.
const playerName = "play-scenarios"

// play plays the scenarios of one build, inside, and ends.
func play(build string) {
	if err := scenario.Run(build, "/bench/"+reportName); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context) (code int, err error) {
	var m machine
	flag.StringVar(&m.kernel, "kernel", "", "user-mode Linux, as kernel.sh builds it")
	flag.StringVar(&m.modules, "modules", "", "folder of modules, as modules.sh builds them")
	flag.StringVar(&m.root, "root", "", "root folder, as root.sh makes it")
	limit := flag.Duration("limit", 5*time.Minute, "how long all may take")
	var b bench
	flag.StringVar(&b.programs, "programs", "bin", "folder of our programs")
	flag.StringVar(&b.boards, "boards", "deploy/boards", "folder of board files")
	flag.StringVar(&b.report, "report", "", "folder for the report, which is made anew")
	flag.BoolVar(&b.short, "short", false, "play one visit only")
	flag.StringVar(&b.only, "only", "", "play one build only, by its name in the report")
	flag.Parse()
	if m.kernel == "" || m.modules == "" || m.root == "" {
		return 0, errors.New("-kernel, -modules and -root must be given")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("it took longer than %v", *limit))
	defer cancel()
	if flag.NArg() > 0 {
		return m.runProgram(ctx, flag.Arg(0), flag.Args()[1:])
	}
	if b.report == "" {
		return 0, errors.New("-report or a program must be given")
	}
	return 0, b.run(ctx, m)
}
