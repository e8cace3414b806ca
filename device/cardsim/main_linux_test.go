package cardsim_test

import (
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
)

func TestMain(m *testing.M) { pcsctest.Main(m) }
