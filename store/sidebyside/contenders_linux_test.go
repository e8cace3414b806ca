//go:build sidebyside

package sidebyside

import (
	"database/sql"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	_ "modernc.org/sqlite"

	"smartkiosk/store"
)

// outbox appends and acknowledges as a kiosk does while its hub is reachable.
func outbox(b *testing.B) contender {
	s, err := store.Open(filepath.Join(b.TempDir(), "outbox.db"), store.Options{Keep: kept})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return contender{"outbox", func(record []byte) error {
		seq, err := s.Append(func(uint64, []byte) ([]byte, []byte, error) {
			return record, make([]byte, store.LinkSize), nil
		})
		if err != nil {
			return err
		}
		return s.Ack(seq)
	}}
}

// overwritten is the lower bound: each record overwrites the previous one in a
// file that does not change otherwise.
func overwritten(b *testing.B) contender {
	f := create(b)
	return contender{"bare", func(record []byte) error { return writeSync(f, record, 0) }}
}

// twoSyncs writes and syncs the same pages as an append to the outbox, without
// bbolt and in a file whose pages are allocated: first the record and the page
// that refers to it, then the meta page. Its time beyond a bare write is the
// disk's share of an append. The outbox's time beyond twoSyncs is the share of
// bbolt and this package.
func twoSyncs(b *testing.B) contender {
	f, n, page := create(b), int64(0), make([]byte, 4096)
	size := int64(len(page))
	for i := range int64(4 + 2*kept) { // one by one: what is written in one go, the kernel dirties as one
		if err := writeSync(f, page, i*size); err != nil {
			b.Fatal(err)
		}
	}
	return contender{"two-syncs", func(record []byte) error {
		n++
		if _, err := f.WriteAt(page, (2+n%2)*size); err != nil {
			return err
		}
		if err := writeSync(f, record, (4+n%kept*2)*size); err != nil {
			return err
		}
		return writeSync(f, page, n%2*size)
	}}
}

// appended is a file of consecutive records.
func appended(b *testing.B) contender {
	f, end := create(b), int64(0)
	return contender{"appended", func(record []byte) error {
		end += int64(len(record))
		return writeSync(f, record, end-int64(len(record)))
	}}
}

func create(b *testing.B) *os.File {
	f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return f
}

func writeSync(f *os.File, record []byte, at int64) error {
	if _, err := f.WriteAt(record, at); err != nil {
		return err
	}
	return syscall.Fdatasync(int(f.Fd()))
}

// sqlite is a table in a database with a write-ahead log, which is synced at
// each commit.
func sqlite(b *testing.B) contender {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "outbox.sqlite")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	var mode string
	var synchronous int
	if err := db.QueryRow("SELECT j.journal_mode, s.synchronous FROM pragma_journal_mode j, pragma_synchronous s").Scan(&mode, &synchronous); err != nil || mode != "wal" || synchronous != 2 {
		b.Fatalf("journal %s, synchronous %d, %v", mode, synchronous, err)
	}
	if _, err := db.Exec("CREATE TABLE events (sequence INTEGER PRIMARY KEY, record BLOB NOT NULL)"); err != nil {
		b.Fatal(err)
	}
	return contender{"sqlite", func(record []byte) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		result, err := tx.Exec("INSERT INTO events (record) VALUES (?)", record)
		if err != nil {
			return err
		}
		sequence, err := result.LastInsertId()
		if err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM events WHERE sequence <= ?", sequence-kept); err != nil {
			return err
		}
		return tx.Commit()
	}}
}

// jetStream is a stream of a server in this process, which syncs before it
// acknowledges.
func jetStream(b *testing.B) contender {
	ns, err := server.NewServer(&server.Options{
		DontListen: true, JetStream: true, StoreDir: b.TempDir(), SyncAlways: true, NoLog: true, NoSigs: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	ns.Start()
	b.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	conn, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		b.Fatal(err)
	}
	_, err = js.CreateStream(b.Context(), jetstream.StreamConfig{
		Name: "s", Subjects: []string{"s"}, Storage: jetstream.FileStorage, MaxMsgs: kept,
	})
	if err != nil {
		b.Fatal(err)
	}
	return contender{"jetstream", func(record []byte) error {
		_, err := js.Publish(b.Context(), "s", record)
		return err
	}}
}
