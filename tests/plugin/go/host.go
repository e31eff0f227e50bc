package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/nomad/client/lib/numalib"
	"github.com/hashicorp/nomad/plugins/base"
	"github.com/hashicorp/nomad/plugins/drivers"
)

// One process of the plugin and the connection to it.
type host struct {
	client *plugin.Client
	driver drivers.DriverPlugin
	lines  *lines
}

// What the plugin writes to standard error.
type lines struct {
	sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.Buffer.Write(p)
}

// Whether each line is what hclog on the other side takes without falling over.
func (l *lines) wellFormed() error {
	l.Lock()
	defer l.Unlock()
	for _, line := range bytes.Split(bytes.TrimSpace(l.Bytes()), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var object map[string]string
		if err := json.Unmarshal(line, &object); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", object["@timestamp"]); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		if object["@message"] == "" || hclog.LevelFromString(object["@level"]) == hclog.NoLevel {
			return fmt.Errorf("%q has no message or no level", line)
		}
	}
	return nil
}

// Starts the plugin as an agent does.
func (w *world) launch() (*host, error) {
	lines := &lines{}
	logger := hclog.New(&hclog.LoggerOptions{Name: "smoke", Level: hclog.Error, Output: os.Stderr})
	cmd := exec.Command(w.plugin)
	cmd.Env = w.environ()
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: base.Handshake,
		Plugins: map[string]plugin.Plugin{
			base.PluginTypeBase:   &base.PluginBase{},
			base.PluginTypeDriver: drivers.NewDriverPlugin(nil, logger),
		},
		Cmd:              cmd,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
		Stderr:           lines,
	})
	rpc, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, fmt.Errorf("launch: %w; it said: %s", err, lines.String())
	}
	raw, err := rpc.Dispense(base.PluginTypeDriver)
	if err != nil {
		client.Kill()
		return nil, fmt.Errorf("dispense: %w", err)
	}
	return &host{client, raw.(drivers.DriverPlugin), lines}, nil
}

// Starts the plugin and configures it for work.
func (w *world) launchConfigured() (*host, error) {
	h, err := w.launch()
	if err != nil {
		return nil, err
	}
	config, err := w.operatorConfig(h)
	if err == nil {
		err = h.driver.SetConfig(config)
	}
	if err != nil {
		h.client.Kill()
		return nil, err
	}
	return h, nil
}

// The operator's configuration with the machine's topology, through Nomad's own decoding.
func (w *world) operatorConfig(h *host) (*base.Config, error) {
	spec, err := h.driver.ConfigSchema()
	if err != nil {
		return nil, err
	}
	encoded, err := encode(spec, w.operator)
	if err != nil {
		return nil, err
	}
	topology := numalib.Scan(numalib.PlatformScanners(false))
	agent := &base.AgentConfig{Driver: &base.ClientDriverConfig{Topology: topology}}
	return &base.Config{ApiVersion: "v0.1.0", PluginConfig: encoded, AgentConfig: agent}, nil
}

func (h *host) pid() int {
	return h.client.ReattachConfig().Pid
}

// Ends the plugin as an agent that stops does, and says whether it took it well.
func (h *host) stop() error {
	socket := h.client.ReattachConfig().Addr.String()
	started := time.Now()
	h.client.Kill()
	if took := time.Since(started); took > patience(2*time.Second) {
		return fmt.Errorf("the plugin took %v to end", took)
	}
	if _, err := os.Stat(filepath.Dir(socket)); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is still there", filepath.Dir(socket))
	}
	return nil
}

// Ends the plugin as nothing else does.
func (h *host) murder() error {
	defer os.RemoveAll(filepath.Dir(h.client.ReattachConfig().Addr.String()))
	if err := syscall.Kill(h.pid(), syscall.SIGKILL); err != nil {
		return err
	}
	deadline := time.Now().Add(patience(3 * time.Second))
	for !h.client.Exited() {
		if time.Now().After(deadline) {
			return errors.New("the plugin's pipes did not close within 3 s of its death")
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.client.Kill()
	return nil
}

// Waits for a task's end, but not for ever.
func (h *host) wait(id string, limit time.Duration) (*drivers.ExitResult, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	results, err := h.driver.WaitTask(ctx, id)
	if err != nil {
		return nil, err
	}
	result := <-results
	if result == nil {
		return nil, errors.New("no result")
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("the task did not end within %v", limit)
	}
	return result, result.Err
}
