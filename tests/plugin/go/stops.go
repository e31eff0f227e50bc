package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/plugins/drivers"
)

type stop struct {
	what         string
	script       string
	signal       string
	code, number int
}

var stops = []stop{
	{"without a name is SIGINT", "trap 'exit 5' INT; echo up; while :; do sleep 0.1; done", "", 5, 0},
	{"by a name", "trap 'exit 6' USR1; echo up; while :; do sleep 0.1; done", "SIGUSR1", 6, 0},
	{"by a name without SIG, in small letters", "trap 'exit 7' HUP; echo up; while :; do sleep 0.1; done", "hup", 7, 0},
	{"takes what was forked away with it", "(setsid sh -c 'trap \"\" INT TERM; exec sleep 600' &) ; (sleep 601 &) ; echo up; exec sleep 602", "SIGTERM", 143, 15},
}

// Every way to stop a task, and what is known of it afterwards.
func (c checks) stops(h *host) {
	for _, stop := range stops {
		c.stopped(h, stop)
	}
	c.deaf(h)
	t, _, err := c.start(h, "/bin/sleep", []string{"600"})
	if c.check("a sleep starts that is sent SIGKILL", err) {
		c.check("a stop by a signal that does not exist is an error", unless(h.driver.StopTask(t.config.ID, time.Second, "SIGNONE"), "it was none"))
		_, err := c.pid(h, t)
		c.check("and does nothing", err)
		c.check("it is sent", h.driver.SignalTask(t.config.ID, "SIGKILL"))
		c.check("it ended by that", c.exits(h, t, 137, 9))
		c.forgotten(h, t)
	}
}

func (c checks) stopped(h *host, s stop) {
	t, _, err := c.start(h, "/bin/sh", []string{"-c", s.script})
	if !c.check("a task to be stopped starts", err) {
		return
	}
	c.check("it is up", t.stdout.says("up\n"))
	c.check("a stop "+s.what, h.driver.StopTask(t.config.ID, patience(10*time.Second), s.signal))
	c.check("its end fits", c.exits(h, t, s.code, s.number))
	c.check("destroying it leaves nothing", c.destroyed(h, t))
}

// Whoever does not heed the signal is killed when its time is over, and not before.
func (c checks) deaf(h *host) {
	t, _, err := c.start(h, "/bin/sh", []string{"-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"})
	if !c.check("a deaf task starts", err) {
		return
	}
	c.check("it is deaf", t.stdout.says("deaf\n"))
	const grace = time.Second
	started := time.Now()
	err = h.driver.StopTask(t.config.ID, grace, "SIGTERM")
	if took := time.Since(started); err == nil && (took < grace || took > grace+patience(2*time.Second)) {
		err = fmt.Errorf("it took %v", took)
	}
	c.check("it is killed after its time", err)
	c.check("with that result", c.exits(h, t, 137, 9))
	c.forgotten(h, t)
}

// What is asked of a task that ended, and of one that is destroyed.
func (c checks) forgotten(h *host, t *task) {
	first, err := h.wait(t.config.ID, patience(5*time.Second))
	second, again := h.wait(t.config.ID, patience(5*time.Second))
	if err == nil && again == nil && (first.ExitCode != second.ExitCode || first.Signal != second.Signal) {
		err = fmt.Errorf("%+v and then %+v", first, second)
	}
	c.check("asked again the end is the same", errors.Join(err, again))
	c.check("a signal after the end is fine", h.driver.SignalTask(t.config.ID, "SIGTERM"))
	status, err := h.driver.InspectTask(t.config.ID)
	if err == nil && (status.State != drivers.TaskStateExited || status.ExitResult.ExitCode != first.ExitCode || status.StartedAt.IsZero() || status.CompletedAt.Before(status.StartedAt)) {
		err = fmt.Errorf("it is %+v", status)
	}
	c.check("it is inspected with its end and both times", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	c.check("destroying it once more is fine", h.driver.DestroyTask(t.config.ID, true))
	_, waited := h.wait(t.config.ID, patience(5*time.Second))
	_, inspected := h.driver.InspectTask(t.config.ID)
	_, ran := h.driver.ExecTask(t.config.ID, []string{"/bin/true"}, time.Second)
	for what, err := range map[string]error{"waits": waited, "looks": inspected, "runs a command": ran, "signals": h.driver.SignalTask(t.config.ID, "SIGTERM")} {
		if err == nil || err.Error() != "rpc error: code = Unknown desc = task not found for given id" {
			err = fmt.Errorf("it is %v", err)
		} else {
			err = nil
		}
		c.check("an error for whoever then "+what, err)
	}
}
