package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// What can be where a task's output goes. A path is said in the allocation's log directory, "DEVNULL" is what the client sends without logs.
type pipe struct {
	what string
	make func(path string) error
	path string
	// What an error must say; empty where the task starts.
	error string
}

var pipes = []pipe{
	{what: "is nothing at all, twice", path: os.DevNull},
	{what: "does not exist", error: "No such file or directory"},
	{what: "has no reader", make: func(path string) error { return syscall.Mkfifo(path, 0o600) }, error: "is anybody reading?"},
	{what: "is a link to a file", make: func(path string) error { return os.Symlink(victim(path), path) }, error: "open the FIFO"},
	{what: "is a file", make: func(path string) error { return os.WriteFile(path, nil, 0o600) }, error: "is not a FIFO"},
	{what: "is a directory", make: func(path string) error { return os.Mkdir(path, 0o700) }, error: "is not a FIFO"},
	{what: "is relative", path: "fifo", error: "fifo"},
}

func victim(path string) string { return filepath.Join(filepath.Dir(path), "victim") }

// A start with bad log pipes is an error soon, and changes nothing.
func (c checks) logs(h *host) {
	for _, pipe := range pipes {
		t, err := c.world.task(h, c.driver, map[string]any{"command": "/bin/true"})
		if !c.check("a task is prepared", err) {
			return
		}
		t.config.StdoutPath = pipe.path
		if pipe.path == "" {
			t.config.StdoutPath = filepath.Join(filepath.Dir(t.config.StderrPath), "pipe")
		}
		if pipe.path == os.DevNull {
			t.config.StderrPath = os.DevNull
		}
		bystander := victim(t.config.StdoutPath)
		if pipe.make != nil {
			err = errors.Join(os.WriteFile(bystander, []byte("mine"), 0o600), pipe.make(t.config.StdoutPath))
		}
		c.check("a log pipe that "+pipe.what, errors.Join(err, c.piped(h, t, pipe)))
		if text, err := os.ReadFile(bystander); pipe.make != nil && (err != nil || string(text) != "mine" || ownerOf(bystander) != 0) {
			c.check("the file beside it is what it was", fmt.Errorf("%q, %v", text, err))
		}
	}
}

func (c checks) piped(h *host, t *task, p pipe) error {
	started := time.Now()
	_, _, err := h.driver.StartTask(t.config)
	if took := time.Since(started); took > patience(12*time.Second) {
		return fmt.Errorf("the start took %v", took)
	}
	if p.error == "" {
		return errors.Join(err, c.exits(h, t, 0, 0), c.destroyed(h, t))
	}
	if err == nil || !strings.Contains(err.Error(), p.error) {
		return fmt.Errorf("the start says %v", err)
	}
	// Its reader must not wait for it.
	_, read := t.stderr.whole()
	return errors.Join(read, c.gone(t))
}

func ownerOf(path string) uint32 {
	var stat syscall.Stat_t
	if syscall.Stat(path, &stat) != nil {
		return ^uint32(0)
	}
	return stat.Uid
}
