//go:build linux

package scenario

import (
	"fmt"
	"os/exec"
	"strings"
)

// runsKioskctl runs kioskctl while kioskd runs, and fails unless it exits with 0.
func (k *kiosk) runsKioskctl(args ...string) {
	output, err := exec.Command(programs+"/kioskctl", args...).CombinedOutput()
	k.report.line("technician", "runs kioskctl %s\n%s", strings.Join(args, " "), strings.TrimSpace(string(output)))
	if err != nil {
		k.must(fmt.Errorf("kioskctl %s: %w", strings.Join(args, " "), err))
	}
}

// inspection is a technician who checks a panel that works, and lists the parts
// that kioskctl detects.
func inspection(k *kiosk) {
	k.runsKioskctl("panel", "--config", k.config)
	k.runsKioskctl("panel", "detect")
}
