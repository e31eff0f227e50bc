package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/nomad/helper/uuid"
	"github.com/hashicorp/nomad/plugins/drivers/fsisolation"
)

// What the agent does when the plugin dies in the midst of a call, and when a task is started again.
func (c checks) flight(h *host) *host {
	if h = c.startInFlight(h); h == nil {
		return nil
	}
	if h = c.stopInFlight(h); h == nil {
		return nil
	}
	if h = c.notRecovered(h); h == nil {
		return nil
	}
	c.again(h)
	return h
}

// The plugin dies at any moment of a start, and the start is repeated with the same id: one task runs then, and not two.
func (c checks) startInFlight(h *host) *host {
	// A start takes some ten milliseconds.
	for _, moment := range []time.Duration{0, 3, 6, 10, 15, 25, 50} {
		t, err := c.world.task(h, c.driver, map[string]any{"command": "/bin/sleep", "args": []string{"3600"}})
		if !c.check("a task is prepared whose plugin dies", err) {
			return h
		}
		// Collectors would have gone with the first task.
		t.config.StdoutPath, t.config.StderrPath = os.DevNull, os.DevNull
		answer := make(chan error, 1)
		go func() {
			_, _, err := h.driver.StartTask(t.config)
			answer <- err
		}()
		time.Sleep(moment * time.Millisecond)
		err = h.murder()
		<-answer
		h, err = c.next(err)
		if !c.check("the next plugin starts after that", err) {
			return nil
		}
		_, _, err = h.driver.StartTask(t.config)
		c.check("a start in flight is repeated", err)
		c.check("then there is one task", c.one(h, t))
		c.check("destroying it leaves nothing", c.destroyed(h, t))
	}
	return h
}

func (c checks) next(err error) (*host, error) {
	if err != nil {
		return nil, err
	}
	return c.world.launchConfigured()
}

// Whether a sleep is all there is in a task's cgroup, beside the process that exec2 needs as its init, and is the task that is inspected.
func (c checks) one(h *host, t *task) error {
	pid, err := c.pid(h, t)
	if err != nil {
		return err
	}
	pids, err := c.world.cgroups.pids(cgroupName(t))
	sleeping := 0
	for _, each := range pids {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", each)); strings.HasPrefix(string(line), "/bin/sleep") {
			sleeping++
			if fmt.Sprint(each) != pid {
				err = fmt.Errorf("%d sleeps, and %s is inspected", each, pid)
			}
		}
	}
	if err == nil && sleeping != 1 {
		err = fmt.Errorf("there are processes %v, of which %d sleep", pids, sleeping)
	}
	return err
}

// The agent is told that its stop failed, finds the task again and stops it again.
func (c checks) stopInFlight(h *host) *host {
	t, handle, err := c.start(h, "/bin/sh", []string{"-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"})
	if !c.check("a deaf task starts whose plugin dies", errors.Join(err, t.stdout.says("deaf\n"))) {
		return h
	}
	waiting, err := h.driver.WaitTask(context.Background(), t.config.ID)
	c.check("somebody waits for it", err)
	answer := make(chan error, 1)
	go func() { answer <- h.driver.StopTask(t.config.ID, time.Hour, "SIGTERM") }()
	time.Sleep(100 * time.Millisecond)
	c.check("the plugin is killed while it stops a task", h.murder())
	c.check("the stop failed", unless(<-answer, "it says that all is well"))
	c.check("whoever waits is told that the plugin is gone", shutDown(<-waiting))
	h, err = c.next(nil)
	if !c.check("the next plugin starts", err) {
		return nil
	}
	c.check("the task is recovered", h.driver.RecoverTask(persisted(handle)))
	c.check("and stopped", h.driver.StopTask(t.config.ID, 300*time.Millisecond, "SIGTERM"))
	c.check("it was killed", c.exits(h, t, 137, 9))
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	return h
}

// The agent could not recover a task that runs: it destroys what nobody knows, twice, and starts the task anew, with another id, in the
// same cgroup. What was there ends.
func (c checks) notRecovered(h *host) *host {
	t, handle, err := c.start(h, "/bin/sleep", []string{"3600"})
	if !c.check("a sleep starts that will not be recovered", err) {
		return h
	}
	old, _ := c.world.cgroups.pids(cgroupName(t))
	h, err = c.next(h.murder())
	if !c.check("a plugin starts that does not know it", err) {
		return nil
	}
	garbled := persisted(handle)
	garbled.DriverState = []byte("{}")
	c.check("it is not recovered", unless(h.driver.RecoverTask(garbled), "it was"))
	c.check("and destroyed, twice", errors.Join(h.driver.DestroyTask(t.config.ID, true), h.driver.DestroyTask(t.config.ID, true)))
	c.check("it is still there", running(old))
	first := t.config.ID
	t.config.ID = fmt.Sprintf("%s/%s/%s", t.config.AllocID, t.config.Name, uuid.Short())
	t.config.StdoutPath, t.config.StderrPath = os.DevNull, os.DevNull
	_, _, err = h.driver.StartTask(t.config)
	c.check("the task is started anew", err)
	c.check("nothing of the old one is there", unless(running(old), "it is"))
	c.check("and one is", c.one(h, t))
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	// An agent does not ask for the first once more; this world must be empty in the end.
	c.check("of the first its record was left, and goes", h.driver.DestroyTask(first, true))
	return h
}

func running(pids []int) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err != nil {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return nil
}

// A task that is started again after a restart of the agent, or of the host: the client has forgotten its user, its devices and its mounts.
func (c checks) again(h *host) {
	t, _, err := c.start(h, "/bin/sh", []string{"-c", "id -u; echo first > $NOMAD_ALLOC_DIR/kept"})
	if !c.check("a task starts for the first time", err) {
		return
	}
	c.check("it ends", c.exits(h, t, 0, 0))
	first, err := t.stdout.whole()
	c.check("it says who it was", err)
	c.check("it is destroyed", h.driver.DestroyTask(t.config.ID, true))
	t.config.ID = fmt.Sprintf("%s/%s/%s", t.config.AllocID, t.config.Name, uuid.Short())
	t.stdout, t.stderr = &output{done: make(chan struct{})}, &output{done: make(chan struct{})}
	err = errors.Join(os.Remove(t.config.StdoutPath), os.Remove(t.config.StderrPath), t.pipes())
	t.config.User = ""
	if c.world.isolation == fsisolation.Unveil {
		err = errors.Join(err, c.world.unmount(t))
	}
	c.check("the host is another", err)
	err = c.world.encodeConfig(h, t, map[string]any{"command": "/bin/sh", "args": []string{"-c", "id -u; cat $NOMAD_ALLOC_DIR/kept; echo second > $NOMAD_TASK_DIR/new"}})
	if err == nil {
		_, _, err = h.driver.StartTask(t.config)
	}
	c.check("it starts again", err)
	c.check("it ends well", c.exits(h, t, 0, 0))
	text, err := t.stdout.whole()
	if err == nil && text != first+"first\n" {
		err = fmt.Errorf("it says %q, and said %q", text, first)
	}
	c.check("it is the same user and finds what it kept", err)
	if _, stat := os.Stat(t.config.AllocDir + "/" + t.config.Name + "/local/new"); stat != nil {
		err = stat
	}
	c.check("its own directory is the client's", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
}
