package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/client/allocdir"
	"github.com/hashicorp/nomad/client/lib/fifo"
	"github.com/hashicorp/nomad/helper/uuid"
	"github.com/hashicorp/nomad/nomad/structs"
	"github.com/hashicorp/nomad/plugins/drivers"
	"github.com/hashicorp/nomad/plugins/drivers/fsisolation"
)

// Everything that one driver's checks make, below one directory and one cgroup.
type world struct {
	dir       string
	plugin    string
	stateDir  string
	sockets   string
	operator  map[string]any
	cgroups   *cgroups
	allocs    []*allocdir.AllocDir
	isolation fsisolation.Mode
}

func newWorld(driver, encamp string) (*world, error) {
	encamp, err := filepath.Abs(encamp)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "encamp-smoke-")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, plugin: filepath.Join(dir, "plugins", "nomad-driver-"+driver), stateDir: filepath.Join(dir, "state"), sockets: filepath.Join(dir, "sockets")}
	// Tasks of other users pass through here.
	err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Dir(w.plugin), 0o755), os.Mkdir(w.sockets, 0o700), os.Symlink(encamp, w.plugin))
	if err == nil {
		w.cgroups, err = newCgroups(fmt.Sprintf("nomad-smoke-%d", os.Getpid()))
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return w, nil
}

// What a plugin is started with: the agent's environment, in which there is a secret.
func (w *world) environ() []string {
	return append(os.Environ(), "ENCAMP_STATE_DIR="+w.stateDir, "TMPDIR="+w.sockets, "SMOKE_AGENT_SECRET=hunter2")
}

// What should not be there when no task is.
func (w *world) left() error {
	var errs []error
	for _, dir := range []string{w.stateDir, w.sockets} {
		if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
			errs = append(errs, fmt.Errorf("%d entries are left in %s, the first is %s", len(left), dir, left[0].Name()))
		}
	}
	return errors.Join(append(errs, w.cgroups.left())...)
}

// Takes everything down; says what should not have been there any more.
func (w *world) close() error {
	errs := []error{w.left(), w.cgroups.close()}
	for _, alloc := range w.allocs {
		// The first pass wants the task's alloc directory away before what is mounted on it by another path (unveil).
		if alloc.Destroy() != nil {
			errs = append(errs, alloc.Destroy())
		}
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err == nil && strings.Contains(string(mounts), w.dir) {
		return errors.Join(append(errs, fmt.Errorf("something is still mounted below %s, so it stays", w.dir))...)
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

// A task as the client prepared it, with what it printed so far.
type task struct {
	config *drivers.TaskConfig
	stdout *output
	stderr *output
}

// What comes out of one of a task's pipes.
type output struct {
	sync.Mutex
	text strings.Builder
	done chan struct{}
}

func (o *output) String() string {
	o.Lock()
	defer o.Unlock()
	return o.text.String()
}

// The whole output of a task that has ended.
func (o *output) whole() (string, error) {
	err := o.ended()
	return o.String(), err
}

// Waits until nobody holds the other end.
func (o *output) ended() error {
	select {
	case <-o.done:
		return nil
	case <-time.After(patience(5 * time.Second)):
		return errors.New("the pipe is still open")
	}
}

// Waits until a text is there.
func (o *output) says(text string) error {
	deadline := time.Now().Add(patience(10 * time.Second))
	for !strings.Contains(o.String(), text) {
		if time.Now().After(deadline) {
			return fmt.Errorf("it says %q", o.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

func (o *output) read(from io.ReadCloser) {
	defer close(o.done)
	defer from.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		o.Lock()
		o.text.Write(buffer[:n])
		o.Unlock()
		if err != nil {
			return
		}
	}
}

// Prepares a task: directories, user, environment, pipes, cgroup and its configuration.
func (w *world) task(h *host, driver string, block map[string]any) (*task, error) {
	alloc, name := uuid.Generate(), "smoke"
	user := ""
	if w.isolation == fsisolation.Unveil {
		user = "nomad-80999"
	}
	dirs := allocdir.NewAllocDir(hclog.NewNullLogger(), filepath.Join(w.dir, "alloc"), filepath.Join(w.dir, "alloc_mounts"), alloc)
	w.allocs = append(w.allocs, dirs)
	taskDir := dirs.NewTaskDir(&structs.Task{Name: name})
	if err := errors.Join(dirs.Build(), taskDir.Build(w.isolation, nil, user)); err != nil {
		return nil, err
	}
	cpuset, err := w.cgroups.setup(alloc+"."+name, "")
	if err != nil {
		return nil, err
	}
	config := &drivers.TaskConfig{
		ID: fmt.Sprintf("%s/%s/%s", alloc, name, uuid.Short()), Name: name, AllocID: alloc, User: user, AllocDir: dirs.AllocDir,
		JobName: "smoke", JobID: "smoke", TaskGroupName: "smoke", Namespace: "default", NodeName: "here", NodeID: uuid.Generate(),
		Env:        w.environment(taskDir, alloc, name),
		Resources:  resources(cpuset),
		StdoutPath: filepath.Join(taskDir.LogDir, "."+name+".stdout.fifo"),
		StderrPath: filepath.Join(taskDir.LogDir, "."+name+".stderr.fifo"),
	}
	t := &task{config, &output{done: make(chan struct{})}, &output{done: make(chan struct{})}}
	return t, errors.Join(t.pipes(), w.encodeConfig(h, t, block))
}

func (w *world) environment(dir *allocdir.TaskDir, alloc, name string) map[string]string {
	env := map[string]string{
		"NOMAD_ALLOC_ID": alloc, "NOMAD_TASK_NAME": name, "GREETING": "hello from the smoke test",
		"NOMAD_ALLOC_DIR": "/alloc", "NOMAD_TASK_DIR": "/local", "NOMAD_SECRETS_DIR": "/secrets",
	}
	if w.isolation == fsisolation.Unveil {
		env["NOMAD_ALLOC_DIR"] = dir.MountsAllocDir
		env["NOMAD_TASK_DIR"] = filepath.Join(dir.MountsTaskDir, "local")
		env["NOMAD_SECRETS_DIR"] = dir.MountsSecretsDir
		// The client merges its own environment in where the root is not an image's.
		env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
		env["SMOKE_AGENT_SECRET"] = "hunter2"
	}
	return env
}

func resources(cpuset string) *drivers.Resources {
	return &drivers.Resources{
		NomadResources: &structs.AllocatedTaskResources{
			// Enough for exec2's quota not to slow an emulated machine down further.
			Cpu:    structs.AllocatedCpuResources{CpuShares: 1000},
			Memory: structs.AllocatedMemoryResources{MemoryMB: 128},
		},
		LinuxResources: &drivers.LinuxResources{
			CPUShares: 1000, MemoryLimitBytes: 128 << 20, PercentTicks: 0.5, CpusetCgroupPath: cpuset,
		},
	}
}

func (t *task) pipes() error {
	for path, to := range map[string]*output{t.config.StdoutPath: t.stdout, t.config.StderrPath: t.stderr} {
		open, err := fifo.CreateAndRead(path)
		if err != nil {
			return err
		}
		go func() {
			if from, err := open(); err == nil {
				to.read(from)
			}
		}()
	}
	return nil
}

func (w *world) encodeConfig(h *host, t *task, block map[string]any) error {
	spec, err := h.driver.TaskConfigSchema()
	if err != nil {
		return err
	}
	value, err := decode(spec, block)
	if err != nil {
		return err
	}
	return t.config.EncodeDriverConfig(value)
}

// Takes away what the client mounted for a task, as a reboot does.
func (w *world) unmount(t *task) error {
	dir := filepath.Join(w.dir, "alloc_mounts", t.config.AllocID+"-"+t.config.Name)
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	lines := strings.Split(string(table), "\n")
	var errs []error
	// The last that was mounted first.
	for n := len(lines) - 1; n >= 0; n-- {
		if fields := strings.Fields(lines[n]); len(fields) > 4 && strings.HasPrefix(fields[4], dir) {
			errs = append(errs, syscall.Unmount(fields[4], 0))
		}
	}
	return errors.Join(errs...)
}
