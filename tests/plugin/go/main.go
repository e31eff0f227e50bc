// A host for encamp's plugin that is no Nomad agent and does what one does: it starts the program over go-plugin, configures it through
// Nomad's own schema code, builds directories, pipes and cgroups as Nomad's client does, and runs tasks of both drivers.
//
//	nomad-host PATH-OF-ENCAMP [DRIVER…]
//
// One line per check, in the form of Rust's test harness, so that whoever reads the suites' results reads these too. Needs root.
//
// SMOKE_MANY      how often the plugin is killed, and how many tasks are recovered (200)
// SMOKE_CALLERS   how many wait for one task (1000)
// SMOKE_PATIENCE  how many times longer than usual everything may take (1)
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// What a machine that is slow has less of.
var (
	many    = number("SMOKE_MANY", 200)
	callers = number("SMOKE_CALLERS", 1000)
	slower  = number("SMOKE_PATIENCE", 1)
)

func number(name string, otherwise int) int {
	if given, err := strconv.Atoi(os.Getenv(name)); err == nil && given > 0 {
		return given
	}
	return otherwise
}

// How long something may take here.
func patience(usual time.Duration) time.Duration {
	return usual * time.Duration(slower)
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: nomad-host PATH-OF-ENCAMP [DRIVER…]")
		os.Exit(2)
	}
	names := os.Args[2:]
	if len(names) == 0 {
		names = []string{"exec", "exec2"}
	}
	tally := &tally{seen: map[string]int{}}
	for _, name := range names {
		smoke(tally, name, os.Args[1])
	}
	os.Exit(tally.conclude())
}

// Runs every check of one driver in a world of its own.
func smoke(tally *tally, name, encamp string) {
	tally.driver = name
	world, err := newWorld(name, encamp)
	if err != nil {
		tally.check("a world to run in", err)
		return
	}
	defer func() {
		tally.check("nothing is left in the way when the world is taken down", world.close())
	}()
	checks{tally, world}.all()
}
