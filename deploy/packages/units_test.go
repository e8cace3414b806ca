package packages

import (
	"os/exec"
	"strings"
	"testing"
)

// TestUnitsAreHardened has systemd rate our units. 15 means 1.5 of 10.
func TestUnitsAreHardened(t *testing.T) {
	for _, unit := range []string{"kioskd/kioskd.service", "kioskhub/kioskhub.service"} {
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}

// TestUnitsAreValid has systemd parse our units. It complains about programs that are not
// installed, which is all that it may complain about.
func TestUnitsAreValid(t *testing.T) {
	out, _ := exec.Command("systemd-analyze", "verify", "--recursive-errors=no", "--man=no", "kioskd/kioskd.service", "kioskhub/kioskhub.service").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "kiosk") && !strings.Contains(line, "is not executable: No such file or directory") {
			t.Errorf("systemd: %s", line)
		}
	}
}
