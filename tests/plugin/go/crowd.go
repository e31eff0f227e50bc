package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/nomad/plugins/base"
	"github.com/hashicorp/nomad/plugins/drivers"
)

// What outlives plugins that are killed, and many of it.
func (c checks) crowds(h *host) *host {
	if h = c.killedOften(h); h == nil {
		return nil
	}
	if h = c.recoversMany(h); h == nil {
		return nil
	}
	if h = c.startsAgain(h); h == nil {
		return nil
	}
	c.strangers(h)
	c.events(h)
	return h
}

func (c checks) killedOften(h *host) *host {
	var tasks []*task
	var handles []*drivers.TaskHandle
	var pids []string
	for range 3 {
		t, handle, err := c.start(h, "/bin/sleep", []string{"3600"})
		if !c.check("a sleep starts before many kills", err) {
			return h
		}
		tasks, handles = append(tasks, t), append(handles, persisted(handle))
		pids = append(pids, must(c.pid(h, t)))
	}
	for n := range many {
		err := h.murder()
		if err == nil {
			h, err = c.world.launchConfigured()
		}
		for _, handle := range handles {
			if err == nil {
				err = h.driver.RecoverTask(handle)
			}
		}
		if err != nil {
			c.check("many kills of the plugin", fmt.Errorf("kill %d: %w", n+1, err))
			return nil
		}
	}
	for n, t := range tasks {
		pid, err := c.pid(h, t)
		if err == nil && pid != pids[n] {
			err = fmt.Errorf("its pid was %s and is %s", pids[n], pid)
		}
		c.check("after many kills of the plugin the task is the same", err)
		c.check("destroying it leaves nothing", c.destroyed(h, t))
	}
	return h
}

// The pid that a running task is inspected with.
func (c checks) pid(h *host, t *task) (string, error) {
	status, err := h.driver.InspectTask(t.config.ID)
	if err == nil && status.State != drivers.TaskStateRunning {
		err = fmt.Errorf("it is %s", status.State)
	}
	if err != nil {
		return "", err
	}
	return status.DriverAttributes["pid"], nil
}

// Every second one ends while no plugin runs, each with a code of its own.
func (c checks) recoversMany(h *host) *host {
	tasks := make([]*task, many)
	handles := make([]*drivers.TaskHandle, many)
	for n := range tasks {
		command := "exec sleep 3600"
		if n%2 == 1 {
			command = fmt.Sprintf("until [ -e /alloc/end ] || [ -e \"$NOMAD_ALLOC_DIR/end\" ]; do sleep 0.5; done; exit %d", code(n))
		}
		t, handle, err := c.start(h, "/bin/sh", []string{"-c", command})
		if err != nil {
			c.check("each of many tasks starts", fmt.Errorf("task %d: %w", n, err))
			return h
		}
		tasks[n], handles[n] = t, persisted(handle)
	}
	if !c.check("the plugin is killed with many tasks", h.murder()) {
		return nil
	}
	for n := 1; n < many; n += 2 {
		if err := os.WriteFile(tasks[n].config.AllocDir+"/alloc/end", nil, 0o644); err != nil {
			c.check("a task is told to end", err)
		}
	}
	c.check("those that were told to end did", c.emptied(tasks))
	h, err := c.world.launchConfigured()
	if !c.check("a plugin starts after that", err) {
		return nil
	}
	for _, handle := range handles {
		err = errors.Join(err, h.driver.RecoverTask(handle))
	}
	c.check("all of many tasks are recovered", err)
	for n, t := range tasks {
		if n%2 == 1 {
			err = errors.Join(err, c.exits(h, t, code(n), 0))
		} else {
			_, inspected := c.pid(h, t)
			err = errors.Join(err, inspected)
		}
	}
	c.check("those that ended have their exact codes, the others run", err)
	for _, t := range tasks {
		err = errors.Join(err, c.destroyed(h, t))
	}
	c.check("destroying them leaves nothing", err)
	return h
}

func code(n int) int { return n%120 + 1 }

// Waits until every second task's cgroup is empty.
func (c checks) emptied(tasks []*task) error {
	for n := 1; n < len(tasks); n += 2 {
		if err := c.empty(tasks[n]); err != nil {
			return fmt.Errorf("task %d: %w", n, err)
		}
	}
	return nil
}

// Waits until a task's cgroup is empty.
func (c checks) empty(t *task) error {
	deadline := time.Now().Add(patience(60 * time.Second))
	for {
		pids, err := c.world.cgroups.pids(cgroupName(t))
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it still has processes %v", pids)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// The agent repeats a StartTask whose plugin died before it answered: what that one started must not run beside the new one.
func (c checks) startsAgain(h *host) *host {
	t, err := c.world.task(h, c.driver, map[string]any{"command": "/bin/sleep", "args": []string{"3600"}})
	if err == nil {
		// A collector would have gone with the first task.
		t.config.StdoutPath, t.config.StderrPath = os.DevNull, os.DevNull
		_, _, err = h.driver.StartTask(t.config)
	}
	if !c.check("a task starts whose plugin dies", err) {
		return h
	}
	before, _ := c.world.cgroups.pids(cgroupName(t))
	c.check("it does", h.murder())
	h, err = c.world.launchConfigured()
	if !c.check("the next plugin starts", err) {
		return nil
	}
	_, _, err = h.driver.StartTask(t.config)
	c.check("the start is repeated with the same id", err)
	after, err := c.world.cgroups.pids(cgroupName(t))
	for _, pid := range before {
		for _, other := range after {
			if pid == other {
				err = fmt.Errorf("process %d of the first start still runs", pid)
			}
		}
	}
	if err == nil && len(after) != len(before) {
		err = fmt.Errorf("there were processes %v, there are %v", before, after)
	}
	c.check("and nothing of the first start is left", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	return h
}

// Handles that are not this task's, or not ours.
func (c checks) strangers(h *host) {
	t, handle, err := c.start(h, "/bin/sleep", []string{"3600"})
	if !c.check("a sleep starts beside strange handles", err) {
		return
	}
	pid := must(c.pid(h, t))
	// In a plugin that does not know the task.
	other, err := c.world.launchConfigured()
	if !c.check("a second plugin starts", err) {
		return
	}
	for what, change := range map[string]func(map[string]any){
		"of a reused pid":           func(state map[string]any) { state["process"].(map[string]any)["start_time"] = 1 },
		"of another boot":           func(state map[string]any) { state["boot_id"] = "00000000-0000-0000-0000-000000000000" },
		"of a later version":        func(state map[string]any) { state["version"] = 99 },
		"of the other driver":       func(state map[string]any) { state["driver"] = "raw_exec" },
		"without a state directory": func(state map[string]any) { state["state"] = "/nonexistent/state" },
	} {
		c.check("a handle "+what+" is refused", unless(other.driver.RecoverTask(altered(handle, change)), "it was recovered"))
	}
	original := persisted(handle)
	var state []byte
	err = base.MsgPackEncode(&state, map[string]any{"ReattachConfig": nil, "TaskConfig": nil, "Pid": os.Getpid(), "PID": os.Getpid(), "StartedAt": time.Now()})
	original.DriverState = state
	refused := errors.Join(err, other.driver.RecoverTask(original))
	c.check("a handle of the original driver is refused", unless(refused, "it was recovered"))
	c.check("destroying what was refused is fine", other.driver.DestroyTask(t.config.ID, true))
	c.check("the second plugin ends", other.stop())
	after, err := c.pid(h, t)
	if err == nil && after != pid {
		err = fmt.Errorf("its pid is %s", after)
	}
	c.check("nothing of that touched the task", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
}

func altered(handle *drivers.TaskHandle, change func(map[string]any)) *drivers.TaskHandle {
	copied := persisted(handle)
	var state map[string]any
	if err := json.Unmarshal(copied.DriverState, &state); err != nil {
		fmt.Fprintln(os.Stderr, "smoke: the driver's state is not JSON:", err)
	}
	change(state)
	copied.DriverState, _ = json.Marshal(state)
	return copied
}

// What the agent is told of a task beside its exit code.
func (c checks) events(h *host) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	told, err := h.driver.TaskEvents(ctx)
	if !c.check("events are told", err) {
		return
	}
	// The stream opens on the other side a moment later.
	time.Sleep(patience(200 * time.Millisecond))
	t, _, err := c.start(h, "/bin/sh", []string{"-c", "head -c 400000000 /dev/zero | tail"})
	if c.check("a task that wants too much memory starts", err) {
		c.check("its end names the kernel's kill", c.outOfMemory(h, t))
		c.check("and so does an event", hears(told, t, "Out of memory"))
		c.check("destroying it leaves nothing", c.destroyed(h, t))
	}
	t, _, err = c.start(h, "/bin/sh", []string{"-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"})
	if c.check("a task that does not heed its stop starts", err) {
		c.check("it says so", t.stdout.says("deaf\n"))
		c.check("it is stopped", h.driver.StopTask(t.config.ID, 500*time.Millisecond, "SIGTERM"))
		c.check("it was killed", c.exits(h, t, 137, 9))
		c.check("an event says after what", hears(told, t, "after SIGTERM and was killed"))
		c.check("destroying it leaves nothing", c.destroyed(h, t))
	}
}

func (c checks) outOfMemory(h *host, t *task) error {
	result, err := h.wait(t.config.ID, patience(60*time.Second))
	if err == nil && (result.Successful() || !result.OOMKilled) {
		err = fmt.Errorf("it ended with %+v", *result)
	}
	return err
}

func hears(told <-chan *drivers.TaskEvent, t *task, words string) error {
	deadline := time.After(patience(10 * time.Second))
	for {
		select {
		case event := <-told:
			if event == nil || event.Err != nil {
				return fmt.Errorf("the stream ended: %+v", event)
			}
			if event.TaskID == t.config.ID && strings.Contains(event.Message, words) {
				if event.AllocID != t.config.AllocID || event.TaskName != t.config.Name || event.Timestamp.IsZero() {
					return fmt.Errorf("it is %+v", event)
				}
				return nil
			}
		case <-deadline:
			return errors.New("there is none")
		}
	}
}
