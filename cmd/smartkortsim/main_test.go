package main

import (
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/cardsim/testpki"
)

// inNamespaces runs the tests in namespaces in which they can start their own pcscd.
type inNamespaces struct{ m *testing.M }

func (n inNamespaces) Run() int { return pcsctest.Run(n.m) }

func TestMain(m *testing.M) {
	testscript.Main(inNamespaces{m}, map[string]func(){"smartkortsim": main})
}

// TestScripts runs the scripts in testdata, each in its own folder with a PKI in pki.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Values[stage{}] = &stage{t: env.T().(testing.TB)}
			p, err := testpki.New(time.Now())
			if err != nil {
				return err
			}
			return p.Write(env.WorkDir + "/pki")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"pcscd":   pcscd,
			"newkeys": newKeys,
			"tries":   tries,
		},
	})
}
