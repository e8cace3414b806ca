package hub

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// updateTransfer bounds how long one answer with a part of a bundle may take. A kiosk asks for
// pieces of a few megabytes.
const updateTransfer = 10 * time.Minute

func updateFile(dir, digest string) string { return filepath.Join(dir, updatesDir, digest+".raucb") }

// updateBundle handles GET /v1/updates/{digest}.
func (h *Hub) updateBundle(w http.ResponseWriter, r *http.Request, c caller) error {
	digest := r.PathValue("digest")
	notFound := apihttp.Problem(http.StatusNotFound, hubapi.KindNotFound, "not found", "this hub has no update with this digest")
	if !h.rollouts.has(digest) {
		return notFound
	}
	end, exceeded := h.limiter.beginDownload(c.Identity)
	if exceeded != "" {
		h.abuse.note(exceeded, c.Identity, "")
		return tooMany(exceeded)
	}
	counted := &countingWriter{ResponseWriter: w}
	defer func() { end(counted.bytes) }()
	f, err := os.Open(updateFile(h.config.Folder, digest))
	if errors.Is(err, fs.ErrNotExist) {
		h.log.Error("cannot serve an update: add its bundle at this hub too", "file", updateFile(updatesDir, digest), "caller", c.Identity)
		return notFound
	}
	if err != nil {
		return err
	}
	defer f.Close()
	// A connection without deadlines is fine too, so the error does not matter.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(updateTransfer))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+digest+`"`)
	http.ServeContent(counted, r, "", time.Time{}, f)
	return nil
}

// countingWriter counts the bytes of an answer.
type countingWriter struct {
	http.ResponseWriter
	bytes int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}
