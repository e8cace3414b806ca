package update

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/raucbundle"
)

const (
	piece = 8 << 20 // bytes of one request, and between two syncs

	// pieceTime bounds one request. The hub's limit is the same.
	pieceTime = 10 * time.Minute
)

// begin begins with an update that the hub offers, or refuses it at once.
func (a *Agent) begin(ctx context.Context, u hubpolicy.Update) error {
	compatible, _, _, err := a.Installer.Status(ctx)
	if err != nil {
		return err
	}
	next := state{Step: fetching, Update: u, FromVersion: a.version}
	order := raucbundle.Compare(u.Version, a.version)
	if compatible == u.Compatible && order == 0 {
		next.Step = ended // the kiosk has it
		return errors.Join(a.save(next), a.clean(""))
	}
	if err := a.save(next); err != nil {
		return err
	}
	room, err := a.Room()
	switch {
	case compatible != u.Compatible:
		return a.end(event.UpdateRefused, event.UpdateBoard, fmt.Sprintf("it is for %s, and this machine is %s", u.Compatible, compatible))
	case order < 0:
		return a.end(event.UpdateRefused, event.UpdateOlder, fmt.Sprintf("the kiosk has version %s", a.version))
	case err != nil:
		return err
	case u.Size > room+a.have():
		return a.end(event.UpdateRefused, event.UpdateTooLarge, fmt.Sprintf("it has %d bytes, and the disk has room for %d", u.Size, room))
	}
	a.Log.Info("update is being fetched", "version", u.Version)
	return nil
}

// have returns how much of the bundle is on the disk.
func (a *Agent) have() int64 {
	info, err := os.Stat(a.part())
	if err != nil {
		return 0
	}
	return info.Size()
}

// fetch fetches the rest of the bundle, as far as no visit begins, and checks it.
func (a *Agent) fetch(ctx context.Context) (time.Duration, error) {
	quiet, idle := a.Idle()
	if !idle {
		return busyPause, nil
	}
	if err := os.MkdirAll(a.Dir, 0o700); err != nil {
		return 0, err
	}
	if err := a.clean(a.part()); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(a.part(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	err = a.fetchInto(ctx, quiet, f)
	if err = errors.Join(err, f.Close()); err != nil {
		if quiet.Err() != nil && ctx.Err() == nil {
			return busyPause, nil // a visit has begun
		}
		return 0, err
	}
	return 0, a.checkBundle(ctx)
}

// fetchInto appends to a file until it is complete.
func (a *Agent) fetchInto(ctx, quiet context.Context, f *os.File) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(quiet, cancel)()
	size := a.state.Update.Size
	info, err := f.Stat()
	if err != nil {
		return err
	}
	at := info.Size()
	if at > size {
		at = 0
	}
	if !a.resumed && at < size {
		// A power cut may have lost the end of what was written, but not what was there a
		// whole piece before: each piece is synced.
		at = max(0, at/piece-1) * piece
	}
	a.resumed = true
	if err := f.Truncate(at); err != nil {
		return err
	}
	for at < size && err == nil {
		var n int64
		n, err = a.fetchPiece(ctx, f, at, min(at+piece, size))
		at += n
		err = errors.Join(err, f.Sync())
		a.publish("")
	}
	return err
}

// fetchPiece writes the bytes of the bundle from one place up to another into a file.
func (a *Agent) fetchPiece(ctx context.Context, f *os.File, from, to int64) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, pieceTime)
	defer cancel()
	body, err := a.Hub.UpdateBundle(ctx, a.state.Update.Digest, from, to-1)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	n, err = io.Copy(io.NewOffsetWriter(f, from), io.LimitReader(body, to-from))
	if err == nil && n < to-from {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, fmt.Errorf("cannot get update: %w", err)
	}
	return n, nil
}

// checkBundle compares the digest of the complete bundle, and has RAUC check its signature.
func (a *Agent) checkBundle(ctx context.Context) error {
	u := a.state.Update
	digest, err := digestOf(a.part())
	if err != nil {
		return err
	}
	if digest != u.Digest {
		// The first time the disk may be at fault, for example after a power cut.
		next := a.state
		next.Tries++
		if err := errors.Join(os.Remove(a.part()), a.save(next)); err != nil || next.Tries < 2 {
			return err
		}
		return a.end(event.UpdateRefused, event.UpdateAltered, "its SHA-256 is "+digest+", and the hub offers "+u.Digest)
	}
	compatible, version, refusal, err := a.Installer.Inspect(ctx, a.part())
	switch {
	case err != nil:
		return err
	case refusal != "":
		return a.end(event.UpdateRefused, event.UpdateSignature, refusal)
	case compatible != u.Compatible:
		return a.end(event.UpdateRefused, event.UpdateBoard, fmt.Sprintf("it is for %s, and the hub offers it for %s", compatible, u.Compatible))
	case raucbundle.Compare(version, a.state.FromVersion) <= 0:
		return a.end(event.UpdateRefused, event.UpdateOlder, fmt.Sprintf("it contains version %s, and the kiosk has %s", version, a.state.FromVersion))
	case version != u.Version:
		return a.end(event.UpdateRefused, event.UpdateAltered, fmt.Sprintf("it contains version %s, and the hub offers %s", version, u.Version))
	}
	if err := os.Rename(a.part(), a.bundle()); err != nil {
		return err
	}
	next := a.state
	next.Step, next.Tries = fetched, 0
	if err := a.save(next); err != nil {
		return err
	}
	a.Log.Info("update is fetched", "version", u.Version)
	return nil
}

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
