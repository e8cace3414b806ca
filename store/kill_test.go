package store

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// An environment variable makes the test binary run one of these processes.
const (
	processName = "SMARTKIOSK_TEST_PROCESS"
	processPath = "SMARTKIOSK_TEST_OUTBOX"
)

var processes = map[string]func(path string) error{"writer": writeUntilKilled}

func TestMain(m *testing.M) {
	if run := processes[os.Getenv(processName)]; run != nil {
		if err := run(os.Getenv(processPath)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeUntilKilled appends from four goroutines and acknowledges older records.
// It prints a line for each record that Append confirmed.
func writeUntilKilled(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 4 {
		go func() {
			for {
				seq, err := s.Append(sealText(strings.Repeat("x", 6000)))
				if err != nil {
					failed <- err
					return
				}
				fmt.Printf("appended %d\n", seq) // one write each
				if seq%50 == 0 {
					if err := s.Ack(seq - 20); err != nil {
						failed <- err
						return
					}
				}
			}
		}()
	}
	return <-failed
}

func TestKilledWriter(t *testing.T) {
	path := outbox(t)
	var told, acked uint64 // at least so many were acknowledged
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), processName+"=writer", processPath+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			seq, err := strconv.ParseUint(strings.TrimPrefix(lines.Text(), "appended "), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			told = max(told, seq)
			if n == 30+17*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed
		if acked >= told {
			t.Fatalf("round %d: nothing was appended", round)
		}
		acked = told

		s := open(t, path)
		records := pending(t, s, 0, 1<<20)
		if len(records) == 0 || records[len(records)-1].Sequence < told {
			t.Fatalf("round %d: %d records, of %d that were durable", round, len(records), told)
		}
		if first := records[0]; first.Sequence > told {
			t.Fatalf("round %d: the unacknowledged record %d is missing", round, first.Sequence-1)
		}
		prev, _ := strings.CutPrefix(string(records[0].Data), fmt.Sprintf("%d ", records[0].Sequence))
		prev, _, _ = strings.Cut(prev, " ")
		var link []byte
		if _, err := fmt.Sscanf(prev, "%x", &link); err != nil && prev != "" {
			t.Fatal(err)
		}
		checkChain(t, records, records[0].Sequence, link)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
