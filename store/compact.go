package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"

	"smartkiosk/device/atomicfile"
)

// compactFrom is the size of the free pages from which compaction is worth its
// cost, in bytes. New records soon fill a smaller space.
const compactFrom = 8 << 20

// Sparse reports whether Compact is worth its cost: more than half of the file
// is free, and at least compactFrom bytes.
func (s *Store) Sparse() bool {
	used, free, err := s.pages()
	return err == nil && free > used && free >= compactFrom
}

// Compact copies the outbox to a new file without free pages and replaces the
// old file by the new one. Appends wait until Compact returns. If ctx ends
// before the replacement, Compact changes nothing and returns ctx's error. A
// power cut leaves either the old file or the new one, and that file is
// complete. Compact calls progress before each batch of records that it copies,
// unless progress is nil.
func (s *Store) Compact(ctx context.Context, progress func()) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	if err := s.compact(ctx, progress); err != nil {
		return fmt.Errorf("cannot compact outbox: %w", err)
	}
	return nil
}

func (s *Store) compact(ctx context.Context, progress func()) error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if err := s.flush(s.keep); err != nil {
		return err
	}
	used, _, err := s.pages()
	if err != nil {
		return err
	}
	if disk, err := s.disk(); err != nil || disk-s.headroom < used {
		return errors.Join(ErrFull, err)
	}
	fresh, err := openFresh(s.path+".new", s.maxSize)
	if err != nil {
		return err
	}
	if err := errors.Join(s.copyTo(ctx, fresh, progress), fresh.Sync(), ctx.Err()); err != nil {
		_ = fresh.Close()
		return errors.Join(err, os.Remove(s.path+".new"))
	}
	s.file.Lock()
	defer s.file.Unlock()
	if err := atomicfile.Rename(s.path+".new", s.path); err != nil {
		// Either file may have the name now, and a power cut may change that.
		return errors.Join(s.fail(fmt.Errorf("cannot determine which file is the outbox: %w", err)), fresh.Close())
	}
	old := s.db
	s.db = fresh
	return old.Close()
}

// copyTo copies s into an empty database, in commits of salvageBatch records.
func (s *Store) copyTo(ctx context.Context, fresh *bolt.DB, progress func()) error {
	if err := migrate(fresh, migrations, 0); err != nil {
		return err
	}
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	return s.view(func(from *bolt.Tx) error {
		for next := last.first; next <= last.sequence; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if progress != nil {
				progress()
			}
			err := fresh.Update(func(to *bolt.Tx) error {
				for end := min(last.sequence, next+salvageBatch-1); next <= end; next++ {
					entry := getEntry(from, next)
					if _, _, err := decodeEntry(next, entry); err != nil {
						return err
					}
					if err := putEntry(to, next, entry); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return fresh.Update(func(to *bolt.Tx) error {
			for _, name := range [][]byte{cursorsBucket, deadLettersBucket} {
				err := from.Bucket(name).ForEach(func(k, v []byte) error {
					return to.Bucket(name).Put(bytes.Clone(k), bytes.Clone(v))
				})
				if err != nil {
					return err
				}
			}
			return writeTail(to, last)
		})
	})
}
