package hubapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// MaxSetup bounds the answer of Setup in bytes. The largest files in it are CRLs.
const MaxSetup = 64 << 20

// Setup returns the files with which this kiosk can start, as a tar archive.
func (c *Client) Setup(ctx context.Context) (files []byte, err error) {
	resp, err := c.get(ctx, "/v1/setup", http.Header{})
	if err != nil {
		return nil, fmt.Errorf("cannot get the kiosk's files: %w", err)
	}
	defer resp.Body.Close()
	files, err = io.ReadAll(io.LimitReader(resp.Body, MaxSetup+1))
	switch {
	case err != nil:
	case len(files) > MaxSetup:
		err = errors.New("the hub's answer is too long")
	case resp.StatusCode != http.StatusOK:
		err = ReadProblem(resp, files)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get the kiosk's files: %w", err)
	}
	return files, nil
}
