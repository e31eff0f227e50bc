package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/nomad/plugins/drivers"
)

// Held by everybody on the machine who has switched kernel audit on.
const auditLock = "/run/encamp-audit.lock"

// What a task of exec2 is denied is told while it runs, and kernel audit is as it was when none runs any more.
func (c checks) denials(h *host) *host {
	if c.driver != "exec2" {
		return h
	}
	before := audit()
	if !strings.Contains(before, "denials are named") {
		fmt.Printf("left out  %s  denials: %s\n", c.driver, before)
		return h
	}
	ground, err := newGround()
	if !c.check("files that nobody unveils", err) {
		return h
	}
	defer os.RemoveAll(ground)
	if h = c.toldWhileItRuns(h, ground); h == nil {
		return nil
	}
	c.check("audit is as it was", putBack(before))
	c.floods(h, ground)
	c.check("audit is as it was", putBack(before))
	return h
}

// The line of encamp's doctor about denials, which says whether audit is on.
func audit() string {
	output, _ := exec.Command(os.Args[1], "doctor").CombinedOutput()
	for _, line := range strings.Split(string(output), "\n") {
		if strings.Contains(line, "denials") {
			return strings.TrimSpace(line)
		}
	}
	return "encamp doctor says nothing of it"
}

// Waits until audit is as it was, or as somebody else wants it who reads at the same time.
func putBack(before string) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		now := audit()
		if now == before || heldByOthers() {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it was %q and is %q", before, now)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func heldByOthers() bool {
	lock, err := os.Open(auditLock)
	if err != nil {
		return false
	}
	defer lock.Close()
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == syscall.EWOULDBLOCK
}

// Files of the host's in a directory that everybody may enter.
func newGround() (string, error) {
	ground, err := os.MkdirTemp("/var/tmp", "encamp-smoke-denied-")
	if err != nil {
		return "", err
	}
	err = os.Chmod(ground, 0o755)
	for _, name := range []string{"one", "two", "three"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(ground, name), []byte("text\n"), 0o644))
	}
	for n := range 1000 {
		err = errors.Join(err, os.WriteFile(filepath.Join(ground, fmt.Sprintf("file%d", n)), nil, 0o644))
	}
	return ground, err
}

// One denial under each of three plugins: the second comes after a kill, the third after a restart.
func (c checks) toldWhileItRuns(h *host, ground string) *host {
	told, end := c.listen(h)
	script := fmt.Sprintf(`cat %[1]s/one
for name in two three; do
	until [ -e "$NOMAD_ALLOC_DIR/$name" ]; do sleep 0.1; done
	cat %[1]s/$name
done
exec sleep 3600`, ground)
	t, handle, err := c.start(h, "/bin/sh", []string{"-c", script})
	if !c.check("a task starts that will be denied something", err) {
		end()
		return h
	}
	c.check("it is told while it runs, with the line to add", hearsOf(told, t, denied(ground, "one")))
	if now := audit(); strings.Contains(now, "is off") {
		err = errors.New(now)
	}
	c.check("audit is on meanwhile", err)
	end()
	c.check("the plugin is killed under it", h.murder())
	if h = c.deniedAgain(t, handle, ground, "two"); h == nil {
		return nil
	}
	c.check("the plugin ends with it running", h.stop())
	if !heldByOthers() {
		_, err = os.Stat(auditLock)
		c.check("audit is put back before it has ended", unless(err, auditLock+" is left"))
	}
	if h = c.deniedAgain(t, handle, ground, "three"); h == nil {
		return nil
	}
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	return h
}

// In a new plugin the running task is denied something else.
func (c checks) deniedAgain(t *task, handle *drivers.TaskHandle, ground, name string) *host {
	h, err := c.world.launchConfigured()
	if !c.check("the next plugin starts", err) {
		return nil
	}
	told, end := c.listen(h)
	defer end()
	c.check("the task is recovered", h.driver.RecoverTask(persisted(handle)))
	c.check("it is told to go on", os.WriteFile(filepath.Join(t.config.AllocDir, "alloc", name), nil, 0o644))
	c.check("what it is denied then is told too", hearsOf(told, t, denied(ground, name)))
	return h
}

func denied(ground, name string) string {
	path := filepath.Join(ground, name)
	return fmt.Sprintf("The sandbox denied: read %s. Add to the task's config: unveil = [\"r:%s\"].", path, path)
}

// A task that is denied much has few events, and its end comes all the same.
func (c checks) floods(h *host, ground string) {
	told, end := c.listen(h)
	defer end()
	script := fmt.Sprintf("i=0; while [ $i -lt 1000 ]; do read line < %s/file$i; i=$((i+1)); done; exit 1", ground)
	t, _, err := c.start(h, "/bin/sh", []string{"-c", script})
	if !c.check("a task starts that is denied a thousand files", err) {
		return
	}
	result, err := h.wait(t.config.ID, 60*time.Second)
	if err == nil && result.ExitCode != 1 {
		err = fmt.Errorf("it ended with %+v", *result)
	}
	c.check("it ends as it should", err)
	events := 0
	for quiet := false; !quiet; {
		select {
		case event := <-told:
			if event != nil && event.TaskID == t.config.ID && strings.HasPrefix(event.Message, "The sandbox") {
				events++
			}
		case <-time.After(2 * time.Second):
			quiet = true
		}
	}
	if events < 1 || events > 4 {
		err = fmt.Errorf("there are %d", events)
	}
	c.check("that is one to four events", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
}

// As hears, with what was told instead.
func hearsOf(told <-chan *drivers.TaskEvent, t *task, words string) error {
	var others []string
	deadline := time.After(20 * time.Second)
	for {
		select {
		case event := <-told:
			if event == nil || event.Err != nil {
				return fmt.Errorf("the stream ended: %+v", event)
			}
			if event.TaskID == t.config.ID && strings.Contains(event.Message, words) {
				return nil
			}
			others = append(others, event.TaskID+" "+event.Message)
		case <-deadline:
			return fmt.Errorf("there is none among %q", others)
		}
	}
}

// The plugin's events from now on, until the second result is called.
func (c checks) listen(h *host) (<-chan *drivers.TaskEvent, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	told, err := h.driver.TaskEvents(ctx)
	c.check("events are told", err)
	// The stream opens on the other side a moment later.
	time.Sleep(500 * time.Millisecond)
	return told, cancel
}
