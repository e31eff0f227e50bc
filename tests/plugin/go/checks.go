package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/plugins/base"
	"github.com/hashicorp/nomad/plugins/drivers"
	"github.com/hashicorp/nomad/plugins/drivers/fsisolation"
)

// The checks of one driver.
type checks struct {
	*tally
	world *world
}

func (c checks) all() {
	c.operator()
	if !c.check("three launches, as an agent's start makes them", c.launches()) {
		return
	}
	c.check("they leave nothing", c.world.left())
	c.process()
	h, err := c.world.launchConfigured()
	if !c.check("a launch that is configured with the machine's topology", err) {
		return
	}
	streamsAreOpen := c.streams(h)
	c.identity(h)
	c.environment(h)
	c.ends(h)
	c.running(h)
	c.stops(h)
	c.burner(h)
	c.logs(h)
	c.surroundings(h)
	c.cores(h)
	c.load(h)
	c.shortage(h)
	c.badInput(h)
	streamsAreOpen()
	h = c.survives(h)
	if h == nil {
		return
	}
	if h = c.forgets(h); h == nil {
		return
	}
	if h = c.crowds(h); h == nil {
		return
	}
	if h = c.flight(h); h == nil {
		return
	}
	if h = c.denials(h); h == nil {
		return
	}
	c.check("what it logged is hclog's JSON", h.lines.wellFormed())
	c.check("it ends within 2 s when the agent says so, and its socket with it", h.stop())
}

// What an operator could write.
func (c checks) operator() {
	c.world.operator = map[string]any{"no_pivot_root": false, "default_pid_mode": "private"}
	c.world.isolation = fsisolation.Image
	if c.driver == "exec2" {
		c.world.operator = map[string]any{"unveil_defaults": true, "unveil_by_task": true, "unveil_paths": []string{"r:/etc/hostname"}}
		c.world.isolation = fsisolation.Unveil
	}
}

func (c checks) launches() error {
	first, err := c.world.launch()
	if err != nil {
		return err
	}
	info, err := first.driver.PluginInfo()
	if err == nil && (info.Name != c.driver || info.Type != base.PluginTypeDriver || info.PluginApiVersions[0] != "v0.1.0") {
		err = fmt.Errorf("it says it is %+v", info)
	}
	config, configErr := c.world.operatorConfig(first)
	if err := errors.Join(err, configErr, first.stop()); err != nil {
		return err
	}
	second, err := c.world.launch()
	if err != nil {
		return err
	}
	// Twice and without what only a running agent has: the agent validates.
	config.AgentConfig = nil
	return errors.Join(second.driver.SetConfig(config), second.driver.SetConfig(config), second.stop())
}

func (c checks) identity(h *host) {
	capabilities, err := h.driver.Capabilities()
	if err == nil && capabilities.FSIsolation != c.world.isolation {
		err = fmt.Errorf("its file system isolation is %s", capabilities.FSIsolation)
	}
	c.check("its file system isolation is "+string(c.world.isolation), err)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fingerprints, err := h.driver.Fingerprint(ctx)
	if err == nil {
		select {
		case found := <-fingerprints:
			if found.Err != nil || found.Health != drivers.HealthStateHealthy {
				err = fmt.Errorf("it is %s: %s (%v)", found.Health, found.HealthDescription, found.Err)
			}
		case <-time.After(patience(time.Second)):
			err = errors.New("it did not say within a second")
		}
	}
	c.check("it is healthy here", err)
	_, err = encode(must(h.driver.TaskConfigSchema()), map[string]any{"args": []string{"x"}})
	c.check("a config without a command does not pass its schema", unless(err, "the schema lets it pass"))
}

func (c checks) environment(h *host) {
	t, handle, err := c.start(h, "/usr/bin/env", nil)
	if !c.check("env starts", err) {
		return
	}
	if handle.Version < 1 || handle.Config == nil || handle.Config.ID != t.config.ID || len(handle.DriverState) == 0 {
		err = fmt.Errorf("the handle is %+v", handle)
	}
	c.check("its handle echoes the task", err)
	c.check("env exits with 0", c.exits(h, t, 0, 0))
	text, err := t.stdout.whole()
	for _, want := range []string{"GREETING=hello from the smoke test\n", "NOMAD_TASK_NAME=smoke\n", "PATH="} {
		if err == nil && !strings.Contains(text, want) {
			err = fmt.Errorf("%q is not in %q", want, text)
		}
	}
	if err == nil && strings.Contains(text, "SMOKE_AGENT_SECRET") {
		err = errors.New("the agent's own environment is in it")
	}
	c.check("env prints the task's environment and not the agent's", err)
	status, err := h.driver.InspectTask(t.config.ID)
	if err == nil && (status.State != drivers.TaskStateExited || status.CompletedAt.Before(status.StartedAt)) {
		err = fmt.Errorf("it is %+v", status)
	}
	c.check("a task that ended is inspected as exited", err)
	c.check("stopping a task that ended is fine", h.driver.StopTask(t.config.ID, time.Second, ""))
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	_, err = h.driver.InspectTask(t.config.ID)
	c.check("a destroyed task is not known any more", unless(err, "it is"))
	c.check("stopping a task that is not known is fine", h.driver.StopTask(t.config.ID, time.Second, ""))
}

func (c checks) ends(h *host) {
	t, _, err := c.start(h, "/bin/sh", []string{"-c", "echo to stderr >&2; exit 7"})
	if c.check("sh starts", err) {
		c.check("exit 7 is exit code 7", c.exits(h, t, 7, 0))
		text, err := t.stderr.whole()
		if err == nil && text != "to stderr\n" {
			err = fmt.Errorf("it has %q", text)
		}
		c.check("stderr has a pipe of its own", err)
		c.check("destroying it leaves nothing", c.destroyed(h, t))
	}
	t, _, err = c.start(h, "/no/such/command", nil)
	if c.check("a command that does not exist is an error at the start", unless(err, "it started")) {
		c.check("nothing is left of it", c.gone(t))
		c.check("its logs' readers do not wait for it", errors.Join(t.stdout.ended(), t.stderr.ended()))
	}
}

func (c checks) running(h *host) {
	t, _, err := c.start(h, "/bin/sleep", []string{"600"})
	if !c.check("sleep starts", err) {
		return
	}
	status, err := h.driver.InspectTask(t.config.ID)
	if err == nil && status.State != drivers.TaskStateRunning {
		err = fmt.Errorf("it is %s", status.State)
	}
	c.check("a task that runs is inspected as running", err)
	_, _, err = h.driver.StartTask(t.config)
	c.check("the same task cannot be started twice", unless(err, "it was"))
	c.check("destroying it without force is refused", unless(h.driver.DestroyTask(t.config.ID, false), "it was destroyed"))
	c.check("its usage is told", c.usage(h, t))
	c.entered(h, t)
	c.check("many callers wait, and one that gives up changes nothing", c.many(h, t))
	c.check("destroying it leaves nothing", c.destroyed(h, t))

	t, _, err = c.start(h, "/bin/sleep", []string{"600"})
	if c.check("another sleep starts", err) {
		c.check("it takes a signal", h.driver.SignalTask(t.config.ID, "SIGCONT"))
		c.check("a signal that does not exist is an error", unless(h.driver.SignalTask(t.config.ID, "SIGNONE"), "it was sent"))
		c.check("a forced destroy ends it", c.destroyed(h, t))
	}
}

func (c checks) usage(h *host, t *task) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience(5*time.Second))
	defer cancel()
	samples, err := h.driver.TaskStats(ctx, t.config.ID, 200*time.Millisecond)
	if err != nil {
		return err
	}
	for n := range 2 {
		sample := <-samples
		if sample == nil || sample.Timestamp == 0 || sample.ResourceUsage.CpuStats == nil || sample.ResourceUsage.MemoryStats == nil {
			return fmt.Errorf("sample %d is %+v", n, sample)
		}
		if len(sample.ResourceUsage.MemoryStats.Measured) == 0 || len(sample.ResourceUsage.CpuStats.Measured) == 0 {
			return fmt.Errorf("sample %d measures nothing: %+v", n, sample.ResourceUsage)
		}
	}
	return nil
}

// Stops a running task while many wait for it.
func (c checks) many(h *host, t *task) error {
	ctx, cancel := context.WithCancel(context.Background())
	given, err := h.driver.WaitTask(ctx, t.config.ID)
	if err != nil {
		cancel()
		return err
	}
	var waiting sync.WaitGroup
	errs := make(chan error, callers)
	for range cap(errs) {
		waiting.Go(func() { errs <- c.exits(h, t, 143, 15) })
	}
	cancel()
	<-given
	// So many calls take a moment to arrive; more threads than this would be one for each.
	time.Sleep(200 * time.Millisecond)
	if threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", h.pid())); err != nil || len(threads) > 50 {
		return fmt.Errorf("the plugin has %d threads (%v)", len(threads), err)
	}
	started := time.Now()
	err = h.driver.StopTask(t.config.ID, patience(10*time.Second), "SIGTERM")
	if took := time.Since(started); err == nil && took > patience(5*time.Second) {
		err = fmt.Errorf("stopping it took %v", took)
	}
	waiting.Wait()
	close(errs)
	for each := range errs {
		err = errors.Join(err, each)
	}
	return err
}

// What happens to tasks when the plugin does not end as it should.
func (c checks) survives(h *host) *host {
	long, longHandle, err := c.start(h, "/bin/sleep", []string{"600"})
	if !c.check("a sleep starts before the plugin is killed", err) {
		return h
	}
	short, shortHandle, err := c.start(h, "/bin/sh", []string{"-c", "sleep 1; exit 3"})
	if !c.check("a task that will end while no plugin runs starts", err) {
		return h
	}
	c.check("SIGKILL of the plugin closes its pipes although tasks run", h.murder())
	c.check("the short task ends while no plugin runs", c.empty(short))
	pids, err := c.world.cgroups.pids(cgroupName(long))
	if err == nil && len(pids) == 0 {
		err = errors.New("its cgroup is empty")
	}
	c.check("the sleep lives on", err)

	h, err = c.world.launchConfigured()
	if !c.check("another plugin starts", err) {
		return nil
	}
	c.recovers(h, long, longHandle)
	c.check("a task that ended meanwhile is recovered", h.driver.RecoverTask(persisted(shortHandle)))
	c.check("its exit code is the true one", c.exits(h, short, 3, 0))
	c.check("destroying it leaves nothing", c.destroyed(h, short))
	garbled := persisted(shortHandle)
	garbled.DriverState = []byte("garbage")
	c.check("a garbled handle is an error", unless(h.driver.RecoverTask(garbled), "it was recovered"))
	return c.restarts(h)
}

func (c checks) recovers(h *host, t *task, handle *drivers.TaskHandle) {
	if !c.check("the sleep is recovered", h.driver.RecoverTask(persisted(handle))) {
		return
	}
	c.check("and once more", h.driver.RecoverTask(persisted(handle)))
	status, err := h.driver.InspectTask(t.config.ID)
	if err == nil && status.State != drivers.TaskStateRunning {
		err = fmt.Errorf("it is %s", status.State)
	}
	c.check("it is running", err)
	result, err := h.driver.ExecTask(t.config.ID, []string{"/bin/sh", "-c", "exit 4"}, patience(5*time.Second))
	if err == nil && result.ExitResult.ExitCode != 4 {
		err = fmt.Errorf("it exits with %+v", result.ExitResult)
	}
	c.check("a command runs beside it", err)
	c.check("it stops", h.driver.StopTask(t.config.ID, patience(5*time.Second), "SIGTERM"))
	c.check("it ended by that signal", c.exits(h, t, 143, 15))
	c.check("destroying it leaves nothing", c.destroyed(h, t))
}

// A graceful restart of the agent with a task running.
func (c checks) restarts(h *host) *host {
	t, handle, err := c.start(h, "/bin/sleep", []string{"600"})
	if !c.check("a sleep starts before the agent restarts", err) {
		return h
	}
	waiting, err := h.driver.WaitTask(context.Background(), t.config.ID)
	c.check("the plugin ends within 2 s with the task running and a caller waiting", errors.Join(err, h.stop()))
	c.check("the caller is told that the plugin is gone", shutDown(<-waiting))
	h, err = c.world.launchConfigured()
	if !c.check("the plugin starts again", err) {
		return nil
	}
	c.check("the sleep is recovered after the restart", h.driver.RecoverTask(persisted(handle)))
	c.check("a stop without grace kills it", h.driver.StopTask(t.config.ID, 0, "SIGTERM"))
	result, err := h.wait(t.config.ID, patience(5*time.Second))
	if err == nil && result.Successful() {
		err = errors.New("it says it was successful")
	}
	c.check("it did not succeed", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	return h
}

func (c checks) start(h *host, command string, args []string) (*task, *drivers.TaskHandle, error) {
	block := map[string]any{"command": command}
	if args != nil {
		block["args"] = args
	}
	t, err := c.world.task(h, c.driver, block)
	if err != nil {
		// Whoever goes on with what it printed must not fall.
		return &task{stdout: &output{}, stderr: &output{}}, nil, err
	}
	handle, network, err := h.driver.StartTask(t.config)
	if err == nil && network != nil {
		err = errors.New("the driver says that it made a network")
	}
	return t, handle, err
}

func (c checks) exits(h *host, t *task, code, signal int) error {
	result, err := h.wait(t.config.ID, patience(15*time.Second))
	if err == nil && (result.ExitCode != code || result.Signal != signal || result.OOMKilled) {
		err = fmt.Errorf("it ended with %+v", *result)
	}
	return err
}

func (c checks) destroyed(h *host, t *task) error {
	if t.config == nil {
		return errors.New("the task could not be prepared")
	}
	if err := h.driver.DestroyTask(t.config.ID, true); err != nil {
		return err
	}
	return c.gone(t)
}

// Whether no process of the task is left, nor a cgroup that the client does not know of, and the client can remove those that it made.
func (c checks) gone(t *task) error {
	if t.config == nil {
		return errors.New("the task could not be prepared")
	}
	pids, err := c.world.cgroups.pids(cgroupName(t))
	if err == nil && len(pids) > 0 {
		err = fmt.Errorf("processes %v are left", pids)
	}
	if left := c.world.cgroups.madeByDriver(cgroupName(t)); err == nil && len(left) > 0 {
		err = fmt.Errorf("cgroups %v are left", left)
	}
	if err == nil {
		err = c.world.cgroups.remove(cgroupName(t))
	}
	return err
}

func cgroupName(t *task) string {
	return t.config.AllocID + "." + t.config.Name
}

// A handle as an agent has it that read it from its state database: what Go does not export is lost.
func persisted(handle *drivers.TaskHandle) *drivers.TaskHandle {
	var bytes []byte
	var read drivers.TaskHandle
	if err := errors.Join(base.MsgPackEncode(&bytes, handle), base.MsgPackDecode(bytes, &read)); err != nil {
		fmt.Fprintln(os.Stderr, "smoke: a handle is not kept:", err)
	}
	return &read
}

// Turns an expected failure into a success and its absence into words.
func unless(err error, otherwise string) error {
	if err == nil {
		return errors.New(otherwise)
	}
	return nil
}

func must[T any](value T, _ error) T {
	return value
}
