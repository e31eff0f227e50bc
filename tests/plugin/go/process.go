package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/nomad/plugins/base"
	bstructs "github.com/hashicorp/nomad/plugins/base/structs"
	"github.com/hashicorp/nomad/plugins/drivers"
)

// A plugin that was started as go-plugin starts one, with its pipes in our hands.
type bare struct {
	cmd    *exec.Cmd
	pipes  []*os.File
	stdout *output
	stderr *output
	socket string
	ended  chan error
}

func (w *world) bare() (*bare, error) {
	b := &bare{cmd: exec.Command(w.plugin), ended: make(chan error, 1)}
	b.cmd.Env = append(w.environ(), base.Handshake.MagicCookieKey+"="+base.Handshake.MagicCookieValue,
		"PLUGIN_MIN_PORT=10000", "PLUGIN_MAX_PORT=25000", "PLUGIN_PROTOCOL_VERSIONS=2")
	var theirs []*os.File
	for _, into := range []**output{&b.stdout, &b.stderr} {
		read, write, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		b.pipes, theirs = append(b.pipes, read), append(theirs, write)
		*into = &output{done: make(chan struct{})}
		go (*into).read(read)
	}
	b.cmd.Stdout, b.cmd.Stderr = theirs[0], theirs[1]
	err := b.cmd.Start()
	for _, each := range theirs {
		each.Close()
	}
	if err != nil {
		return nil, err
	}
	go func() { b.ended <- b.cmd.Wait() }()
	if err := b.stdout.says("\n"); err != nil {
		return nil, errors.Join(err, b.cmd.Process.Kill())
	}
	fields := strings.Split(b.stdout.String(), "|")
	if len(fields) != 6 {
		return nil, errors.Join(fmt.Errorf("it announces itself with %q", b.stdout.String()), b.cmd.Process.Kill())
	}
	b.socket = fields[3]
	return b, nil
}

// Connects to it as the agent does that comes after the one that started it.
func (b *bare) attach() (*host, error) {
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: base.Handshake,
		Plugins: map[string]plugin.Plugin{
			base.PluginTypeBase:   &base.PluginBase{},
			base.PluginTypeDriver: drivers.NewDriverPlugin(nil, hclog.NewNullLogger()),
		},
		Reattach: &plugin.ReattachConfig{
			Protocol: plugin.ProtocolGRPC, ProtocolVersion: 2, Pid: b.cmd.Process.Pid,
			Addr: &net.UnixAddr{Name: b.socket, Net: "unix"},
		},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	rpc, err := client.Client()
	if err != nil {
		return nil, err
	}
	raw, err := rpc.Dispense(base.PluginTypeDriver)
	if err != nil {
		return nil, err
	}
	h := &host{client, raw.(drivers.DriverPlugin), &lines{}}
	_, err = h.driver.PluginInfo()
	return h, err
}

// Lets go of the connection as an agent that is killed does.
func (h *host) vanish() error {
	rpc, err := h.client.Client()
	if err != nil {
		return err
	}
	return rpc.(*plugin.GRPCClient).Conn.Close()
}

// What only whoever holds the process and its pipes can see.
func (c checks) process() {
	c.endsWithEverythingOpen()
	c.outlivesItsAgent()
}

func (c checks) endsWithEverythingOpen() {
	b, h, ok := c.launchBare()
	if !ok {
		return
	}
	c.runsOne(h)
	t, handle, err := c.start(h, "/bin/sleep", []string{"600"})
	if !c.check("a task starts in it", err) {
		return
	}
	fingerprints, err1 := h.driver.Fingerprint(context.Background())
	events, err2 := h.driver.TaskEvents(context.Background())
	usage, err3 := h.driver.TaskStats(context.Background(), t.config.ID, time.Second)
	waiting, err4 := h.driver.WaitTask(context.Background(), t.config.ID)
	c.check("everything is open", errors.Join(err1, err2, err3, err4))
	<-fingerprints
	<-usage
	started := time.Now()
	go h.client.Kill()
	c.check("told to end it is gone within a second, with code 0", b.gone(patience(time.Second)))
	c.check("its pipes are at their end although the task runs", errors.Join(b.stdout.ended(), b.stderr.ended()))
	if took := time.Since(started); took > patience(2*time.Second) {
		err = fmt.Errorf("that took %v", took)
	}
	c.check("all of that in time", err)
	_, err = os.Stat(filepath.Dir(b.socket))
	c.check("its socket and the directory of it are gone", unless(err, "they are there"))
	line := fmt.Sprintf("1|2|unix|%s|grpc|\n", b.socket)
	if b.stdout.String() != line {
		err = fmt.Errorf("it said %q", b.stdout.String())
	} else {
		err = nil
	}
	c.check("all it ever wrote to standard output is its first line", err)
	written := &lines{}
	_, _ = written.Write([]byte(b.stderr.String()))
	c.check("every line it wrote to standard error is hclog's", written.wellFormed())
	c.check("whoever waits is told that the plugin is gone", shutDown(<-waiting))
	for range events {
	}
	c.check("the task runs on and is found by the next", c.foundByTheNext(t, handle))
}

func (c checks) outlivesItsAgent() {
	b, h, ok := c.launchBare()
	if !ok {
		return
	}
	t, handle, err := c.start(h, "/bin/sh", []string{"-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done"})
	if !c.check("a task starts whose agent is killed", errors.Join(err, t.stdout.says("up\n"))) {
		return
	}
	for _, pipe := range b.pipes {
		err = errors.Join(err, pipe.Close())
	}
	c.check("the agent is gone, and the pipes with it", errors.Join(err, h.vanish()))
	h, err = b.attach()
	if !c.check("the next agent takes the plugin over", err) {
		return
	}
	// These are told, to nobody: a variable that is held back, a start that fails.
	c.runsOne(h)
	other, _, err := c.start(h, "/no/such/command", nil)
	c.check("it says what there is to say and stays", errors.Join(unless(err, "a command that does not exist was started"), c.gone(other)))
	c.check("without a configuration the task is known", h.driver.RecoverTask(persisted(handle)))
	pid, err := c.pid(h, t)
	if err == nil && pid == "" {
		err = errors.New("it has no pid")
	}
	c.check("and runs", err)
	c.check("it is stopped through the new connection", h.driver.StopTask(t.config.ID, patience(5*time.Second), "SIGTERM"))
	c.check("and ends as it wants", c.exits(h, t, 9, 0))
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	h.client.Kill()
	c.check("the plugin that was taken over ends when it is told", b.gone(patience(time.Second)))
}

// A plugin in our hands, and configured.
func (c checks) launchBare() (*bare, *host, bool) {
	b, err := c.world.bare()
	if !c.check("a plugin starts with its pipes in our hands", err) {
		return nil, nil, false
	}
	h, err := b.attach()
	if err == nil {
		var config *base.Config
		if config, err = c.world.operatorConfig(h); err == nil {
			err = h.driver.SetConfig(config)
		}
	}
	return b, h, c.check("it is configured", err)
}

// Runs a task from its start to its end.
func (c checks) runsOne(h *host) {
	t, _, err := c.start(h, "/bin/echo", []string{"hello"})
	if c.check("a task runs from start to end", err) {
		c.check("with code 0", c.exits(h, t, 0, 0))
		c.check("destroying it leaves nothing", c.destroyed(h, t))
	}
}

func (c checks) foundByTheNext(t *task, handle *drivers.TaskHandle) error {
	h, err := c.world.launchConfigured()
	if err != nil {
		return err
	}
	err = h.driver.RecoverTask(persisted(handle))
	if err == nil {
		_, err = c.pid(h, t)
	}
	return errors.Join(err, c.destroyed(h, t), h.stop())
}

// Whether it ended within the time, well.
func (b *bare) gone(limit time.Duration) error {
	select {
	case err := <-b.ended:
		return err
	case <-time.After(limit):
		return errors.Join(errors.New("it is still there"), b.cmd.Process.Signal(syscall.SIGKILL))
	}
}

// The only error after which the client asks the next plugin for the task.
func shutDown(result *drivers.ExitResult) error {
	if result == nil || !errors.Is(result.Err, bstructs.ErrPluginShutdown) {
		return fmt.Errorf("it is told %+v", result)
	}
	return nil
}
