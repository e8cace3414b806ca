package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
)

// JetStream makes and restores snapshots of a stream while it serves (NATS ADR-9). A snapshot
// holds the messages with their places and times, and the stream's consumers.

// snapshotChunk is the size of a chunk in bytes. It must fit into max_payload.
const snapshotChunk = 128 << 10

// chunkRetry is the pause before a chunk that had no listener is sent again.
const chunkRetry = 50 * time.Millisecond

// snapshotWait bounds the wait for one chunk. JetStream checks all messages of a stream before
// the first.
const snapshotWait = 10 * time.Minute

// streamSnapshot describes a snapshot. JetStream needs config and state to restore it.
type streamSnapshot struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

type snapshotState struct {
	Messages uint64 `json:"messages"`
	LastSeq  uint64 `json:"last_seq"`
}

func (s streamSnapshot) state() (state snapshotState, err error) {
	err = json.Unmarshal(s.State, &state)
	return state, err
}

// apiAnswer is an answer of the JetStream API.
type apiAnswer struct {
	Error *struct {
		Description string `json:"description"`
	} `json:"error"`
	streamSnapshot
	DeliverSubject string `json:"deliver_subject"`
}

// apiRequest calls the JetStream API.
func apiRequest(ctx context.Context, conn *nats.Conn, subject string, body any) (answer apiAnswer, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return answer, err
	}
	msg, err := conn.RequestWithContext(ctx, subject, text)
	if err != nil {
		return answer, err
	}
	return readAnswer(msg.Data)
}

func readAnswer(text []byte) (answer apiAnswer, err error) {
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("cannot read JetStream's answer: %w", err)
	}
	if answer.Error != nil {
		return answer, errors.New(answer.Error.Description)
	}
	return answer, nil
}

// takeSnapshot writes a snapshot of a stream to w. JetStream checks every message's checksum
// before.
func takeSnapshot(ctx context.Context, conn *nats.Conn, stream string, w io.Writer) (streamSnapshot, error) {
	inbox := nats.NewInbox()
	chunks, err := conn.SubscribeSync(inbox)
	if err != nil {
		return streamSnapshot{}, err
	}
	defer chunks.Unsubscribe()
	if err := chunks.SetPendingLimits(-1, -1); err != nil { // JetStream limits what is under way
		return streamSnapshot{}, err
	}
	starting, cancel := context.WithTimeout(ctx, snapshotWait)
	defer cancel()
	answer, err := apiRequest(starting, conn, "$JS.API.STREAM.SNAPSHOT."+stream, map[string]any{
		"deliver_subject": inbox, "chunk_size": snapshotChunk, "jsck": true,
	})
	if err != nil {
		return streamSnapshot{}, err
	}
	for {
		done, err := nextChunk(ctx, chunks, w)
		if done || err != nil {
			return answer.streamSnapshot, err
		}
	}
}

func nextChunk(ctx context.Context, chunks *nats.Subscription, w io.Writer) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotWait)
	defer cancel()
	msg, err := chunks.NextMsgWithContext(ctx)
	if err != nil {
		return false, err
	}
	if len(msg.Data) == 0 {
		if status := msg.Header.Get("Status"); status != "" && status != "204" {
			return false, fmt.Errorf("JetStream ended the snapshot: %s %s", status, msg.Header.Get("Description"))
		}
		return true, nil
	}
	if _, err := w.Write(msg.Data); err != nil {
		return false, err
	}
	if msg.Reply == "" { // the last chunk
		return false, nil
	}
	return false, msg.Respond(nil)
}

// restoreSnapshot creates a stream from a snapshot.
func restoreSnapshot(ctx context.Context, conn *nats.Conn, stream string, s streamSnapshot, r io.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotWait)
	defer cancel()
	answer, err := apiRequest(ctx, conn, "$JS.API.STREAM.RESTORE."+stream, s)
	if err != nil {
		return err
	}
	chunk := make([]byte, snapshotChunk)
	send := func(data []byte) (*nats.Msg, error) {
		return sendChunk(ctx, conn, answer.DeliverSubject, data)
	}
	for end := false; !end; {
		n, err := io.ReadFull(r, chunk)
		if end = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !end {
			return err
		}
		if n == 0 {
			break
		}
		msg, err := send(chunk[:n])
		if err != nil {
			return err
		}
		if len(msg.Data) > 0 {
			if _, err := readAnswer(msg.Data); err != nil {
				return err
			}
		}
	}
	msg, err := send(nil)
	if err != nil {
		return err
	}
	restored, err := readAnswer(msg.Data)
	if err != nil {
		return err
	}
	want, err := s.state()
	if err != nil {
		return err
	}
	got, err := restored.state()
	if err == nil && got != want {
		err = fmt.Errorf("the restored stream has %d messages up to %d, and the snapshot %d up to %d", got.Messages, got.LastSeq, want.Messages, want.LastSeq)
	}
	return err
}

// sendChunk sends a part of a snapshot. In a cluster the node that restores the stream may be
// another one than that of the connection, which learns a moment later that it listens.
func sendChunk(ctx context.Context, conn *nats.Conn, subject string, data []byte) (*nats.Msg, error) {
	for until := time.Now().Add(storeTimeout); ; {
		msg, err := conn.RequestWithContext(ctx, subject, data)
		if !errors.Is(err, nats.ErrNoResponders) || time.Now().After(until) {
			return msg, err
		}
		select {
		case <-time.After(chunkRetry):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
