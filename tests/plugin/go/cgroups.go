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

func newCgroups(name string) (*cgroups, error) {
	c := &cgroups{parent: name, v2: cgroupslib.GetMode() == cgroupslib.CG2}
	if c.v2 {
		c.parent += ".slice"
		return c, c.partitions()
	}
	share := filepath.Join(mounts, "cpuset", c.parent, "share")
	if err := os.MkdirAll(share, 0o755); err != nil {
		return nil, err
	}
	// Without both nothing may enter.
	for _, dir := range []string{filepath.Dir(share), share} {
		for _, file := range []string{"cpuset.mems", "cpuset.cpus"} {
			if err := inherit(dir, file); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

func (c *cgroups) partitions() error {
	share := filepath.Join(mounts, c.parent, "share.slice")
	if err := os.MkdirAll(share, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{mounts, filepath.Dir(share), share} {
		control := filepath.Join(dir, "cgroup.subtree_control")
		if err := os.WriteFile(control, []byte("+cpuset +cpu +io +memory +pids"), 0o644); err != nil {
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

// Makes a task's cgroup and says what the client passes as its cpuset cgroup.
func (c *cgroups) setup(task string) (string, error) {
	if c.v2 {
		dir := filepath.Join(mounts, c.parent, "share.slice", task+".scope")
		return dir, os.MkdirAll(dir, 0o755)
	}
	var errs []error
	for _, controller := range clientControllers {
		errs = append(errs, os.MkdirAll(filepath.Join(mounts, controller, c.parent, task), 0o755))
	}
	return filepath.Join(mounts, "cpuset", c.parent, "share"), errors.Join(errs...)
}

// Processes in a task's cgroup.
func (c *cgroups) pids(task string) ([]int, error) {
	dir := filepath.Join(mounts, "freezer", c.parent, task)
	if c.v2 {
		dir = filepath.Join(mounts, c.parent, "share.slice", task+".scope")
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
