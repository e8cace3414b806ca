package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// hub is a hub on this machine, with a test PKI.
type hub struct {
	programs, dir, pki string
	process            *exec.Cmd
}

const kioskName = "lobby-7"

func openHub(programs, work string) (*hub, error) {
	h := &hub{programs: programs, dir: filepath.Join(work, "hub"), pki: filepath.Join(work, "pki")}
	if _, err := h.run("smartkortsim", "pki", h.pki); err != nil {
		return nil, err
	}
	if _, err := h.run("kioskhub", "init", "--listen", "127.0.0.1:18443", "--url", "https://10.0.2.2:18443", "--trust", h.pki, h.dir); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(work, "hub.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	h.process = exec.Command(filepath.Join(programs, "kioskhub"), "serve", "--dir", h.dir)
	h.process.Stdout, h.process.Stderr = log, log
	h.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return h, h.process.Start()
}

func (h *hub) close() {
	_ = h.process.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = h.process.Wait()
}

// run runs one of our programs and returns what it prints.
func (h *hub) run(program string, args ...string) (string, error) {
	out, err := exec.Command(filepath.Join(h.programs, program), args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w:\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// provision makes the two files of the boot partition, and returns their folder.
func (h *hub) provision(work string) (string, error) {
	list := filepath.Join(work, "list.csv")
	table, err := h.run("kioskhub", "codes", "new", "--dir", h.dir, "--csv", kioskName)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(list, []byte(table), 0o600); err != nil {
		return "", err
	}
	cards, err := os.MkdirTemp(work, "cards-")
	if err != nil {
		return "", err
	}
	_, err = h.run("kioskctl", "provision", "--list", list, cards)
	return filepath.Join(cards, kioskName), err
}
