package freemem

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// scatter leaves many copies of a text in free memory, in objects of many sizes.
//
//go:noinline
func scatter(text string) (kept [][]byte) {
	for size := len(text); size <= 40<<10; size += size/3 + 1 {
		for i := range 20 {
			b := make([]byte, size)
			copy(b, text)
			if i == 10 { // a neighbour that stays, so that the page stays in use
				clear(b)
				kept = append(kept, b)
			}
		}
	}
	return kept
}

// TestWipe scatters a text in free memory, and searches all memory of the process for it.
func TestWipe(t *testing.T) {
	secret := strings.Join([]string{"Sol", "veig ", "Prø", "vesen, ", "as ", "never ", "whole"}, "") // not in the binary
	kept := scatter(secret)
	before := count(t, secret)
	Wipe()
	after := count(t, secret)
	if len(kept) == 0 || before < 20 || after > 1 { // secret itself
		t.Errorf("%d copies before, %d after", before, after)
	}
	if secret == "" {
		t.Error("cannot happen: keeps the text alive")
	}
}

// TestClearStack leaves a text on the stack of a goroutine that lives on.
func TestClearStack(t *testing.T) {
	secret := strings.Join([]string{"Tor", "bjørn ", "Sper", "redal, ", "as ", "never ", "whole"}, "")
	leave, left := make(chan struct{}), make(chan struct{})
	go func() {
		for range leave {
			leaveOnStack(secret)
			left <- struct{}{}
		}
		ClearStack()
		left <- struct{}{}
		<-t.Context().Done()
	}()
	leave <- struct{}{}
	<-left
	before := count(t, secret)
	close(leave)
	<-left
	Wipe() // the stack may have moved
	if after := count(t, secret); before < 2 || after > 1 {
		t.Errorf("%d copies before, %d after", before, after)
	}
}

//go:noinline
func leaveOnStack(text string) byte {
	var frame [2048]byte
	copy(frame[100:], text)
	return frame[len(text)]
}

// count returns how often a text is in this process' memory.
func count(t *testing.T, text string) (n int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	buffer, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON) // not in the Go heap
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(buffer) }()
	needle := unsafe.Slice(unsafe.StringData(text), len(text)) // no copy
	own := int64(uintptr(unsafe.Pointer(unsafe.SliceData(buffer))))
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		for ; from < to; from += int64(len(buffer)) {
			part := buffer[:min(int64(len(buffer)), to-from)]
			if from < own+int64(len(buffer)) && own < from+int64(len(part)) {
				continue // the buffer itself
			}
			read, err := mem.ReadAt(part, from)
			if err != nil && err != io.EOF {
				continue
			}
			n += bytes.Count(part[:read], needle)
		}
	}
	return n
}
