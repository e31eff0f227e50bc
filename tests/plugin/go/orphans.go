package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// The client never says another word of some tasks: the plugin clears up behind them once the allocation's directory is gone.
func (c checks) forgets(h *host) *host {
	before, _ := os.ReadDir(c.world.stateDir)
	t, _, err := c.start(h, "/bin/true", nil)
	if !c.check("a task starts that nobody will ask for", errors.Join(err, c.empty(t))) {
		return h
	}
	away := t.config.AllocDir + ".away"
	c.check("its plugin ends, and its allocation", errors.Join(h.stop(), os.Rename(t.config.AllocDir, away)))
	h, err = c.world.launchConfigured()
	if !c.check("another plugin starts behind it", err) {
		return nil
	}
	c.check("its records go", c.records(len(before)))
	c.check("and with them whatever else the driver made", errors.Join(c.gone(t), os.Rename(away, t.config.AllocDir)))
	return h
}

// Waits for as many tasks to have records as that.
func (c checks) records(wanted int) error {
	deadline := time.Now().Add(patience(10 * time.Second))
	for {
		there, err := os.ReadDir(c.world.stateDir)
		if err != nil || len(there) == wanted {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d tasks have records, not %d", len(there), wanted)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
