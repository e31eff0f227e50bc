package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/plugins/drivers"
)

// Opens the two streams that an agent keeps open for as long as the plugin lives. What comes back asks, a minute later at the earliest, whether
// they still are.
func (c checks) streams(h *host) func() {
	opened := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	fingerprints, err1 := h.driver.Fingerprint(ctx)
	events, err2 := h.driver.TaskEvents(ctx)
	if !c.check("an agent's streams open", errors.Join(err1, err2)) {
		cancel()
		return func() {}
	}
	ends := make(chan error, 2)
	go func() {
		ends <- ended("fingerprints", fingerprints, func(f *drivers.Fingerprint) error { return f.Err })
	}()
	go func() {
		ends <- ended("events", events, func(e *drivers.TaskEvent) error { return e.Err })
	}()
	return func() {
		defer cancel()
		time.Sleep(time.Until(opened.Add(time.Minute)))
		var err error
		select {
		case err = <-ends:
		default:
		}
		c.check("an agent's streams are open after a minute and more", err)
	}
}

// Reads a stream for as long as it goes, and says why it went no further.
func ended[T any](name string, stream <-chan *T, fault func(*T) error) error {
	for one := range stream {
		if err := fault(one); err != nil {
			return fmt.Errorf("the stream of %s: %w", name, err)
		}
	}
	return fmt.Errorf("the stream of %s came to its end", name)
}
