package rules

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A changed file is used after the next reload. If it has an error or is gone, the current
// rules stay, and the error is logged once.
func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const deny, allow = "default = \"deny\"\n", "default = \"allow\"\n"
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "cannot read rules: "+path+" is missing") {
		t.Errorf("a file that is missing: got %v", err)
	}
	write("default = \"perhaps\"")
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "cannot read rules "+path+`: default = "perhaps"`) {
		t.Errorf("a file that is wrong: got %v", err)
	}
	write(deny)
	f, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text logged
	log := slog.New(slog.NewTextHandler(&text, nil))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		var changes []string
		go func() {
			f.Watch(ctx, time.Second, log, func(r *Rules) { changes = append(changes, r.Version) })
			close(ended)
		}()
		for _, step := range []struct {
			what    string
			do      func()
			allowed bool
			stale   bool
			says    string
			lines   int
		}{
			{"no change", func() {}, false, false, "", 0},
			{"another file", func() { write(allow) }, true, false, `msg="rules loaded"`, 1},
			{"a file with an error", func() { write("default = 1") }, true, true, `msg="cannot load rules, the current rules stay in use"`, 1},
			{"no change again", func() {}, true, true, "", 0},
			{"no file", func() { os.Remove(path) }, true, true, "is missing", 1},
			{"a good file", func() { write(deny) }, false, false, "version=", 1},
			{"an error", func() { write("default = 2") }, false, true, "stay in use", 1},
			{"the same good file", func() { write(deny) }, false, false, "rules loaded", 1},
		} {
			step.do()
			// Two reloads, because the first could come before the change.
			<-time.After(2 * time.Second)
			synctest.Wait()
			text := text.drain()
			if got := f.Rules().Decide(Case{Subject: kari}).Allowed; got != step.allowed || f.Stale() != step.stale {
				t.Errorf("%s: allowed %t, stale %t", step.what, got, f.Stale())
			}
			if got := strings.Count(text, "\n"); got != step.lines || !strings.Contains(text, step.says) {
				t.Errorf("%s: it logs\n%s", step.what, text)
			}
		}
		cancel()
		<-ended
		if len(changes) != 2 || changes[1] != f.Rules().Version || changes[0] == changes[1] {
			t.Errorf("it reports the versions %q", changes)
		}
	})
	if _, err := Open(filepath.Dir(path), nil); err == nil || !strings.Contains(err.Error(), "cannot read rules: read ") {
		t.Errorf("a folder: got %v", err)
	}
}

// logged collects the log lines since the last drain.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) drain() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// A rule about a trust domain that does not exist would never apply.
func TestOpenKnowsDomains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.toml")
	if err := os.WriteFile(path, []byte(shifts), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, known := range [][]string{nil, {"local", "buypass"}} {
		if _, err := Open(path, known); err != nil {
			t.Errorf("%q: %v", known, err)
		}
	}
	if _, err := Open(path, []string{"local"}); err == nil || !strings.Contains(err.Error(), `rule "day": domains: there is no trust domain "buypass", only ["local"]`) {
		t.Errorf("got %v", err)
	}
}
