//go:build linux

// Machine boots a user-mode Linux whose hardware is that of a kiosk, simulated
// by programs, on a root of Debian packages. It is also the first program that
// runs inside.
//
//	machine [-only BUILD] [-seed N | -realtime] -kernel FILE -modules FOLDER -root FOLDER -programs FOLDER -boards FOLDER -report FOLDER
//	machine [-seed N | -realtime] -kernel FILE -modules FOLDER -root FOLDER PROGRAM [ARGUMENT …]
//
// The first form plays the scenarios of package scenario with the release build
// of our programs, and writes a report with pictures. The second form runs one
// program as root, while nothing else runs, and exits with its exit code.
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
		play(os.Args[1], os.Args[2:])
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

// playerName is the name under which this program plays scenarios inside.
const playerName = "play-scenarios"

// play plays the scenarios of one build and exits. It runs inside. In real time it
// also gets the host's [scenario.WakeCost].
func play(build string, args []string) {
	if len(args) > 0 {
		cost, err := time.ParseDuration(args[0])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		scenario.HostWakeCost = cost
	}
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
	flag.Uint64Var(&m.seed, "seed", 1, "seed of the random numbers inside")
	flag.BoolVar(&m.realTime, "realtime", false, "let time pass as on the host; of the scenarios, play only those that measure processor time")
	limit := flag.Duration("limit", 15*time.Minute, "how long the run may take on the host")
	var b bench
	flag.StringVar(&b.programs, "programs", "bin", "folder of our programs")
	flag.StringVar(&b.boards, "boards", "deploy/boards", "folder of board files")
	flag.StringVar(&b.report, "report", "", "folder for the report; what is in it is deleted")
	flag.StringVar(&b.only, "only", "", "name of the one build to play, as in the report")
	flag.Parse()
	if m.kernel == "" || m.modules == "" || m.root == "" {
		return 0, errors.New("-kernel, -modules and -root are required")
	}
	m.begins = time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("the run took longer than %v", *limit))
	defer cancel()
	if flag.NArg() > 0 {
		return m.runProgram(ctx, flag.Arg(0), flag.Args()[1:])
	}
	if b.report == "" {
		return 0, errors.New("-report or a program is required")
	}
	return 0, b.run(ctx, m)
}
