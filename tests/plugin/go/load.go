package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hashicorp/nomad/nomad/structs"
)

// Many callers give up all at once, and the plugin is as quick as before.
func (c checks) load(h *host) {
	t, _, err := c.start(h, "/bin/sleep", []string{"600"})
	if !c.check("a sleep starts for which many wait", err) {
		return
	}
	for range 3 {
		c.check("many callers give up at once", c.giveUp(h, t))
	}
	c.check("afterwards it answers at once", quick(h))
	_, err = c.pid(h, t)
	c.check("and the task runs", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
}

func (c checks) giveUp(h *host, t *task) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	told := make(chan error, callers)
	for range callers {
		waiting, err := h.driver.WaitTask(ctx, t.config.ID)
		if err != nil {
			return err
		}
		go func() { told <- (<-waiting).Err }()
	}
	// They take a moment to arrive.
	time.Sleep(100 * time.Millisecond)
	err := quick(h)
	cancel()
	for range callers {
		if given := <-told; !errors.Is(given, context.Canceled) {
			err = fmt.Errorf("one is told %v", given)
		}
	}
	return err
}

// The best of several: the machine may be at something else.
func quick(h *host) error {
	best := time.Hour
	for range 10 {
		started := time.Now()
		if _, err := h.driver.PluginInfo(); err != nil {
			return err
		}
		best = min(best, time.Since(started))
	}
	if best > patience(100*time.Millisecond) {
		return fmt.Errorf("an answer takes %v", best)
	}
	return nil
}

// A plugin that has no descriptors left: that may pass, and the agent is told so.
func (c checks) shortage(h *host) {
	var before unix.Rlimit
	few := unix.Rlimit{Cur: 24, Max: 24}
	err := unix.Prlimit(h.pid(), unix.RLIMIT_NOFILE, nil, &before)
	few.Max = before.Max
	err = errors.Join(err, unix.Prlimit(h.pid(), unix.RLIMIT_NOFILE, &few, nil))
	if !c.check("the plugin may open few files", err) {
		return
	}
	t, _, err := c.start(h, "/bin/sleep", []string{"600"})
	c.check("a task does not start then", unless(err, "it does"))
	if !structs.IsRecoverable(err) {
		c.check("and may later", fmt.Errorf("it says %v", err))
	}
	c.check("nothing is left of it", c.gone(t))
	c.check("the plugin may open as many as before", unix.Prlimit(h.pid(), unix.RLIMIT_NOFILE, &before, nil))
	t, _, err = c.start(h, "/bin/true", nil)
	c.check("and a task starts", err)
	c.check("and ends", c.exits(h, t, 0, 0))
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	t, _, err = c.start(h, "/no/such/command", nil)
	if structs.IsRecoverable(err) {
		c.check("a mistake is none that passes", err)
	}
	c.check("nothing is left of a mistake", c.gone(t))
}
