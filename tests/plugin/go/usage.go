package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hashicorp/nomad/plugins/drivers"
)

// How often usage is asked for.
const every = 300 * time.Millisecond

// What a task that burns its processor is said to use, until it ends.
func (c checks) burner(h *host) {
	t, _, err := c.start(h, "/bin/sh", []string{"-c", "while :; do :; done"})
	if !c.check("a task that burns a processor starts", err) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience(30*time.Second))
	defer cancel()
	samples, err := h.driver.TaskStats(ctx, t.config.ID, every)
	if !c.check("its usage is told", err) {
		return
	}
	c.check("it uses its processor, and memory", c.burns(samples))
	c.check("it is stopped", h.driver.StopTask(t.config.ID, 0, "SIGTERM"))
	c.check("with the task the telling ends, and well", drained(ctx, samples))
	c.check("destroying it leaves nothing", c.destroyed(h, t))
	unknown, err := h.driver.TaskStats(ctx, t.config.ID, every)
	c.check("of a task that is not known nothing is told, and well", errors.Join(err, drained(ctx, unknown)))
}

// The first sample is since the start, so two that follow each other behind it are looked at.
func (c checks) burns(samples <-chan *drivers.TaskResourceUsage) error {
	<-samples
	second, third := <-samples, <-samples
	// A machine that does much else leaves it nothing for a while.
	for n := 0; n < 60 && third != nil && third.ResourceUsage.CpuStats.Percent < 1; n++ {
		second, third = third, <-samples
	}
	if second == nil || third == nil {
		return errors.New("it ends before the task")
	}
	// exec2 has a quota.
	cpu := third.ResourceUsage.CpuStats
	if cpu.Percent < 1 || cpu.Percent > 110 || cpu.TotalTicks <= 0 {
		return fmt.Errorf("processor: %+v", cpu)
	}
	if sum := cpu.UserMode + cpu.SystemMode; math.Abs(sum-cpu.Percent) > 25 {
		return fmt.Errorf("its parts are not the whole: %+v", cpu)
	}
	memory := third.ResourceUsage.MemoryStats
	if memory.Usage == 0 || memory.Usage > 128<<20 || !strings.Contains(strings.Join(memory.Measured, " "), "RSS") {
		return fmt.Errorf("memory: %+v", memory)
	}
	if third.ResourceUsage.DeviceStats != nil || len(third.Pids) == 0 {
		return fmt.Errorf("processes: %+v", third)
	}
	if apart := time.Duration(third.Timestamp - second.Timestamp); apart < every*8/10 {
		return fmt.Errorf("two samples are %v apart", apart)
	}
	return nil
}

// Whether a stream comes to an end that is none by error.
func drained(ctx context.Context, samples <-chan *drivers.TaskResourceUsage) error {
	for range samples {
	}
	return ctx.Err()
}
