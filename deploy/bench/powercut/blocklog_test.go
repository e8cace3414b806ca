//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"smartkiosk/deploy/bench/powercut/cuts"
)

// golden is the beginning of a log that Linux 6.1 wrote, with a smaller number of
// entries and a flush that came later: a block that was written through, a mark, 32
// sectors, and the flush.
func golden(t *testing.T) []byte {
	t.Helper()
	var log []byte
	for _, part := range []struct {
		head string
		data int
	}{
		{"72687377 66736a00 01000000 00000000 04000000 00000000 00020000", 0},
		{"00000000 00000000 08000000 00000000 02000000 00000000 00000000 00000000", 4096},
		{"00000000 00000000 00000000 00000000 08000000 00000000 10000000 00000000 313a6372 65617465 3a626567 696e3a30", 0},
		{"602c0000 00000000 20000000 00000000 00000000 00000000 00000000 00000000", 32 * sector},
		{"00000000 00000000 00000000 00000000 01000000 00000000 00000000 00000000", 0},
	} {
		head, err := hex.DecodeString(strings.ReplaceAll(part.head, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, head...)
		log = append(log, make([]byte, sector-len(head)+part.data)...)
	}
	return log
}

func TestReadLog(t *testing.T) {
	got, err := readLog(bytes.NewReader(golden(t)), diskSize)
	if err != nil {
		t.Fatal(err)
	}
	want := []blockEntry{
		{flags: flagFUA, length: 4096, data: 1024},
		{flags: flagMark, data: 5632},
		{at: 11360 * sector, length: 32 * sector, data: 6144},
		{flags: flagFlush, data: 23040},
	}
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	mark := cuts.Mark{Box: 1, Point: cuts.Create}
	if m := got[1].mark; m == nil || *m != mark {
		t.Errorf("mark %v, want %v", m, mark)
	}
	got[1].mark = nil
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("entry %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestReadLogRefuses(t *testing.T) {
	put := func(at int, v uint64) func([]byte) []byte {
		return func(log []byte) []byte {
			binary.LittleEndian.PutUint64(log[at:], v)
			return log
		}
	}
	for _, test := range []struct {
		name   string
		change func([]byte) []byte
		want   string
	}{
		{"nothing", func([]byte) []byte { return nil }, "cannot read log: EOF"},
		{"another magic", put(0, 1), "cannot read log: magic 1, version 1"},
		{"another version", put(8, 2), "cannot read log: magic 6a736677736872, version 2"},
		{"larger sectors", put(24, 4096), "cannot read log: sectors of 4096 bytes"},
		{"more entries than there are", put(16, 5), "cannot read entry 4 of 5: EOF"},
		{"beyond the disk", put(512, diskSize/sector), "cannot read entry 0 of 4: it is beyond the disk"},
		{"overflow", put(520, 1<<63), "cannot read entry 0 of 4: it is beyond the disk"},
		{"no mark of ours", func(log []byte) []byte {
			copy(log[5120+32:], "what:")
			return log
		}, `cannot read entry 1 of 4: cannot read mark "what:ate:begin:0": strconv.Atoi: parsing "what": invalid syntax`},
	} {
		_, err := readLog(bytes.NewReader(test.change(golden(t))), diskSize)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

// TestReadLogEnd: log-writes' own mark ends the log.
func TestReadLogEnd(t *testing.T) {
	log := golden(t)
	binary.LittleEndian.PutUint64(log[5120+24:], uint64(len(logEnd)))
	copy(log[5120+32:], logEnd)
	if got, err := readLog(bytes.NewReader(log), diskSize); err != nil || len(got) != 1 {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

func FuzzReadLog(f *testing.F) {
	f.Add([]byte("rhswfsj\x00"))
	f.Fuzz(func(t *testing.T, log []byte) {
		const disk = 1 << 16
		entries, err := readLog(bytes.NewReader(log), disk)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.at < 0 || e.length < 0 || e.at+e.length > disk {
				t.Errorf("an entry from %d, of %d bytes", e.at, e.length)
			}
		}
	})
}

// TestCut: what a cut leaves of a log with four writes of two sectors, the
// first flushed, the second written through, the last after the cut.
func TestCut(t *testing.T) {
	const base = superblockEnd
	var data []byte
	entry := func(letter string, flags uint64) blockEntry {
		e := blockEntry{at: base, length: 2 * sector, data: int64(len(data)), flags: flags}
		data = append(data, strings.Repeat(letter, 2*sector)...)
		e.at += e.data
		return e
	}
	entries := []blockEntry{
		entry("a", 0), {flags: flagFlush}, entry("b", flagFUA), entry("c", 0), entry("d", 0),
	}
	seen := map[string]int{}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		l := blockLog{log: bytes.NewReader(data), entries: entries, safe: make([]byte, base+len(data))}
		image := make([]byte, len(l.safe))
		if err := l.cut(4, random, image); err != nil {
			t.Fatal(err)
		}
		look := ""
		for at := base; at < len(image); at += sector {
			look += string(image[at] | ' ') // 0 becomes a space
		}
		seen[look]++
	}
	want := []string{"aabb    ", "aabbcc  ", "aabbc   ", "aabb c  "}
	for _, look := range want {
		if seen[look] == 0 {
			t.Errorf("never %q", look)
		}
		delete(seen, look)
	}
	if len(seen) > 0 {
		t.Errorf("also %v", seen)
	}
}

// TestCutShortLog: a recording whose data is missing is an error.
func TestCutShortLog(t *testing.T) {
	l := blockLog{log: strings.NewReader("short"), entries: []blockEntry{{length: sector, flags: flagFUA}}, safe: make([]byte, diskSize)}
	err := l.cut(1, rand.New(rand.NewPCG(1, 2)), make([]byte, diskSize))
	if !errors.Is(err, io.EOF) {
		t.Errorf("%v, want %v", err, io.EOF)
	}
}
