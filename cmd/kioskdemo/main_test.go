package main

import (
	"os"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
)

// TestMain gives the tests a pcscd of their own.
func TestMain(m *testing.M) { os.Exit(pcsctest.Run(m)) }
