package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/nomad/plugins/drivers"
	"github.com/hashicorp/nomad/plugins/drivers/proto"
)

// Commands beside a running task.
func (c checks) entered(h *host, t *task) {
	result, err := h.driver.ExecTask(t.config.ID, []string{"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}, patience(5*time.Second))
	if err == nil && (result.ExitResult.ExitCode != 3 || string(result.Stdout) != "out\nerr\n") {
		err = fmt.Errorf("it gives %q and %+v", result.Stdout, result.ExitResult)
	}
	c.check("a command beside it gives its output and exit code", err)

	started := time.Now()
	_, err = h.driver.ExecTask(t.config.ID, []string{"/bin/sleep", "60"}, 500*time.Millisecond)
	if time.Since(started) > patience(5*time.Second) {
		err = nil
	}
	c.check("one that takes too long is killed and an error", unless(err, "it is not"))
	result, err = h.driver.ExecTask(t.config.ID, []string{"/bin/sh", "-c", "seq 1 3000; seq 3001 6000 >&2"}, patience(10*time.Second))
	if err == nil && (len(result.Stdout) != 4096 || !strings.HasSuffix(string(result.Stdout), "\n6000\n")) {
		err = fmt.Errorf("%d bytes, the last of them %q", len(result.Stdout), result.Stdout[max(0, len(result.Stdout)-20):])
	}
	c.check("of much output the last 4 KiB are kept", err)
	for _, dialogue := range dialogues {
		c.check("over a stream: "+dialogue.what, c.hold(h, t, dialogue))
	}
	c.check("over a stream: ten megabytes arrive whole", c.flood(h, t))
	c.check("over a stream: a caller that gives up ends the command", c.givesUp(h, t))
}

type dialogue struct {
	what    string
	command string
	tty     bool
	says    []*drivers.ExecTaskStreamingRequestMsg
	stdout  string
	stderr  string
	code    int32
}

func typed(text string, end bool) *drivers.ExecTaskStreamingRequestMsg {
	return &drivers.ExecTaskStreamingRequestMsg{Stdin: &proto.ExecTaskStreamingIOOperation{Data: []byte(text), Close: end}}
}

func sized(height, width int32) *drivers.ExecTaskStreamingRequestMsg {
	size := &proto.ExecTaskStreamingRequest_TerminalSize{Height: height, Width: width}
	return &drivers.ExecTaskStreamingRequestMsg{TtySize: size}
}

var dialogues = []dialogue{
	{what: "both streams and the exit code", command: "echo out; echo err >&2; exit 43", stdout: "out\n", stderr: "err\n", code: 43},
	{what: "output in pieces", command: "for n in 1 2 3; do echo $n; sleep 0.1; done", stdout: "1\n2\n3\n"},
	{what: "input to its end", command: "cat", says: []*drivers.ExecTaskStreamingRequestMsg{typed("hello ", false), {}, typed("world", true)}, stdout: "hello world"},
	{what: "a heartbeat is nothing", command: "echo done", says: []*drivers.ExecTaskStreamingRequestMsg{{}, {}}, stdout: "done\n"},
	{what: "no terminal unless asked for", command: "test -t 0 || test -t 1 || echo none", stdout: "none\n"},
	{what: "stty is told so", command: "stty size 2>&1 | grep -o 'Inappropriate ioctl for device'", stdout: "Inappropriate ioctl for device\n"},
	{what: "a terminal of the size that was said", command: "sleep 0.3; stty size", tty: true, says: []*drivers.ExecTaskStreamingRequestMsg{sized(100, 100)}, stdout: "100 100\r\n"},
	{what: "a terminal ends with its leader", command: "sleep 300 & echo leader", tty: true, stdout: "leader\r\n"},
	{what: "a terminal echoes what is typed", command: "read line; echo got $line", tty: true, says: []*drivers.ExecTaskStreamingRequestMsg{typed("x\n", false)}, stdout: "x\r\ngot x\r\n"},
	{what: "death by signal is 128 and the signal", command: "kill -KILL $$", code: 137},
}

// One call's two directions.
type stream struct {
	ctx            context.Context
	says           []*drivers.ExecTaskStreamingRequestMsg
	stdout, stderr bytes.Buffer
	exited         bool
	code           int32
	after          bool
}

func (s *stream) Send(m *drivers.ExecTaskStreamingResponseMsg) error {
	s.after = s.after || s.exited
	if m.Stdout != nil {
		s.stdout.Write(m.Stdout.Data)
	}
	if m.Stderr != nil {
		s.stderr.Write(m.Stderr.Data)
	}
	if m.Exited {
		s.exited, s.code = true, m.Result.ExitCode
	}
	return nil
}

func (s *stream) Recv() (*drivers.ExecTaskStreamingRequestMsg, error) {
	if len(s.says) == 0 {
		<-s.ctx.Done()
		return nil, io.EOF
	}
	next := s.says[0]
	s.says = s.says[1:]
	return next, nil
}

func (c checks) call(h *host, t *task, command string, tty bool, says []*drivers.ExecTaskStreamingRequestMsg, limit time.Duration) (*stream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s := &stream{ctx: ctx, says: says}
	raw, ok := h.driver.(drivers.ExecTaskStreamingRawDriver)
	if !ok {
		return nil, errors.New("the client cannot do it")
	}
	return s, raw.ExecTaskStreamingRaw(ctx, t.config.ID, []string{"/bin/sh", "-c", command}, tty, s)
}

func (c checks) hold(h *host, t *task, d dialogue) error {
	s, err := c.call(h, t, d.command, d.tty, d.says, patience(10*time.Second))
	switch {
	case err != nil:
		return err
	case !s.exited || s.after:
		return errors.New("its end is not the last message")
	case s.stdout.String() != d.stdout || s.stderr.String() != d.stderr || s.code != d.code:
		return fmt.Errorf("it gives %q, %q and %d", s.stdout.String(), s.stderr.String(), s.code)
	}
	return nil
}

func (c checks) flood(h *host, t *task) error {
	s, err := c.call(h, t, "head -c 10485760 /dev/zero", false, nil, patience(30*time.Second))
	if err == nil && (s.stdout.Len() != 10<<20 || s.code != 0) {
		err = fmt.Errorf("%d bytes came, and exit code %d", s.stdout.Len(), s.code)
	}
	return err
}

func (c checks) givesUp(h *host, t *task) error {
	before, err := c.world.cgroups.pids(cgroupName(t))
	if err != nil {
		return err
	}
	if _, err := c.call(h, t, "sleep 301 & sleep 302", false, nil, time.Second); err == nil || !strings.Contains(err.Error(), "deadline") && !strings.Contains(err.Error(), "cancel") {
		return fmt.Errorf("the call ended with %v", err)
	}
	for range 30 * slower {
		after, err := c.world.cgroups.pids(cgroupName(t))
		if err != nil || len(after) <= len(before) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("processes of it are left")
}
