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
	pkiDir   = "/bench/pki" // the host makes this folder and the next
	hubMade  = "/bench/hub"
)

// Consumer is the backend's name.
const Consumer = "backend"

// site is what a kiosk needs around it: Debian's services, a hub, and a backend
// that pulls the hub's feed.
type site struct {
	pcscd, hub, feed *process

	feedBefore string // output of feed processes that have ended
}

// openSite starts a site.
func openSite() (*site, error) {
	s := &site{}
	for _, dir := range []string{work, "/run/udev", "/run/pcscd"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	before := syscall.Umask(0o077) // the hub insists on private keys
	err := os.CopyFS(hubDir, os.DirFS(hubMade))
	syscall.Umask(before)
	if err != nil {
		return nil, err
	}
	if err := runToEnd("/lib/systemd/systemd-udevd", "--daemon"); err != nil { // returns when udev listens
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

// stopHub stops both. It keeps what the backend has pulled.
func (s *site) stopHub() error {
	err := errors.Join(s.feed.stop(), s.hub.stop())
	s.feedBefore += s.feed.output(0)
	return err
}

// startPCSC starts the PC/SC service and waits until it is ready.
func (s *site) startPCSC() (err error) {
	if s.pcscd, err = start("/usr/sbin/pcscd", "--foreground", "--info"); err != nil {
		return err
	}
	_, err = s.pcscd.await(0, "daemon ready")
	return err
}

// configure changes the configuration file of one of the hub's kiosks so that it
// uses a board file instead of a panel in a browser, and returns its path.
func configure(id, board string) (config string, err error) {
	config = filepath.Join(hubDir, "kiosks", id, "kioskd.toml")
	text, err := os.ReadFile(config)
	if err != nil {
		return "", err
	}
	const web = `listen = "127.0.0.1:8080"`
	changed := strings.Replace(string(text), web, fmt.Sprintf("board = %q", board), 1)
	if changed == string(text) {
		return "", fmt.Errorf("the bundle's kioskd.toml has no line %q:\n%s", web, text)
	}
	return config, os.WriteFile(config, []byte(changed), 0o600)
}

// event is an event of the feed.
type event struct {
	Source   string `json:"source"`
	Type     string `json:"type"`
	Sequence string `json:"sequence"`
	Data     struct {
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
	} `json:"data"`
}

const visitType = "smartkiosk.visit.v1"

// events waits until the feed has a number of visits of a kiosk, and returns all
// events of that kiosk. They must be in order and without a gap.
func (s *site) events(kiosk string, visits int) ([]event, error) {
	limit := time.After(patience)
	for {
		s.feed.mu.Lock()
		output, changed := s.feed.written.String(), s.feed.changed
		s.feed.mu.Unlock()
		all, err := eventsOf(s.feedBefore+output, kiosk)
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

// eventsOf parses the feed's lines and returns the events of a kiosk. It ignores
// a last line that has not ended.
func eventsOf(lines, kiosk string) ([]event, error) {
	var all []event
	for line := range strings.Lines(lines) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("cannot parse line %q of the feed: %w", line, err)
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
