//go:build !linux

package store

import bolt "go.etcd.io/bbolt"

func syncAndReread(string) error { return nil }

func dropPageCache(string) {}

func releaseMapping(*bolt.DB, int64) {}
