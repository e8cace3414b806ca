package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// leaf returns a leaf page with the given keys and an empty value for each.
func leaf(keys ...string) page {
	body := make([]byte, pageSize)
	at := pageHead + len(keys)*elementHead
	for i, k := range keys {
		e := body[pageHead+i*elementHead:]
		order.PutUint32(e[4:], uint32(at-pageHead-i*elementHead))
		order.PutUint32(e[8:], uint32(len(k)))
		at += copy(body[at:], k)
	}
	return page{flags: leafPage, count: len(keys), body: body}
}

// TestElements: the keys of a page must ascend, and nothing may lie outside it.
func TestElements(t *testing.T) {
	for _, tt := range []struct {
		name string
		page page
		ok   bool
	}{
		{"none", leaf(), true},
		{"ascending", leaf("a", "b", "c"), true},
		{"descending", leaf("b", "a"), false},
		{"the same key twice", leaf("a", "a"), false},
		{"more than fit", page{flags: leafPage, count: 256, body: make([]byte, pageSize)}, false},
		{"a branch without children", page{flags: branchPage, body: make([]byte, pageSize)}, false},
		{"unknown flag", func() page { p := leaf("a"); order.PutUint32(p.body[pageHead:], bucketFlag+1); return p }(), false},
		{"a value up to the end", func() page {
			p := leaf("a")
			order.PutUint32(p.body[pageHead+12:], pageSize-pageHead-elementHead-1)
			return p
		}(), true},
		{"a value past the end", func() page {
			p := leaf("a")
			order.PutUint32(p.body[pageHead+12:], pageSize-pageHead-elementHead)
			return p
		}(), false},
	} {
		elements, err := tt.page.elements()
		if tt.ok && (err != nil || len(elements) != tt.page.count) || !tt.ok && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %d elements, %v", tt.name, len(elements), err)
		}
	}
}

// TestKeysOfAnotherPage alters one key of a leaf page so that the keys of that
// page still ascend. The walker must see that the key belongs on another page,
// because bbolt would search for it there.
func TestKeysOfAnotherPage(t *testing.T) {
	path := outbox(t)
	db, err := openBolt(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	bucket := []byte("b")
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket(bucket)
		for i := range 100 {
			if err == nil {
				err = b.Put(fmt.Appendf(nil, "key%02d", i), make([]byte, 300))
			}
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// walk visits the bucket and returns the first key of each of its leaf pages.
	walk := func(file []byte) (first []string, err error) {
		im := image{file: bytes.NewReader(file), pages: uint64(len(file) / pageSize)}
		roots, err := im.roots()
		if err != nil {
			t.Fatal(err)
		}
		w := walker{image: im, end: roots[0].end, seen: make([]bool, roots[0].end)}
		err = w.tree(roots[0].page, nil, nil, func(e element) error {
			parent, err := im.page(order.Uint64(e.value))
			if err != nil {
				t.Fatal(err)
			}
			leaves, err := parent.elements()
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range leaves {
				first = append(first, string(l.key))
			}
			return w.bucket(e, func(element) error { return nil })
		})
		return first, err
	}
	first, err := walk(sound)
	if err != nil || len(first) < 3 {
		t.Fatalf("the unaltered file: leaves begin with %q, %v", first, err)
	}
	var second int
	if _, err := fmt.Sscanf(first[1], "key%d", &second); err != nil {
		t.Fatal(err)
	}
	last := fmt.Sprintf("key%02d", second-1) // of the first leaf
	for name, change := range map[string][2]string{
		"the last key of a leaf is the next leaf's first": {last, first[1]},
		"the last key of a leaf is past the next leaf":    {last, "kez00"},
		"the first key of a leaf is before its parent's":  {first[1], "key00"},
	} {
		file := bytes.Clone(sound)
		// The leaf holds the key directly before its value of zeros, its parent
		// does not.
		old := append([]byte(change[0]), make([]byte, 300)...)
		at := bytes.Index(file, old)
		if at < 0 {
			t.Fatalf("%s: no leaf has %s", name, change[0])
		}
		copy(file[at:], change[1])
		if _, err := walk(file); err == nil || !strings.Contains(err.Error(), "has keys of another page") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
