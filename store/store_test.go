package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func outbox(t testing.TB) string { return filepath.Join(t.TempDir(), "outbox.db") }

// sealText returns a record with its own sequence number and link, like a sealed
// event.
func sealText(text string) func(uint64, []byte) ([]byte, []byte, error) {
	return func(seq uint64, prev []byte) ([]byte, []byte, error) {
		record := fmt.Appendf(nil, "%d %x %s", seq, prev, text)
		link := sha256.Sum256(record)
		return record, link[:], nil
	}
}

func add(t testing.TB, s *Store, text string) uint64 {
	t.Helper()
	seq, err := s.Append(sealText(text))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// checkChain fails unless the records are consecutive from first on.
func checkChain(t testing.TB, records []Record, first uint64, prev []byte) {
	t.Helper()
	for i, r := range records {
		want := first + uint64(i)
		if r.Sequence != want {
			t.Fatalf("record %d is in the place of record %d", r.Sequence, want)
		}
		if head := fmt.Sprintf("%d %x ", want, prev); !strings.HasPrefix(string(r.Data), head) {
			t.Fatalf("record %d begins %.90q, want %q", want, r.Data, head)
		}
		link := sha256.Sum256(r.Data)
		prev = link[:]
	}
}

func pending(t testing.TB, s *Store, after uint64, limit int) []Record {
	t.Helper()
	records, err := s.Pending(after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestSequenceAndLinksOutliveEverything(t *testing.T) {
	path := outbox(t)
	s := open(t, path)
	for range 3 {
		add(t, s, "a")
	}
	link := sha256.Sum256(pending(t, s, 2, 1)[0].Data)
	if err := s.Ack(3); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, path)
	if s.Len() != 0 || s.Sequence() != 3 {
		t.Errorf("%d records pending after all 3 were acknowledged, the newest is %d", s.Len(), s.Sequence())
	}
	if seq := add(t, s, "b"); seq != 4 {
		t.Errorf("sequence %d after 3", seq)
	}
	checkChain(t, pending(t, s, 0, 10), 4, link[:])
}

func TestPending(t *testing.T) {
	s := open(t, outbox(t))
	for i := range 5 {
		add(t, s, strings.Repeat("x", i*3000)) // also over a page
	}
	if err := s.Ack(1); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after       uint64
		limit       int
		first, last uint64
	}{
		{0, 10, 2, 5}, {1, 2, 2, 3}, {3, 10, 4, 5}, {5, 10, 0, 0}, {99, 10, 0, 0}, {0, 0, 0, 0},
	} {
		var first, last uint64
		if r := pending(t, s, tt.after, tt.limit); len(r) > 0 {
			first, last = r[0].Sequence, r[len(r)-1].Sequence
		}
		if first != tt.first || last != tt.last {
			t.Errorf("pending after %d, at most %d: %d to %d, want %d to %d", tt.after, tt.limit, first, last, tt.first, tt.last)
		}
	}
	if s.Len() != 4 {
		t.Errorf("%d records pending, want 4", s.Len())
	}
}

func TestAckOfTheUnknown(t *testing.T) {
	s := open(t, outbox(t))
	add(t, s, "a")
	if err := s.Ack(2); err == nil || s.Len() != 1 {
		t.Errorf("acknowledging a record that does not exist: %v, %d pending", err, s.Len())
	}
}

// TestAckSparesTheDisk: one commit for each visit, and none otherwise.
func TestAckSparesTheDisk(t *testing.T) {
	s := open(t, outbox(t))
	commits := func() (txid int) {
		_ = s.db.View(func(tx *bolt.Tx) error { txid = tx.ID(); return nil })
		return txid
	}
	add(t, s, "a")
	before, stats := commits(), s.db.Stats()
	for range 10 {
		if err := s.Ack(add(t, s, strings.Repeat("x", 6500))); err != nil {
			t.Fatal(err)
		}
	}
	if n := commits() - before; n != 10 {
		t.Errorf("10 records appended and acknowledged took %d commits", n)
	}
	after := s.db.Stats()
	used := after.Sub(&stats)
	if bytes := used.TxStats.GetPageAlloc()/10 + pageSize; bytes > 16<<10 { // and a meta page each
		t.Errorf("a record of 6.5 KB writes %d bytes of pages", bytes)
	}
	for range maxUnwritten + 1 {
		add(t, s, "a")
	}
	before = commits()
	if err := s.Ack(s.Sequence()); err != nil {
		t.Fatal(err)
	}
	if n := commits() - before; n != 1 {
		t.Errorf("many acknowledged records were deleted in %d commits", n)
	}
}

func TestChanged(t *testing.T) {
	s := open(t, outbox(t))
	first, second := s.Changed(), s.Changed()
	select {
	case <-first:
		t.Fatal("the channel was closed without an append")
	default:
	}
	add(t, s, "a")
	<-first
	<-second
	select {
	case <-s.Changed():
		t.Error("one record closed two channels")
	default:
	}
}

func TestFailedSealSpendsNothing(t *testing.T) {
	s := open(t, outbox(t))
	no := errors.New("no")
	for name, seal := range map[string]func(uint64, []byte) ([]byte, []byte, error){
		"error":   func(uint64, []byte) ([]byte, []byte, error) { return nil, nil, no },
		"no link": func(uint64, []byte) ([]byte, []byte, error) { return []byte("a"), nil, nil },
		"large": func(uint64, []byte) ([]byte, []byte, error) {
			return make([]byte, MaxRecordSize+1), make([]byte, 32), nil
		},
		"short link": func(uint64, []byte) ([]byte, []byte, error) { return []byte("a"), make([]byte, 31), nil },
	} {
		if seq, err := s.Append(seal); err == nil || seq != 0 {
			t.Errorf("%s: appended as %d", name, seq)
		}
	}
	if seq := add(t, s, "a"); seq != 1 {
		t.Errorf("sequence %d after none", seq)
	}
	if _, err := s.Append(func(uint64, []byte) ([]byte, []byte, error) {
		return make([]byte, MaxRecordSize), make([]byte, LinkSize), nil
	}); err != nil {
		t.Errorf("the largest record: %v", err)
	}
}

func TestPanicInSealBlocksNoOtherAppend(t *testing.T) {
	s := open(t, outbox(t))
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Append(func(uint64, []byte) ([]byte, []byte, error) { panic("seal") })
	}()
	if seq := add(t, s, "a"); seq != 1 {
		t.Errorf("sequence %d after none", seq)
	}
}

// TestGroupCommit delays one commit until others wait: those share a commit.
func TestGroupCommit(t *testing.T) {
	const writers = 20
	s := open(t, outbox(t))
	var done sync.WaitGroup
	_, err := s.Append(func(seq uint64, prev []byte) ([]byte, []byte, error) {
		for range writers {
			done.Go(func() { add(t, s, "b") })
		}
		for { // until all have joined the queue
			s.queue.mu.Lock()
			n := len(s.queue.requests)
			s.queue.mu.Unlock()
			if n == writers {
				return sealText("a")(seq, prev)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	done.Wait()
	checkChain(t, pending(t, s, 0, 100), 1, nil)
	var commits int
	_ = s.db.View(func(tx *bolt.Tx) error { commits = tx.ID(); return nil })
	_ = s.Close()
	fresh := open(t, outbox(t))
	var made int
	_ = fresh.db.View(func(tx *bolt.Tx) error { made = tx.ID(); return nil })
	if commits-made != 2 || s.Len() != writers+1 {
		t.Errorf("%d records took %d commits, want 2", s.Len(), commits-made)
	}
}

// TestFailedCommitLeavesNoGhost: the records of a failed commit may be on disk
// all the same. Append did not confirm them, so their numbers are used again.
// Records that the commit was to delete may be gone too.
func TestFailedCommitLeavesNoGhost(t *testing.T) {
	path := outbox(t)
	s := open(t, path)
	a := sha256.Sum256([]byte("1  a"))
	add(t, s, "a")
	add(t, s, "b")
	if err := s.Ack(1); err != nil {
		t.Fatal(err)
	}
	err := s.db.Update(func(tx *bolt.Tx) error {
		if err := deleteRange(tx, 1, 1); err != nil {
			return err
		}
		for seq := uint64(3); seq < 6; seq++ {
			if err := putEntry(tx, seq, encodeEntry(seq, make([]byte, LinkSize), []byte("ghost"))); err != nil {
				return err
			}
		}
		return writeTail(tx, tail{sequence: 5, link: make([]byte, LinkSize), first: 2, acked: 1, epoch: Epoch{First: 1}, commit: s.last.commit + 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	s.uncertain = true
	if n := len(pending(t, s, 0, 10)); n != 1 {
		t.Errorf("%d records pending, of which one was appended", n)
	}
	if seq := add(t, s, "c"); seq != 3 {
		t.Errorf("sequence %d after 2", seq)
	}
	if s.uncertain {
		t.Error("after a commit that succeeded, the store still doubts what is on disk")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	checkChain(t, pending(t, s, 0, 10), 2, a[:])
	if s.Len() != 2 {
		t.Errorf("%d records, want 2", s.Len())
	}
}

// A commit failed, and now the tail is damaged: the outbox cannot tell which records
// are on disk, and appends nothing.
func TestFailedCommitAndDamagedTail(t *testing.T) {
	s, err := Open(outbox(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	add(t, s, "a")
	err = s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put(tailKey, []byte("garbage")) })
	if err != nil {
		t.Fatal(err)
	}
	s.uncertain = true
	if seq, err := s.Append(sealText("b")); !errors.Is(err, ErrDamaged) {
		t.Errorf("appended as %d, %v", seq, err)
	}
}

func TestFull(t *testing.T) {
	path := outbox(t)
	s, err := Open(path, Options{MaxSize: MinMaxSize})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var n uint64
	for {
		seq, err := s.Append(sealText(strings.Repeat("x", int(n%7)*2000)))
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n = seq
	}
	if n < 200 {
		t.Errorf("full after %d records", n)
	}
	if used, _, err := s.pages(); err != nil || used > MinMaxSize/4*3 || used < MinMaxSize/2 {
		t.Errorf("full with %d of %d bytes in use, %v", used, MinMaxSize, err)
	}
	// All confirmed records are there. Acknowledging works and frees space.
	checkChain(t, pending(t, s, 0, int(n)+1), 1, nil)
	for through := uint64(1); through <= n; through += 10 {
		if err := s.Ack(through); err != nil {
			t.Fatal(err)
		}
	}
	if seq := add(t, s, "a"); seq != n+1 {
		t.Errorf("sequence %d after %d", seq, n)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > MinMaxSize {
		t.Errorf("file of %d bytes, more than MaxSize", info.Size())
	}
}

func TestClosed(t *testing.T) {
	s := open(t, outbox(t))
	for range maxUnwritten + 1 {
		add(t, s, "a")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(sealText("a")); !errors.Is(err, ErrClosed) {
		t.Errorf("append to a closed outbox: %v", err)
	}
	if err := s.Ack(maxUnwritten + 1); err == nil {
		t.Error("a closed outbox acknowledged more records than may stay unwritten")
	}
	if _, err := s.Pending(0, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("read of a closed outbox: %v", err)
	}
}

func TestEntryTellsDamage(t *testing.T) {
	entry := encodeEntry(7, bytes.Repeat([]byte{1}, LinkSize), []byte("record"))
	if _, record, err := decodeEntry(7, entry); err != nil || string(record) != "record" {
		t.Fatalf("decoded %q, %v", record, err)
	}
	if _, _, err := decodeEntry(8, entry); !errors.Is(err, ErrDamaged) {
		t.Errorf("entry under another number: %v", err)
	}
	for i := range entry {
		entry[i] ^= 1
		if _, _, err := decodeEntry(7, entry); !errors.Is(err, ErrDamaged) {
			t.Errorf("entry changed at byte %d: %v", i, err)
		}
		entry[i] ^= 1
	}
	if _, _, err := decodeEntry(7, entry[:entryHead-1]); !errors.Is(err, ErrDamaged) {
		t.Errorf("entry cut short: %v", err)
	}
}

// TestNewerTail: of two tails of one outbox, the newer one has more records,
// acknowledgements or deletions, and a tail is not newer than itself.
func TestNewerTail(t *testing.T) {
	ascending := []tail{
		{},
		{sequence: 5, first: 1},
		{sequence: 5, first: 1, acked: 2},
		{sequence: 5, first: 1, acked: 4},
		{sequence: 5, first: 3, acked: 4},
		{sequence: 5, first: 6, acked: 5},
		{sequence: 6, first: 1},
		{sequence: 5, first: 1, commit: 1},
		{sequence: 5, first: 1, acked: 1, commit: 1},
		{sequence: 4, first: 1, commit: 2},
	}
	for i, a := range ascending {
		for k, b := range ascending {
			if got := a.newer(b); got != (i > k) {
				t.Errorf("%+v is newer than %+v: %t", a, b, got)
			}
		}
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(uint64(7), encodeEntry(7, make([]byte, LinkSize), []byte("record")))
	f.Fuzz(func(t *testing.T, seq uint64, entry []byte) {
		link, record, err := decodeEntry(seq, entry)
		if err == nil && !bytes.Equal(encodeEntry(seq, link, record), entry) {
			t.Errorf("entry %x decodes to something else", entry)
		}
	})
}
