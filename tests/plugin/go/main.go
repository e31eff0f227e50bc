// A host for encamp's plugin that is no Nomad agent and does what one does: it starts the program over go-plugin, configures it through
// Nomad's own schema code, builds directories, pipes and cgroups as Nomad's client does, and runs tasks of both drivers.
//
//	smoke PATH-OF-ENCAMP [DRIVER…]
//
// One line per check, then "N passed, N failed". Needs root.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: smoke PATH-OF-ENCAMP [DRIVER…]")
		os.Exit(2)
	}
	names := os.Args[2:]
	if len(names) == 0 {
		names = []string{"exec", "exec2"}
	}
	tally := &tally{}
	for _, name := range names {
		smoke(tally, name, os.Args[1])
	}
	fmt.Printf("%d passed, %d failed\n", tally.passed, tally.failed)
	if tally.failed > 0 {
		os.Exit(1)
	}
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

type tally struct {
	driver         string
	passed, failed int
}

// Counts a check and says how it went.
func (t *tally) check(what string, err error) bool {
	if err != nil {
		t.failed++
		fmt.Printf("FAIL  %-5s  %s: %v\n", t.driver, what, err)
		return false
	}
	t.passed++
	fmt.Printf("ok    %-5s  %s\n", t.driver, what)
	return true
}
