//go:build linux

package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait for a program or a display.
const patience = 60 * time.Second

// process is a program at work, and what it says.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}

	mu      sync.Mutex
	said    bytes.Buffer
	changed chan struct{} // closed at the next output
}

// start starts a program.
func start(path string, args ...string) (*process, error) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	p := &process{name: name, cmd: exec.Command(path, args...), done: make(chan struct{}), changed: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// runToEnd runs a program until it ends well.
func runToEnd(path string, args ...string) error {
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", path, args, err, out)
	}
	return nil
}

// Write takes what the process says.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.said.Write(b)
}

// output is what it said after the first from bytes.
func (p *process) output(from int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()[from:]
}

// await waits for a line that contains all of some texts, after the first from
// bytes of what the process said, and gives it.
func (p *process) await(from int, texts ...string) (line string, err error) {
	limit := time.After(patience)
	for {
		p.mu.Lock()
		said, changed := p.said.String()[from:], p.changed
		p.mu.Unlock()
		for line := range strings.Lines(said) {
			if strings.HasSuffix(line, "\n") && containsAll(line, texts) {
				return strings.TrimSuffix(line, "\n"), nil
			}
		}
		select {
		case <-changed:
		case <-p.done:
			return "", fmt.Errorf("%s ended without saying %q", p.name, texts)
		case <-limit:
			return "", fmt.Errorf("%s does not say %q", p.name, texts)
		}
	}
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// kill sends a signal and waits for the end.
func (p *process) kill(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("cannot end %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s does not end after %v", p.name, s)
	}
}

// stop ends it as systemd does, and checks that it ends well.
func (p *process) stop() error {
	err := p.kill(syscall.SIGTERM)
	if code := p.cmd.ProcessState.ExitCode(); err == nil && code != 0 {
		err = fmt.Errorf("%s exits with %d after SIGTERM", p.name, code)
	}
	if err != nil {
		return errors.Join(err, errors.New(p.output(0)))
	}
	return nil
}
