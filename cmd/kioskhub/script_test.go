package main

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"smartkiosk/device/cardsim/testpki"
)

// The test binary is kioskhub too, for scripts and for processes to kill.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kioskhub": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"testpki": func(ts *testscript.TestScript, _ bool, args []string) {
				pki, err := testpki.New(time.Now())
				ts.Check(err)
				ts.Check(pki.Write(ts.MkAbs(args[0])))
			},
			// occupy listens on a free port until the script ends and puts
			// its address into $ADDR.
			"occupy": func(ts *testscript.TestScript, _ bool, _ []string) {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				ts.Check(err)
				ts.Defer(func() { ln.Close() })
				ts.Setenv("ADDR", ln.Addr().String())
			},
			// mode FILE MODE fails unless the file has these permissions.
			"mode": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(args[0]))
				ts.Check(err)
				if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[1] {
					ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
				}
			},
		},
	})
}
