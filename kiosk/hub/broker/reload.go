package broker

import (
	"fmt"
	"slices"
)

// Reload reads the credentials again. After an error those in use stay.
func (c *Client) Reload() (changed bool, err error) {
	read, err := c.config.readCredentials(c.dir)
	if err != nil {
		return false, fmt.Errorf("broker %s: %w", c.config.Name, err)
	}
	before := c.credentials.Load()
	if read.secret == before.secret && slices.Equal(read.thumbs, before.thumbs) {
		return false, nil
	}
	c.credentials.Store(read)
	return true, nil
}
