package main

import (
	"fmt"
	"strings"
)

// A core of its own: the client makes the cgroup, and writes nothing into it.
func (c checks) cores(h *host) {
	t, err := c.world.task(h, c.driver, map[string]any{"command": "/bin/sh", "args": []string{"-c", "grep Cpus_allowed_list /proc/self/status"}})
	if err == nil {
		err = c.world.cgroups.remove(cgroupName(t))
	}
	if err == nil {
		linux := t.config.Resources.LinuxResources
		linux.CpusetCpus = "0"
		linux.CpusetCgroupPath, err = c.world.cgroups.setup(cgroupName(t), linux.CpusetCpus)
	}
	if err == nil {
		_, _, err = h.driver.StartTask(t.config)
	}
	if !c.check("a task with a core of its own starts", err) {
		return
	}
	c.check("it ends", c.exits(h, t, 0, 0))
	text, err := t.stdout.whole()
	if fields := strings.Fields(text); err == nil && (len(fields) != 2 || fields[1] != "0") {
		err = fmt.Errorf("it may run on %q", text)
	}
	c.check("it runs there and nowhere else", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
}
