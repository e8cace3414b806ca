package browser

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
)

// switches are the command line of Chromium. Policy has what a policy can say.
var switches = []string{
	"--remote-debugging-pipe", "--kiosk", "--no-first-run", "--no-default-browser-check", "--noerrdialogs",
	"--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
	"--disable-sync", "--disable-pinch", "--disable-domain-reliability", "--disable-breakpad", "--metrics-recording-only",
	"--overscroll-history-navigation=0", "--password-store=basic", "--disable-features=Translate,MediaRouter,OptimizationHints",
}

// process is a running Chromium with a profile of its own.
type process struct {
	*pipe
	command *exec.Cmd
	profile string
	files   []*os.File // our ends of the pipe
	ended   chan struct{}
}

// startProcess starts Chromium. command is the program and further switches. on gets its
// events.
func startProcess(command []string, dir string, log *slog.Logger, on func(event)) (*process, error) {
	profile, err := os.MkdirTemp(dir, "chromium-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a profile: %w", err)
	}
	p := &process{profile: profile, ended: make(chan struct{})}
	if err := p.start(command, log, on); err != nil {
		_ = os.RemoveAll(profile)
		return nil, fmt.Errorf("cannot start Chromium: %w", err)
	}
	return p, nil
}

func (p *process) start(command []string, log *slog.Logger, on func(event)) error {
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return err
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		return err
	}
	p.files = []*os.File{ourOut, ourIn}
	arguments := slices.Concat(command[1:], switches, []string{"--user-data-dir=" + p.profile, "about:blank"})
	p.command = exec.Command(command[0], arguments...)
	p.command.ExtraFiles = []*os.File{theirIn, theirOut} // descriptors 3 and 4
	p.command.Env = append(os.Environ(), "HOME="+p.profile, "XDG_CONFIG_HOME="+filepath.Join(p.profile, "config"), "XDG_CACHE_HOME="+filepath.Join(p.profile, "cache"))
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = p.command.Start()
	_ = theirIn.Close()
	_ = theirOut.Close()
	if err != nil {
		p.closeFiles()
		return err
	}
	p.pipe = newPipe(ourIn, ourOut, on)
	go func() {
		defer close(p.ended)
		if err := p.command.Wait(); err != nil {
			log.Debug("chromium ended", "err", err)
		}
	}()
	return nil
}

// stop kills Chromium with all its processes and deletes its profile.
func (p *process) stop() error {
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL) // fails if it has ended
	<-p.ended
	p.closeFiles()
	<-p.gone
	// Processes that were killed a moment ago may still write to the profile.
	var err error
	for range 20 {
		if err = os.RemoveAll(p.profile); err == nil {
			return nil
		}
	}
	return fmt.Errorf("cannot delete the profile: %w", err)
}

func (p *process) closeFiles() {
	for _, f := range p.files {
		_ = f.Close()
	}
}

// attach returns the session of Chromium's first tab.
func (p *process) attach(ctx context.Context) (session, target string, err error) {
	var found struct {
		Targets []struct {
			ID   string `json:"targetId"`
			Type string `json:"type"`
		} `json:"targetInfos"`
	}
	if err := p.call(ctx, "", "Target.getTargets", nil, &found); err != nil {
		return "", "", err
	}
	for _, t := range found.Targets {
		if t.Type == "page" {
			var attached struct {
				Session string `json:"sessionId"`
			}
			err := p.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": t.ID, "flatten": true}, &attached)
			return attached.Session, t.ID, err
		}
	}
	return "", "", fmt.Errorf("the browser has opened no page")
}
