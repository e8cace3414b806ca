//go:build !linux

package store

import bolt "go.etcd.io/bbolt"

func settle(string) error { return nil }

func forget(string) {}

func release(*bolt.DB, int64) {}
