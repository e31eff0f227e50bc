package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/nomad/client/lib/cgroupslib"
)

const mounts = "/sys/fs/cgroup"

// Where Nomad's client makes something on a host with one hierarchy per controller.
var clientControllers = []string{"freezer", "memory", "cpu"}

// The tasks' cgroups below a parent of our own, made as Nomad's client makes them below its parent.
type cgroups struct {
	parent string
	v2     bool
}

// The two halves of the machine: cores that tasks share, and cores that are theirs.
var partitions = []string{"share", "reserve"}

func newCgroups(name string) (*cgroups, error) {
	c := &cgroups{parent: name, v2: cgroupslib.GetMode() == cgroupslib.CG2}
	if c.v2 {
		c.parent += ".slice"
		return c, c.slices()
	}
	for _, partition := range partitions {
		// Without both files nothing may enter.
		dir := filepath.Join(mounts, "cpuset", c.parent, partition)
		err := os.MkdirAll(dir, 0o755)
		for _, file := range []string{"cpuset.mems", "cpuset.cpus"} {
			err = errors.Join(err, inherit(filepath.Dir(dir), file), inherit(dir, file))
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *cgroups) slices() error {
	top := filepath.Join(mounts, c.parent)
	dirs := []string{mounts, top}
	for _, partition := range partitions {
		dirs = append(dirs, filepath.Join(top, partition+".slice"))
	}
	for _, dir := range dirs {
		err := os.MkdirAll(dir, 0o755)
		control := filepath.Join(dir, "cgroup.subtree_control")
		if err := errors.Join(err, os.WriteFile(control, []byte("+cpuset +cpu +io +memory +pids"), 0o644)); err != nil {
			return err
		}
	}
	return nil
}

func inherit(dir, file string) error {
	value, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), value, 0o644)
}

// Makes a task's cgroup and says what the client passes as its cpuset cgroup. It writes no cpuset.cpus of a task with cores of its own.
func (c *cgroups) setup(task, cores string) (string, error) {
	partition := "share"
	if cores != "" {
		partition = "reserve"
	}
	if c.v2 {
		dir := filepath.Join(mounts, c.parent, partition+".slice", task+".scope")
		return dir, os.MkdirAll(dir, 0o755)
	}
	var errs []error
	for _, controller := range clientControllers {
		errs = append(errs, os.MkdirAll(filepath.Join(mounts, controller, c.parent, task), 0o755))
	}
	dir := filepath.Join(mounts, "cpuset", c.parent, partition)
	if cores != "" {
		dir = filepath.Join(dir, task)
		errs = append(errs, os.MkdirAll(dir, 0o755), inherit(dir, "cpuset.mems"))
	}
	return dir, errors.Join(errs...)
}

// The directories of a task that the client made.
func (c *cgroups) made(task string) []string {
	var found []string
	patterns := []string{filepath.Join(mounts, "cpuset", c.parent, "reserve", task)}
	for _, controller := range clientControllers {
		patterns = append(patterns, filepath.Join(mounts, controller, c.parent, task))
	}
	if c.v2 {
		patterns = []string{filepath.Join(mounts, c.parent, "*.slice", task+".scope")}
	}
	for _, pattern := range patterns {
		dirs, _ := filepath.Glob(pattern)
		found = append(found, dirs...)
	}
	return found
}

// Removes what the client made, as it does: on v2 a kill and one try, of which it tells nobody; so here nothing may be left to kill.
func (c *cgroups) remove(task string) error {
	var errs []error
	for _, dir := range c.made(task) {
		if c.v2 {
			errs = append(errs, os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0o644))
		}
		errs = append(errs, os.Remove(dir))
	}
	return errors.Join(errs...)
}

// Cgroups of tasks, whoever made them.
func (c *cgroups) left() error {
	patterns := []string{filepath.Join(mounts, "*", c.parent, "*.smoke*"), filepath.Join(mounts, "cpuset", c.parent, "*", "*.smoke*")}
	if c.v2 {
		patterns = []string{filepath.Join(mounts, c.parent, "*", "*.smoke*")}
	}
	var errs []error
	for _, pattern := range patterns {
		dirs, _ := filepath.Glob(pattern)
		for _, dir := range dirs {
			errs = append(errs, fmt.Errorf("%s is left", dir))
		}
	}
	return errors.Join(errs...)
}

// Processes in a task's cgroup.
func (c *cgroups) pids(task string) ([]int, error) {
	dir := filepath.Join(mounts, "freezer", c.parent, task)
	if c.v2 {
		dirs := c.made(task)
		if len(dirs) != 1 {
			return nil, fmt.Errorf("the cgroups of %s are %v", task, dirs)
		}
		dir = dirs[0]
	}
	return procs(dir)
}

// Directories of a task that its driver made and should have removed.
func (c *cgroups) madeByDriver(task string) []string {
	if c.v2 {
		return nil
	}
	made, _ := filepath.Glob(filepath.Join(mounts, "*", c.parent, task+"*"))
	var left []string
	for _, dir := range made {
		controller, _, _ := strings.Cut(strings.TrimPrefix(dir, mounts+"/"), "/")
		if !strings.Contains(strings.Join(clientControllers, " "), controller) {
			left = append(left, dir)
		}
	}
	return left
}

// Kills what is left, removes everything, and says what there was to kill.
func (c *cgroups) close() error {
	pattern := filepath.Join(mounts, "*", c.parent)
	if c.v2 {
		pattern = filepath.Join(mounts, c.parent)
	}
	tops, err := filepath.Glob(pattern)
	errs := []error{err}
	for _, top := range tops {
		errs = append(errs, clear(top))
	}
	return errors.Join(errs...)
}

func clear(dir string) error {
	pids, _ := procs(dir)
	var errs []error
	for _, pid := range pids {
		errs = append(errs, fmt.Errorf("process %d was still in %s", pid, dir))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	children, err := os.ReadDir(dir)
	errs = append(errs, err)
	for _, child := range children {
		if child.IsDir() {
			errs = append(errs, clear(filepath.Join(dir, child.Name())))
		}
	}
	for range 100 {
		if err = os.Remove(dir); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.Join(append(errs, err)...)
}

func procs(dir string) ([]int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
