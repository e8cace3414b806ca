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

// process is a program that was started, with its output.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu      sync.Mutex
	written bytes.Buffer
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

// runToEnd runs a program and returns an error unless it exits with 0.
func runToEnd(path string, args ...string) error {
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", path, args, err, out)
	}
	return nil
}

// Write implements [io.Writer] for the program's output.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.written.Write(b)
}

// output returns the output after its first from bytes.
func (p *process) output(from int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written.String()[from:]
}

// await waits for a line of the output, after its first from bytes, that
// contains all texts, and returns it.
func (p *process) await(from int, texts ...string) (line string, err error) {
	limit := time.After(patience)
	for {
		p.mu.Lock()
		output, changed := p.written.String()[from:], p.changed
		p.mu.Unlock()
		for line := range strings.Lines(output) {
			if strings.HasSuffix(line, "\n") && containsAll(line, texts) {
				return strings.TrimSuffix(line, "\n"), nil
			}
		}
		select {
		case <-changed:
		case <-p.done:
			return "", fmt.Errorf("%s ended without logging %q", p.name, texts)
		case <-limit:
			return "", fmt.Errorf("%s did not log %q within %v", p.name, texts, patience)
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

// kill sends a signal and waits until the program has ended.
func (p *process) kill(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("cannot signal %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s did not end within %v of %v", p.name, patience, s)
	}
}

// stop stops the program as systemd does, and returns an error unless it exits
// with 0.
func (p *process) stop() error {
	err := p.kill(syscall.SIGTERM)
	if code := p.cmd.ProcessState.ExitCode(); err == nil && code != 0 {
		err = fmt.Errorf("%s exited with %d after SIGTERM", p.name, code)
	}
	if err != nil {
		return errors.Join(err, errors.New(p.output(0)))
	}
	return nil
}
