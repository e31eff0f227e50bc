package main

import "fmt"

// The checks that were made. A name that comes again gets a number: each is in a list, by name.
type tally struct {
	driver   string
	passed   int
	failures []string
	seen     map[string]int
}

// Counts a check and says how it went.
func (t *tally) check(what string, err error) bool {
	name := t.driver + ": " + what
	t.seen[name]++
	if n := t.seen[name]; n > 1 {
		name = fmt.Sprintf("%s (%d)", name, n)
	}
	if err != nil {
		t.failures = append(t.failures, fmt.Sprintf("%s: %v", name, err))
		fmt.Printf("test %s ... FAILED\n", name)
		return false
	}
	t.passed++
	fmt.Printf("test %s ... ok\n", name)
	return true
}

// Says why what failed did, and with which exit code this ends: the harness's.
func (t *tally) conclude() int {
	verdict, code := "ok", 0
	if len(t.failures) > 0 {
		verdict, code = "FAILED", 101
		fmt.Println("\nfailures:")
	}
	for _, failure := range t.failures {
		fmt.Println(failure)
	}
	fmt.Printf("\ntest result: %s. %d passed; %d failed\n", verdict, t.passed, len(t.failures))
	return code
}
