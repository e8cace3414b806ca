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
	if read.secret == before.secret && slices.Equal(read.thumbs, before.thumbs) && read.sameMerchant(before) {
		return false, nil
	}
	c.credentials.Store(read)
	c.http.CloseIdleConnections() // they were made with the merchant certificate of before
	return true, nil
}

func (c *Credentials) sameMerchant(other *Credentials) bool {
	if c.merchant == nil || other.merchant == nil {
		return c.merchant == other.merchant
	}
	return slices.EqualFunc(c.merchant.Certificate, other.merchant.Certificate, slices.Equal)
}
