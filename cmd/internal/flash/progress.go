package flash

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress is a line that shows how far a task is, how fast it is, and how long it still
// takes. On something else than a terminal it prints a line for every tenth.
type progress struct {
	out      io.Writer
	terminal bool
	what     string
	fraction func(done int64) float64
	began    time.Time
	tenth    int
}

func newProgress(out io.Writer, what string, fraction func(int64) float64) *progress {
	p := &progress{out: out, what: what, fraction: fraction, began: time.Now()}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// at is called with the bytes that are done.
func (p *progress) at(done int64) {
	f := min(p.fraction(done), 1)
	if !p.terminal {
		if tenth := int(f * 10); tenth > p.tenth {
			p.tenth = tenth
			fmt.Fprintf(p.out, "%s %d%%\n", p.what, tenth*10)
		}
		return
	}
	fmt.Fprintf(p.out, "\r%s\x1b[K", line(p.what, f, done, time.Since(p.began)))
}

// end ends the line.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprintln(p.out)
	}
}

// line returns the text of a progress line.
func line(what string, fraction float64, done int64, took time.Duration) string {
	const width = 30
	filled := int(fraction * width)
	bar := make([]byte, width)
	for i := range bar {
		bar[i] = ' '
		if i < filled {
			bar[i] = '='
		}
	}
	text := fmt.Sprintf("%-9s [%s] %3d%%", what, bar, int(fraction*100))
	if took < time.Second || fraction <= 0 {
		return text
	}
	left := time.Duration(float64(took) * (1 - fraction) / fraction).Round(time.Second)
	return text + fmt.Sprintf("  %.1f MB/s  %s left", float64(done)/took.Seconds()/1e6, left)
}
