package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// A closed outbox does nothing any more.
func TestClosedForAllUses(t *testing.T) {
	s := open(t, outbox(t))
	add(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, use := range map[string]func() error{
		"compact":     func() error { return s.Compact(t.Context(), nil) },
		"dead letter": func() error { return s.MoveToDeadLetters(1, nil) },
		"level":       func() error { _, err := s.Level(); return err },
		"append":      func() error { _, err := s.Append(sealText("b")); return err },
		"records":     func() error { _, err := s.Records(0, 1); return err },
	} {
		if err := use(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without knowing the disk's free space the outbox is full, and says why.
func TestUnknownSpace(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	add(t, s, "a")
	broken := errors.New("broken")
	s.disk = func() (int64, error) { return 1 << 40, broken }
	s.uncheckedSpace = 0
	if level, err := s.Level(); level != Full || !errors.Is(err, broken) {
		t.Errorf("level %v, %v", level, err)
	}
	if _, err := s.Append(sealText("b")); !errors.Is(err, broken) {
		t.Errorf("append: %v", err)
	}
	if err := s.Compact(t.Context(), nil); !errors.Is(err, broken) || !errors.Is(err, ErrFull) {
		t.Errorf("compact: %v", err)
	}
	if _, err := diskFree("/no such folder/outbox.db"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("space of a missing folder: %v", err)
	}
	for level, want := range map[Level]string{Roomy: "roomy", Low: "low", Full: "full"} {
		if level.String() != want {
			t.Errorf("level %d is %s", level, level)
		}
	}
}

// Append refuses a record of a wrong form, and its number is used again.
func TestAppendChecks(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	link := make([]byte, LinkSize)
	for name, c := range map[string]struct{ record, link []byte }{
		"empty": {nil, link}, "too large": {make([]byte, MaxRecordSize+1), link},
		"no link": {[]byte("a"), nil}, "short link": {[]byte("a"), link[1:]}, "long link": {[]byte("a"), append(link, 0)},
	} {
		if _, err := s.Append(func(uint64, []byte) ([]byte, []byte, error) { return c.record, c.link, nil }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if seq, err := s.Append(func(uint64, []byte) ([]byte, []byte, error) { return make([]byte, MaxRecordSize), link, nil }); seq != 1 || err != nil {
		t.Errorf("the largest record is %d, %v", seq, err)
	}
}

// damageRecord overwrites an entry of an open outbox.
func damageRecord(t *testing.T, s *Store, seq uint64, entry []byte) {
	t.Helper()
	err := s.database.update(func(tx *bolt.Tx) error { return tx.Bucket(key(seq)).Put(key(seq), entry) })
	if err != nil {
		t.Fatal(err)
	}
}

// Records returns the records before a damaged one. A call that needs the damaged record fails.
func TestDamagedRecord(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	for range 5 {
		add(t, s, "a")
	}
	damageRecord(t, s, 3, []byte("x"))
	if records, err := s.Records(0, 9); len(records) != 2 || err != nil {
		t.Errorf("%d records, %v", len(records), err)
	}
	if records, err := s.Records(2, 9); records != nil || !errors.Is(err, ErrDamaged) {
		t.Errorf("%d records from the damaged one on, %v", len(records), err)
	}
	if records, err := s.Records(3, 9); len(records) != 2 || err != nil {
		t.Errorf("%d records after it, %v", len(records), err)
	}
	standIn := func([]byte, Record) ([]byte, error) { return []byte("stand-in"), nil }
	for _, seq := range []uint64{3, 4} { // the link of the record before is needed too
		if err := s.MoveToDeadLetters(seq, standIn); !errors.Is(err, ErrDamaged) {
			t.Errorf("dead letter %d: %v", seq, err)
		}
	}
	if err := s.Compact(t.Context(), nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("compact: %v", err)
	}
	if err := s.MoveToDeadLetters(5, standIn); err != nil {
		t.Fatal(err)
	}
	if err := s.database.update(func(tx *bolt.Tx) error { return tx.Bucket(deadLettersBucket).Put(deadLetterKey(5), []byte("x")) }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeadLetters(); !errors.Is(err, ErrDamaged) {
		t.Errorf("dead letters: %v", err)
	}
}

// The stand-in after a lost record has no link to it.
func TestDeadLetterAfterALostRecord(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	for range 3 {
		add(t, s, "a")
	}
	damageRecord(t, s, 2, encodeEntry(2, make([]byte, LinkSize), nil))
	for seq, want := range map[uint64]bool{3: false, 1: false} {
		err := s.MoveToDeadLetters(seq, func(prev []byte, _ Record) ([]byte, error) {
			if (prev != nil) != want {
				t.Errorf("the record before %d has the link %x", seq, prev)
			}
			return []byte("stand-in"), nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// unreadableAt is a file of which some bytes cannot be read.
type unreadableAt struct {
	io.ReaderAt
	from, to int64
}

func (r unreadableAt) ReadAt(b []byte, at int64) (int, error) {
	if at < r.to && r.from < at+int64(len(b)) {
		return 0, errors.New("input/output error")
	}
	return r.ReaderAt.ReadAt(b, at)
}

// A page that the disk cannot read is a damaged one.
func TestUnreadablePages(t *testing.T) {
	file, _ := history(t, 3)
	sound := image{file: bytes.NewReader(file), pages: uint64(len(file)) / pageSize}
	roots, err := sound.roots()
	if err != nil || len(roots) != 2 {
		t.Fatal(roots, err)
	}
	top := int64(roots[0].page) * pageSize
	for name, at := range map[string]int64{"first meta page": 0, "second meta page": pageSize, "head": top, "body": top + pageHead + 1} {
		im := image{file: unreadableAt{bytes.NewReader(file), at, at + 1}, pages: sound.pages}
		roots, failed := im.roots()
		if meta := strings.Contains(name, "meta"); meta != errors.Is(failed, ErrDamaged) || meta != (len(roots) == 1) {
			t.Errorf("%s: %d roots, %v", name, len(roots), failed)
		}
		_, err := im.page(uint64(top) / pageSize)
		if meta := strings.Contains(name, "meta"); meta != (err == nil) || !meta && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		w := walker{image: im, end: sound.pages, seen: make([]bool, sound.pages)}
		if err := w.tree(uint64(top)/pageSize, nil, nil, func(element) error { return nil }); strings.Contains(name, "meta") != (err == nil) {
			t.Errorf("%s: the tree: %v", name, err)
		}
	}
	for _, id := range []uint64{0, 1, sound.pages} {
		if _, err := sound.page(id); !errors.Is(err, ErrDamaged) {
			t.Errorf("page %d: %v", id, err)
		}
	}
}

// Each field of a meta page counts, and the newer of two valid pages comes first.
func TestRoots(t *testing.T) {
	file, _ := history(t, 3)
	meta := func(id int) []byte { return file[id*pageSize+pageHead:] }
	roots, err := image{file: bytes.NewReader(file), pages: 2}.roots()
	if err != nil || len(roots) != 2 || roots[0].txid != roots[1].txid+1 {
		t.Fatalf("%+v, %v", roots, err)
	}
	if one, err := (image{file: bytes.NewReader(file), pages: 1}).roots(); len(one) != 1 || err != nil {
		t.Errorf("a file of one page has %+v, %v", one, err)
	}
	for at := range metaChecksum + 8 {
		meta(0)[at] ^= 1
		if left, err := (image{file: bytes.NewReader(file), pages: 2}).roots(); len(left) != 1 || err != nil {
			t.Errorf("byte %d changed: %+v, %v", at, left, err)
		}
		meta(0)[at] ^= 1
	}
}

// No page counts twice, and a bucket has a header.
func TestWalkerRefuses(t *testing.T) {
	file, _ := history(t, 3)
	im := image{file: bytes.NewReader(file), pages: uint64(len(file)) / pageSize}
	roots, err := im.roots()
	if err != nil {
		t.Fatal(err)
	}
	top := roots[0].page
	nothing := func(element) error { return nil }
	w := walker{image: im, end: roots[0].end, seen: make([]bool, im.pages)}
	if err := w.tree(top, nil, nil, nothing); err != nil {
		t.Fatal(err)
	}
	if err := w.tree(top, nil, nil, nothing); !errors.Is(err, errTwice) {
		t.Errorf("the same page again: %v", err)
	}
	for end, right := range map[uint64]bool{top: false, top + 1: true} {
		w := walker{image: im, end: end, seen: make([]bool, im.pages)}
		if err := w.tree(top, nil, nil, nothing); errors.Is(err, errTwice) == right {
			t.Errorf("page %d of a file that ends at %d: %v", top, end, err)
		}
	}
	for n := range bucketHead + pageHead + 1 {
		value := make([]byte, n)
		if n == bucketHead+pageHead {
			order.PutUint16(value[bucketHead+8:], leafPage)
		}
		err := w.bucket(element{key: []byte("b"), bucket: true, value: value}, nothing)
		if right := n == bucketHead+pageHead; right != (err == nil) || !right && !errors.Is(err, ErrDamaged) {
			t.Errorf("a bucket of %d bytes: %v", n, err)
		}
	}
	stop := errors.New("stop")
	w = walker{image: im, end: roots[0].end, seen: make([]bool, im.pages)}
	if err := w.tree(top, nil, nil, func(element) error { return stop }); err != stop {
		t.Errorf("the caller stops: %v", err)
	}
}

func TestMissingFiles(t *testing.T) {
	path := outbox(t)
	for name, use := range map[string]func(string) error{
		"check": check, "check records": checkRecords, "sync": syncAndReread,
		"inspect": func(path string) error { _, err := Inspect(path, nil); return err },
	} {
		if err := use(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Existed(path) {
		t.Error("there was an outbox")
	}
	if err := os.WriteFile(path+".lock", nil, 0o600); err != nil || !Existed(path) {
		t.Errorf("the lock file does not show that there was an outbox: %v", err)
	}
	broken := errors.New("broken")
	if err := createAs(path, func(*bolt.DB) error { return broken }); err != broken {
		t.Errorf("create: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of a failed creation: %v", err)
	}
	if _, err := replaceDamaged(path, noon, func(image, *bolt.DB) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("replace: %v", err)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of a failed replacement: %v", err)
	}
}

// Inspect ends with the error of the function that it calls, and leaves out empty places.
func TestInspectStops(t *testing.T) {
	path := outbox(t)
	s := openWith(t, path, Options{})
	for range 3 {
		add(t, s, "a")
	}
	damageRecord(t, s, 2, encodeEntry(2, make([]byte, LinkSize), nil))
	stop := errors.New("stop")
	var seen []uint64
	x, err := Inspect(path, func(r Record) error {
		if seen = append(seen, r.Sequence); r.Sequence == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || len(seen) != 2 || seen[0] != 1 || x.Last != 0 {
		t.Errorf("inspected %v, %+v, %v", seen, x, err)
	}
}

// A cursor has 8 bytes.
func TestDamagedCursor(t *testing.T) {
	path := outbox(t)
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := openBolt(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket(cursorsBucket).Put([]byte("c"), make([]byte, 7)) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("opened: %v", err)
	}
}

// Panics of bbolt on a bad page become errors; those of others do not.
func TestCatchFaults(t *testing.T) {
	var none []error
	for name, f := range map[string]func() error{
		"bbolt's own": func() error { panic("page 3 already freed") },
		"runtime's":   func() error { return none[len(none)] },
	} {
		if err := catchFaults(f); !errors.Is(err, errFault) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := errors.New("a mistake elsewhere")
	defer func() {
		if p := recover(); p != other {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = catchFaults(func() error { panic(other) })
}

// After a failed commit the file is opened again: at once, later, or not at all.
func TestReady(t *testing.T) {
	path := outbox(t)
	s := open(t, path)
	add(t, s, "a")
	s.failed = true
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(sealText("b")); err == nil || errors.Is(err, ErrBroken) {
		t.Errorf("the file is away: %v", err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if seq := add(t, s, "c"); seq != 2 || s.failed {
		t.Errorf("the file is back: %d, failed %v", seq, s.failed)
	}
	s.failed = true
	if err := os.Truncate(path, pageSize); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Append(sealText("d")); !errors.Is(err, ErrBroken) || !errors.Is(err, ErrDamaged) {
			t.Errorf("the file is damaged: %v", err)
		}
	}
}

// A full file is a full outbox. A disk that has lost a confirmed commit is broken.
func TestUpdateFails(t *testing.T) {
	s := open(t, outbox(t))
	add(t, s, "a")
	if err := s.update(s.last, func(*bolt.Tx) error { return bolterrors.ErrMaxSizeReached }); err != ErrFull {
		t.Errorf("the file is full: %v", err)
	}
	if s.uncertain || s.failed {
		t.Error("the next update does not trust the file")
	}
	s.uncertain = true
	if seq := add(t, s, "b"); seq != 2 || s.uncertain {
		t.Errorf("the failed commit is not on disk: %d, uncertain %v", seq, s.uncertain)
	}
	s.uncertain = true
	later := s.last
	later.commit++
	if err := s.update(later, func(*bolt.Tx) error { return nil }); !errors.Is(err, ErrBroken) {
		t.Errorf("a commit is lost: %v", err)
	}
	if err := s.Compact(context.Background(), nil); !errors.Is(err, ErrBroken) {
		t.Errorf("compact: %v", err)
	}
}

// A file of records has a bucket for them, and nothing else.
func TestNoRecordsFile(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*bolt.Tx) error
		want   error
	}{
		"no bucket":       {func(tx *bolt.Tx) error { return tx.DeleteBucket(recordsBucket) }, ErrSchema},
		"another bucket":  {func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("other")); return err }, ErrSchema},
		"a bucket within": {func(tx *bolt.Tx) error { _, err := tx.Bucket(recordsBucket).CreateBucket([]byte("x")); return err }, ErrDamaged},
		"a bad format":    {func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put(schemaKey, []byte("x")) }, ErrDamaged},
		"a bad value":     {func(tx *bolt.Tx) error { return tx.Bucket(recordsBucket).Put([]byte("x"), []byte("y")) }, ErrDamaged},
	} {
		path := outbox(t)
		r, err := OpenRecords(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.update(tt.change); err != nil {
			t.Fatal(err)
		}
		if err := r.Each("x", func(string, []byte) error { return nil }); name == "a bad value" && err != nil {
			t.Errorf("%s: %v", name, err) // it is in no bucket
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenRecords(path); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a record says is checked when it is read too.
func TestDamagedValue(t *testing.T) {
	r, err := OpenRecords(outbox(t))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Put("b", map[string][]byte{"1": []byte("one"), "2": []byte("two")}); err != nil {
		t.Fatal(err)
	}
	if err := r.update(func(tx *bolt.Tx) error {
		return tx.Bucket(recordsBucket).Put(recordKey("b", "2"), encodeValue(recordKey("b", "1"), []byte("two")))
	}); err != nil {
		t.Fatal(err)
	}
	if value, err := r.Get("b", "1"); string(value) != "one" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
	if value, err := r.Get("b", "2"); value != nil || !errors.Is(err, ErrDamaged) {
		t.Errorf("%q, %v", value, err)
	}
	seen := 0
	if err := r.Each("b", func(string, []byte) error { seen++; return nil }); !errors.Is(err, ErrDamaged) || seen != 1 {
		t.Errorf("%d values, %v", seen, err)
	}
	for size, right := range map[int]bool{MaxValueSize: true, MaxValueSize + 1: false} {
		if err := r.Put("b", map[string][]byte{"3": make([]byte, size)}); (err == nil) != right {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, err := MoveDamaged(outbox(t), noon); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("moved a missing file: %v", err)
	}
}
