//go:build !linux

package node

import "errors"

var errLinux = errors.New("a real node needs Linux")

// Init needs Linux.
func Init(string) error { return errLinux }

// Outside needs Linux.
func Outside() error { return errLinux }
