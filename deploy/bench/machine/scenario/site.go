//go:build linux

package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Where things are inside the machine.
const (
	programs = "/bench/programs" // the release build
	work     = "/tmp/site"       // in memory
	hubDir   = work + "/hub"
	pkiDir   = "/bench/pki" // made by the host, as is the hub's folder
	hubMade  = "/bench/hub"
)

// Consumer is the backend's name.
const Consumer = "backend"

// site is what stands beside a kiosk: Debian's services, a hub, and a backend
// that pulls its feed.
type site struct {
	pcscd, hub, feed *process

	pulled string // from feeds that have ended
}

// openSite starts it.
func openSite() (*site, error) {
	s := &site{}
	for _, dir := range []string{work, "/run/udev", "/run/pcscd"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	before := syscall.Umask(0o077) // a hub's keys are its own
	err := os.CopyFS(hubDir, os.DirFS(hubMade))
	syscall.Umask(before)
	if err != nil {
		return nil, err
	}
	if err := runToEnd("/lib/systemd/systemd-udevd", "--daemon"); err != nil { // returns when it listens
		return nil, err
	}
	if err := s.startPCSC(); err != nil {
		return nil, err
	}
	return s, s.startHub()
}

// startHub starts the hub, and the backend that pulls its feed.
func (s *site) startHub() (err error) {
	if s.hub, err = start(programs+"/kioskhub", "serve", "--dir", hubDir); err != nil {
		return err
	}
	if _, err := s.hub.await(0, "hub ready"); err != nil {
		return err
	}
	s.feed, err = start(programs+"/kioskhub", "feed", "tail", "--dir", hubDir, Consumer)
	return err
}

// stopHub ends both. What the backend had by then is kept.
func (s *site) stopHub() error {
	err := errors.Join(s.feed.stop(), s.hub.stop())
	s.pulled += s.feed.output(0)
	return err
}

// startPCSC starts the PC/SC service and waits until it can be used.
func (s *site) startPCSC() (err error) {
	if s.pcscd, err = start("/usr/sbin/pcscd", "--foreground", "--info"); err != nil {
		return err
	}
	_, err = s.pcscd.await(0, "daemon ready")
	return err
}

// configure gives the configuration file of one of the hub's kiosks, in which
// it makes the panel that of a board file.
func configure(id, board string) (config string, err error) {
	config = filepath.Join(hubDir, "kiosks", id, "kioskd.toml")
	text, err := os.ReadFile(config)
	if err != nil {
		return "", err
	}
	const web = `listen = "127.0.0.1:8080"`
	changed := strings.Replace(string(text), web, fmt.Sprintf("board = %q", board), 1)
	if changed == string(text) {
		return "", fmt.Errorf("the bundle's kioskd.toml has no web panel:\n%s", text)
	}
	return config, os.WriteFile(config, []byte(changed), 0o600)
}

// pulled is an event as the backend has it.
type pulled struct {
	Source   string `json:"source"`
	Type     string `json:"type"`
	Sequence string `json:"sequence"`
	Data     struct {
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
	} `json:"data"`
}

const visitType = "smartkiosk.visit.v1"

// events gives a kiosk's events when the feed has so many visits of it, all in
// order and without a gap.
func (s *site) events(kiosk string, visits int) ([]pulled, error) {
	limit := time.After(patience)
	for {
		s.feed.mu.Lock()
		said, changed := s.feed.said.String(), s.feed.changed
		s.feed.mu.Unlock()
		all, err := eventsOf(s.pulled+said, kiosk)
		if err != nil {
			return nil, err
		}
		seen := 0
		for _, e := range all {
			if e.Type == visitType {
				seen++
			}
		}
		if seen >= visits {
			return all, nil
		}
		select {
		case <-changed:
		case <-limit:
			return nil, fmt.Errorf("the feed has %d of %d visits of %s", seen, visits, kiosk)
		}
	}
}

// eventsOf reads the feed's lines.
func eventsOf(lines, kiosk string) ([]pulled, error) {
	var all []pulled
	for line := range strings.Lines(lines) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var e pulled
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("cannot read the feed's %q: %w", line, err)
		}
		if !strings.HasSuffix(e.Source, kiosk) {
			continue
		}
		all = append(all, e)
		if n, err := strconv.Atoi(e.Sequence); err != nil || n != len(all) {
			return nil, fmt.Errorf("event %d of %s has sequence %q", len(all), kiosk, e.Sequence)
		}
	}
	return all, nil
}
