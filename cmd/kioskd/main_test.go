package main

import (
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
)

// TestMain gives the tests a pcscd of their own.
func TestMain(m *testing.M) { pcsctest.Main(m) }
