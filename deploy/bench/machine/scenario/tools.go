//go:build linux

package scenario

import (
	"fmt"
	"os/exec"
	"strings"
)

// asks has the technician ask kioskctl something while kioskd runs, and reads
// some texts in the answer.
func (k *kiosk) asks(texts []string, args ...string) {
	said, err := exec.Command(programs+"/kioskctl", args...).CombinedOutput()
	k.report.line("technician", "runs kioskctl %s\n%s", strings.Join(args, " "), strings.TrimSpace(string(said)))
	if err != nil {
		k.must(fmt.Errorf("kioskctl %s: %w", strings.Join(args, " "), err))
	}
	for _, text := range texts {
		if !strings.Contains(string(said), text) {
			k.must(fmt.Errorf("kioskctl %s does not say %q", strings.Join(args, " "), text))
		}
	}
}

// looking is a technician who looks at a panel that works, and for what one
// could be made of.
func looking(k *kiosk) {
	k.asks(nil, "panel", "--config", k.config)
	k.asks(nil, "panel", "detect")
}
