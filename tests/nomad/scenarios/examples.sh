# shellcheck shell=bash
# Each job of examples/ under a real agent, against the same .expected that the command line is held to.

s_examples() {
    if ! [ -d "$repository/examples" ]; then
        leave_out "examples: they are not here"
        return
    fi
    agent_signal TERM
    # The node's configuration that some of them are run with is one of an agent's, too.
    agent_options=(-config "$repository/examples/encamp.d")
    agent_start || return
    local file
    for file in "$repository"/examples/*.nomad.hcl; do example "$(basename "$file" .nomad.hcl)"; done
    agent_signal TERM
    agent_options=()
    agent_start
}

expectation() { python3 "$here/expected.py" get "$repository/examples/$1.expected" "$2"; }

# example NAME: under each driver that it is for.
example() {
    local name=$1 needed drivers driver named
    for needed in $(expectation "$name" needs) $(sed -n 's/^ *command *= "\(\/[^"$]*\)"$/\1/p' "$repository/examples/$name.nomad.hcl"); do
        if ! [ -x "/usr/bin/${needed#/usr/bin/}" ] && ! [ -x "$needed" ]; then
            leave_out "$name: there is no $needed here"
            return
        fi
    done
    named=$(grep -oE '= "exec2?"$' "$repository/examples/$name.nomad.hcl" | head -1 | cut -d'"' -f2)
    drivers=$(expectation "$name" drivers)
    for driver in ${drivers:-$named}; do
        sed "s/= \"$named\"\$/= \"$driver\"/" "$repository/examples/$name.nomad.hcl" >"$work/$name.nomad.hcl"
        example_under "$driver" "$name"
    done
}

example_under() {
    local driver=$1 name=$2 variables=() server=
    if [ -n "$(expectation "$name" serves)" ]; then
        python3 -m http.server $((http + 9)) --bind 127.0.0.1 --directory "$repository/examples/files" >/dev/null 2>&1 &
        server=$!
        servers+=("$server")
        until_true 10 curl -s -o /dev/null "http://127.0.0.1:$((http + 9))/"
        variables=(-var "server=http://127.0.0.1:$((http + 9))")
    fi
    run "${variables[@]}" "$work/$name.nomad.hcl"
    example_ends "$driver" "$name"
    same "$driver: example $name: its exit code" "$(exit_codes "$alloc")" "$(expectation "$name" exit | grep . || echo 0)"
    check "$driver: example $name: its output" until_true 10 as_expected "$name"
    as_expected "$name"
    purge "$name"
    [ -z "$server" ] || kill "$server"
}

# Waits for the end, or brings it about where the reader would press Ctrl-C. The first allocation: a failed one may be placed again.
example_ends() {
    local driver=$1 name=$2 visit
    visit=$(expectation "$name" visit)
    if [ -n "$visit$(expectation "$name" 'stop after')" ]; then
        check "$driver: example $name runs" allocated "$name" running
        [ -z "$visit" ] || check "$driver: example $name answers" until_true 30 answers "${visit%% => *}" "${visit#* => }"
        "$nomad" job stop -detach "$name" >/dev/null
        check "$driver: example $name ends when it is stopped" allocated "$name" 'complete|failed'
    else
        check "$driver: example $name ends" allocated "$name" 'complete|failed'
    fi
}

answers() { curl --http1.0 -sf -m 5 "$1" | grep -qF -- "$2"; }

# The highest of all tasks' exit codes.
exit_codes() {
    "$nomad" alloc status -json "$1" |
        jq -r '[.TaskStates[].Events | [.[] | select(.Type == "Terminated")] | last | .ExitCode] | max'
}

as_expected() {
    local said=$work/said task
    rm -rf "$said"
    mkdir "$said"
    for task in $("$nomad" alloc status -json "$alloc" | jq -r '.TaskStates | keys[]'); do
        "$nomad" alloc logs -task "$task" "$alloc" >"$said/$task.stdout" 2>/dev/null
        "$nomad" alloc logs -stderr -task "$task" "$alloc" >"$said/$task.stderr" 2>/dev/null
    done
    python3 "$here/expected.py" check "$repository/examples/$1.expected" "$said"
}
