// Package freemem overwrites memory that the program no longer uses. Go does not do so: a
// name that a visit has left in the heap stays there until another object takes its place.
//
// Wipe cannot reach what is still referenced, the stacks of goroutines that have not ended
// (see ClearStack), and memory outside the Go heap, such as that of C libraries, of the
// kernel and of other processes.
package freemem

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"unsafe"
)

// Wipe overwrites the free memory of the Go heap. It takes some milliseconds, and the
// program runs on one processor meanwhile, so that no other processor holds back free
// memory in its cache.
func Wipe() {
	// The second collection frees what the first has left in a sync.Pool; the third what
	// finalizers kept. Each returns free pages to the kernel, which clears them.
	for range 3 {
		debug.FreeOSMemory()
	}
	processors := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(processors)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	for _, class := range stats.BySize {
		if class.Size >= 16 {
			fill(int(class.Size))
		}
	}
	for size := 20 << 10; size <= 32<<10; size += 1 << 10 { // classes that BySize leaves out
		fill(size)
	}
}

// ClearStack overwrites the unused part of the calling goroutine's stack: what functions
// that have returned left there. A goroutine that lives on calls it after it has handled a
// secret.
func ClearStack() { clearStack(32) }

//go:noinline
func clearStack(kilobytes int) byte {
	var frame [1024]byte
	for i := range frame {
		frame[i] = byte(kilobytes >> 8) // 0, but the compiler does not know
	}
	if kilobytes > 0 {
		return frame[kilobytes] + clearStack(kilobytes-1)
	}
	return frame[0]
}

// fill takes the free places of one size in pages that are partly used, and so clears
// them. Go keeps objects with and without pointers in different pages.
func fill(size int) {
	fillWith(func() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]byte, size))) })
	const header = 8 // of objects with pointers of more than 512 bytes
	pointers := size / 8
	if size > 512 {
		pointers -= header / 8
	}
	fillWith(func() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]*byte, pointers))) })
}

const (
	// enough is how much the pages in use must grow to show that no free places are left.
	// It is more than one allocation of pages, and than what other goroutines allocate at
	// the same time.
	enough     = 128 << 10
	most       = 16 << 10 // objects that are held in one block
	perReading = 16       // objects between two looks at the pages
)

// fillWith allocates until only new pages serve the requests.
func fillWith(allocate func() unsafe.Pointer) {
	var blocks [][]unsafe.Pointer
	for grown := uint64(0); grown < enough; {
		block := make([]unsafe.Pointer, 0, most)
		blocks = append(blocks, block)
		before := inUse()
		for len(block) < most && grown < enough {
			for range perReading {
				block = append(block, allocate())
			}
			after := inUse()
			grown += max(after, before) - before
			before = after
		}
		blocks[len(blocks)-1] = block
	}
	runtime.KeepAlive(blocks)
}

// inUse returns the size of the pages that hold objects, with their free places.
func inUse() uint64 {
	samples := [...]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(samples[:])
	return samples[0].Value.Uint64() + samples[1].Value.Uint64()
}
