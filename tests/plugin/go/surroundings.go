package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What a task, and a command beside it, has of the plugin: its three descriptors, and nothing of the environment.
func (c checks) surroundings(h *host) {
	const script = "env; for fd in /proc/self/fd/*; do echo fd $fd; done; echo pwd $PWD; exec sleep 600"
	t, _, err := c.start(h, "/bin/sh", []string{"-c", script})
	if !c.check("a task that looks around starts", errors.Join(err, t.stdout.says("pwd "))) {
		return
	}
	c.check("it has three descriptors and nothing of the plugin's", alien(t.stdout.String()))
	result, err := h.driver.ExecTask(t.config.ID, []string{"/bin/sh", "-c", strings.TrimSuffix(script, "; exec sleep 600")}, patience(5*time.Second))
	if err == nil {
		err = alien(string(result.Stdout))
	}
	c.check("nor has a command beside it", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
}

func alien(text string) error {
	var errs []error
	for _, line := range strings.Split(text, "\n") {
		for _, word := range []string{"hunter2", "NOMAD_PLUGIN_MAGIC_COOKIE", "PLUGIN_", "ENCAMP_", "SMOKE_"} {
			if strings.HasPrefix(line, word) || strings.Contains(line, "hunter2") {
				errs = append(errs, fmt.Errorf("%q is there", line))
			}
		}
		// 3 is how the shell lists them.
		if number, is := strings.CutPrefix(line, "fd /proc/self/fd/"); is && !strings.Contains(" 0 1 2 3 ", " "+number+" ") {
			errs = append(errs, fmt.Errorf("descriptor %s is open", number))
		}
	}
	if !strings.Contains(text, "GREETING=") || !strings.Contains(text, "fd /proc/self/fd/1") {
		errs = append(errs, fmt.Errorf("it saw %q", text))
	}
	return errors.Join(errs...)
}
