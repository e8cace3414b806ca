//go:build !linux

package store

func forget(string) {}
