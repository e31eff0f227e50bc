package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/hashicorp/nomad/plugins/drivers"
	"github.com/hashicorp/nomad/plugins/drivers/proto"
)

// A StartTask that no client should send, and what its error must say; one without words may start as well, and then must end.
type twist struct {
	what   string
	change func(*proto.TaskConfig)
	says   string
}

func config(bytes ...byte) func(*proto.TaskConfig) {
	return func(t *proto.TaskConfig) { t.MsgpackDriverConfig = bytes }
}

func linux(change func(*proto.LinuxResources)) func(*proto.TaskConfig) {
	return func(t *proto.TaskConfig) { change(t.Resources.LinuxResources) }
}

func memory(mb, most int64) func(*proto.TaskConfig) {
	return func(t *proto.TaskConfig) {
		t.Resources.AllocatedResources.Memory = &proto.AllocatedMemoryResources{MemoryMb: mb, MemoryMaxMb: most}
	}
}

func mount(at, from, propagation string) func(*proto.TaskConfig) {
	return func(t *proto.TaskConfig) {
		t.Mounts = []*proto.Mount{{TaskPath: at, HostPath: from, PropagationMode: propagation}}
	}
}

var twists = []twist{
	{"no resources", func(t *proto.TaskConfig) { t.Resources = nil }, "the client named none"},
	{"no resources of Linux", func(t *proto.TaskConfig) { t.Resources.LinuxResources = nil }, "the client named none"},
	{"no allocated resources", func(t *proto.TaskConfig) { t.Resources.AllocatedResources = nil }, ""},
	{"no memory and no cpu in them", func(t *proto.TaskConfig) {
		t.Resources.AllocatedResources.Memory, t.Resources.AllocatedResources.Cpu = nil, nil
	}, ""},
	{"less than no memory", memory(-5, -7), ""},
	{"more memory than there are bytes", memory(math.MaxInt64, math.MaxInt64), ""},
	{"the least memory", memory(math.MinInt64, math.MinInt64), ""},
	{"less than no cpu", func(t *proto.TaskConfig) { t.Resources.AllocatedResources.Cpu.CpuShares = math.MinInt64 }, ""},
	{"more cpu than there is", func(t *proto.TaskConfig) { t.Resources.AllocatedResources.Cpu.CpuShares = math.MaxInt64 }, ""},
	{"a share that is no number", linux(func(l *proto.LinuxResources) { l.PercentTicks = math.NaN() }), ""},
	{"an endless share", linux(func(l *proto.LinuxResources) { l.PercentTicks = math.Inf(1) }), ""},
	{"cores that are no numbers", linux(func(l *proto.LinuxResources) { l.CpusetCpus = "one" }), "cpuset"},
	{"cores that are not there", linux(func(l *proto.LinuxResources) { l.CpusetCpus = "4000-5000" }), ""},
	{"a cgroup elsewhere", linux(func(l *proto.LinuxResources) { l.CpusetCgroup = "/etc" }), "find the task's cgroup"},
	{"a cgroup by a way around", linux(func(l *proto.LinuxResources) { l.CpusetCgroup = "/sys/fs/cgroup/../../../etc" }), "find the task's cgroup"},
	{"a relative cgroup", linux(func(l *proto.LinuxResources) { l.CpusetCgroup = "share" }), "find the task's cgroup"},
	{"no id", func(t *proto.TaskConfig) { t.Id = "" }, "id"},
	{"no name", func(t *proto.TaskConfig) { t.Name = "" }, "name"},
	{"a name that leads elsewhere", func(t *proto.TaskConfig) { t.Name = "../../.." }, "name"},
	{"a name that is a path", func(t *proto.TaskConfig) { t.Name = "a/b" }, "name"},
	{"no allocation directory", func(t *proto.TaskConfig) { t.AllocDir = "" }, "alloc"},
	{"a relative allocation directory", func(t *proto.TaskConfig) { t.AllocDir = "alloc" }, "alloc"},
	{"an allocation directory that is not there", func(t *proto.TaskConfig) { t.AllocDir = "/nonexistent/" + t.AllocId }, "nonexistent"},
	{"a user nobody knows", func(t *proto.TaskConfig) { t.User = "no-such-user" }, "no-such-user"},
	{"a dynamic user without a number", func(t *proto.TaskConfig) { t.User = "nomad-" }, "nomad-"},
	{"a dynamic user beyond all numbers", func(t *proto.TaskConfig) { t.User = "nomad-4294967295" }, "nomad-4294967295"},
	{"a variable with a NUL", func(t *proto.TaskConfig) { t.Env["BAD"] = "a\x00b" }, "BAD"},
	{"a variable with = in its name", func(t *proto.TaskConfig) { t.Env["A=B"] = "c" }, ""},
	{"a variable without a name", func(t *proto.TaskConfig) { t.Env[""] = "c" }, ""},
	{"more variables than a command takes", func(t *proto.TaskConfig) {
		for n := range 40 {
			t.Env[fmt.Sprint("LONG", n)] = strings.Repeat("x", 120000)
		}
	}, "too long for the kernel"},
	{"a volume that is not there", mount("/data", "/nonexistent/volume", ""), "nonexistent"},
	{"a volume by a relative path", mount("/data", "volume", ""), "volume"},
	{"a volume nowhere", mount("", "/srv", ""), ""},
	{"a volume by a mode nobody knows", mount("/data", "/srv", "sideways"), "sideways"},
	{"a device nobody has", func(t *proto.TaskConfig) {
		t.Devices = []*proto.Device{{TaskPath: "/dev/x", HostPath: "/dev/nonexistent", CgroupPermissions: "rw"}}
	}, "nonexistent"},
	{"a device with rights nobody knows", func(t *proto.TaskConfig) {
		t.Devices = []*proto.Device{{TaskPath: "/dev/full", HostPath: "/dev/full", CgroupPermissions: "rwz"}}
	}, "'z'"},
	{"a network namespace that is not there", func(t *proto.TaskConfig) {
		t.NetworkIsolationSpec = &proto.NetworkIsolationSpec{Mode: proto.NetworkIsolationSpec_GROUP, Path: "/nonexistent/netns"}
	}, "nonexistent"},
	{"a file for a network namespace", func(t *proto.TaskConfig) {
		t.NetworkIsolationSpec = &proto.NetworkIsolationSpec{Mode: proto.NetworkIsolationSpec_GROUP, Path: "/etc/passwd"}
	}, "/etc/passwd"},
	{"a network mode nobody knows", func(t *proto.TaskConfig) {
		t.NetworkIsolationSpec = &proto.NetworkIsolationSpec{Mode: 99, Path: "/nonexistent/netns"}
	}, ""},
	{"a resolver that is two lines", func(t *proto.TaskConfig) {
		t.Dns = &proto.DNSConfig{Servers: []string{"1.1.1.1\nnameserver 6.6.6.6"}}
	}, ""},
	{"a config that is empty", config(), "command"},
	{"a config that is nil", config(0xc0), "command"},
	{"a config that breaks off", config(0x81, 0xa7, 'c', 'o', 'm'), "failed to decode driver config"},
	{"a config of a byte that is never used", config(0xc1), "failed to decode driver config"},
	{"a config that is an array", config(0x91, 0xa1, 'x'), "expected a msgpack map"},
	{"a config with something behind it", config(0x80, 0x80), "failed to decode driver config"},
	{"a config that promises four billion entries", config(0xdf, 0xff, 0xff, 0xff, 0xff), "failed to decode driver config"},
	{"a config that promises a string of four billion bytes", config(0x81, 0xa7, 'c', 'o', 'm', 'm', 'a', 'n', 'd', 0xdb, 0xff, 0xff, 0xff, 0xff), "failed to decode driver config"},
	{"a config that promises a list of four billion", config(0x81, 0xa4, 'a', 'r', 'g', 's', 0xdd, 0xff, 0xff, 0xff, 0xff), "failed to decode driver config"},
	{"a config that is an abyss", config(append([]byte{0x81, 0xa1, 'a'}, bytes.Repeat([]byte{0x91}, 1<<20)...)...), "failed to decode driver config"},
	{"a config with an unknown value of cty's", config(0x81, 0xa7, 'c', 'o', 'm', 'm', 'a', 'n', 'd', 0xd4, 0, 0), "failed to decode driver config"},
	{"a config whose command is nil", config(0x81, 0xa7, 'c', 'o', 'm', 'm', 'a', 'n', 'd', 0xc0), "command"},
	{"a config whose command is a list", config(0x81, 0xa7, 'c', 'o', 'm', 'm', 'a', 'n', 'd', 0x90), "command: string required"},
	{"a config whose command is empty", config(0x81, 0xa7, 'c', 'o', 'm', 'm', 'a', 'n', 'd', 0xa0), "command"},
	{"a config whose command has a NUL", config(0x81, 0xa7, 'c', 'o', 'm', 'm', 'a', 'n', 'd', 0xa3, '/', 0, 'x'), ""},
	{"a config whose text is none", config(0x81, 0xa7, 'c', 'o', 'm', 'm', 'a', 'n', 'd', 0xa2, 0xff, 0xfe), "failed to decode driver config"},
	{"a config with an option nobody knows", config(0x81, 0xa6, 'c', 'o', 'm', 'a', 'n', 'd', 0xa1, 'x'), "comand"},
}

// A plugin to which messages go as they are changed on their way.
func (w *world) twisted(h *host, change func(request any)) (drivers.DriverPlugin, func(), error) {
	twist := func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		change(request)
		return invoke(ctx, method, request, reply, conn, options...)
	}
	conn, err := grpc.NewClient("unix:"+h.client.ReattachConfig().Addr.String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUnaryInterceptor(twist))
	if err != nil {
		return nil, nil, err
	}
	raw, err := drivers.NewDriverPlugin(nil, hclog.NewNullLogger()).GRPCClient(context.Background(), nil, conn)
	if err != nil {
		return nil, nil, err
	}
	return raw.(drivers.DriverPlugin), func() { conn.Close() }, nil
}

// Whatever is sent: an error in words, soon, nothing left, and the plugin is there.
func (c checks) badInput(h *host) {
	for _, twist := range twists {
		c.check("a start with "+twist.what, c.twist(h, twist))
	}
	c.check("without any task", c.nothing(h))
	c.absurd(h)
	c.check("the plugin is there and quick after all that", quick(h))
	if strings.Contains(h.lines.String(), "panicked") {
		c.check("nothing panicked", errors.New(h.lines.String()))
	}
}

func (c checks) twist(h *host, tw twist) error {
	t, err := c.world.task(h, c.driver, map[string]any{"command": "/bin/true"})
	if err != nil {
		return err
	}
	driver, closed, err := c.world.twisted(h, func(request any) {
		if start, is := request.(*proto.StartTaskRequest); is {
			tw.change(start.Task)
		}
	})
	if err != nil {
		return err
	}
	defer closed()
	started := time.Now()
	_, _, err = driver.StartTask(t.config)
	if took := time.Since(started); took > patience(5*time.Second) {
		return fmt.Errorf("it took %v", took)
	}
	if err != nil {
		return errors.Join(c.inWords(err, tw.says), c.gone(t))
	}
	if tw.says != "" {
		err = errors.New("it starts")
	}
	_, waited := h.wait(t.config.ID, patience(15*time.Second))
	return errors.Join(err, waited, c.destroyed(h, t))
}

// As a Go driver's: a plain error that whoever reads it can do something with.
func (c checks) inWords(err error, says string) error {
	if given, is := status.FromError(err); !is || given.Code() != codes.Unknown || len(given.Message()) < 10 || !strings.Contains(given.Message(), says) {
		return fmt.Errorf("it says %.300v", err)
	}
	return nil
}

func (c checks) nothing(h *host) error {
	driver, closed, err := c.world.twisted(h, func(request any) {
		switch request := request.(type) {
		case *proto.StartTaskRequest:
			request.Task = nil
		case *proto.RecoverTaskRequest:
			request.Handle = nil
		}
	})
	if err != nil {
		return err
	}
	defer closed()
	_, _, started := driver.StartTask(&drivers.TaskConfig{Resources: resources("")})
	recovered := driver.RecoverTask(&drivers.TaskHandle{Config: &drivers.TaskConfig{Resources: resources("")}})
	return errors.Join(c.inWords(started, ""), c.inWords(recovered, ""))
}

// Numbers and names that make no sense, to a task that runs.
func (c checks) absurd(h *host) {
	t, _, err := c.start(h, "/bin/sleep", []string{"600"})
	if !c.check("a sleep starts that is asked absurd things", err) {
		return
	}
	for _, signal := range []string{"SIG", "-1", "65", "99999999999", "SIGKILL\x00", "Sig Term", strings.Repeat("A", 1<<16)} {
		c.check(fmt.Sprintf("the signal %.12q is an error", signal), unless(h.driver.SignalTask(t.config.ID, signal), "it was sent"))
	}
	for what, command := range map[string][]string{"no command": {}, "an empty command": {""}, "a command with a NUL": {"/bin/true", "a\x00b"}, "a command that is not there": {"/no/such/command"}, "more words than a command takes": {"/bin/true", strings.Repeat("x", 1<<22)}} {
		_, err := h.driver.ExecTask(t.config.ID, command, patience(5*time.Second))
		c.check(what+" beside it is an error", unless(err, "it ran"))
	}
	for _, interval := range []time.Duration{math.MinInt64, -1, 1, math.MaxInt64} {
		ctx, cancel := context.WithTimeout(context.Background(), patience(5*time.Second))
		samples, err := h.driver.TaskStats(ctx, t.config.ID, interval)
		if err == nil && <-samples == nil {
			err = errors.New("nothing is told")
		}
		cancel()
		c.check(fmt.Sprintf("usage each %d ns", interval), err)
	}
	result, err := h.driver.ExecTask(t.config.ID, []string{"/bin/echo", "x"}, math.MaxInt64)
	if err == nil && string(result.Stdout) != "x\n" {
		err = fmt.Errorf("it prints %q", result.Stdout)
	}
	c.check("a command with three centuries of time", err)
	_, err = c.pid(h, t)
	c.check("the task is none the worse", err)
	c.check("a stop with three centuries of time", h.driver.StopTask(t.config.ID, math.MaxInt64, "SIGTERM"))
	c.check("ends it at once", c.exits(h, t, 143, 15))
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	t, _, err = c.start(h, "/bin/sleep", []string{"600"})
	c.check("another sleep", err)
	c.check("a stop with less than no time", h.driver.StopTask(t.config.ID, -time.Hour, "SIGTERM"))
	result2, err := h.wait(t.config.ID, patience(5*time.Second))
	if err == nil && result2.Successful() {
		err = errors.New("it was successful")
	}
	c.check("ends it as well", err)
	c.check("destroying it leaves nothing", c.destroyed(h, t))
}
