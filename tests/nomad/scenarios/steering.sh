# shellcheck shell=bash
# What is done to a task while it runs, beside what s_service does: terminals, logs that are followed, files, checks.

s_steering() {
    # The client sends both sizes beside what is typed: neither is there at once.
    local sizes='until_size() { for _ in $(seq 100); do test "$(stty size)" = "$1" && break; sleep 0.2; done; stty size; }
        until_size "24 80"; echo ready; read -r _; until_size "33 99"'
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" "$jobs/steering.nomad.hcl"
        check "$driver: steering runs" allocated steering running
        until_true 10 log_has "$alloc" '^line 1$'
        same "$driver: a terminal has its size, and gets the next one" \
            "$(python3 "$here/terminal.py" "$nomad" alloc exec -i -t "$alloc" /bin/sh -c "$sizes" 2>&1 | grep -xE '[0-9]+ [0-9]+' | tr '\n' ',')" \
            '24 80,33 99,'
        followed "$driver"
        has "$driver: alloc fs lists" "$("$nomad" alloc fs "$alloc" task/local 2>&1)" 'kept$'
        same "$driver: alloc fs shows a file" "$("$nomad" alloc fs "$alloc" task/local/kept 2>&1)" 'what was kept'
        has "$driver: and its size" "$("$nomad" alloc fs -stat "$alloc" task/local/kept 2>&1)" '14 *B'
        hasnt "$driver: but no secret" "$("$nomad" alloc fs "$alloc" task/secrets/word 2>&1)" 'hidden'
        purge steering
    done
}

# Logs that are followed come as they are written, and what came before with them.
followed() {
    local reader
    "$nomad" alloc logs -f "$alloc" >"$work/followed" 2>&1 &
    reader=$!
    check "$1: logs are followed" until_true 30 eval "[ \$(grep -c '^line' '$work/followed') -gt 12 ]"
    kill "$reader"
    wait "$reader" 2>/dev/null
    same "$1: from the first line, none lost" "$(grep '^line' "$work/followed" | head -12 | tail -1)" 'line 12'
    has "$1: or from the end" "$(timeout 20 "$nomad" alloc logs -tail -n 1 "$alloc" 2>&1)" '^line [0-9]{2,}$'
}

# Checks of services: those that the client makes itself, and those that it has the driver run in the task.
s_checks() {
    python3 "$here/consul.py" $((http + 8)) "$work/reports" &
    local consul=$!
    servers+=("$consul")
    agent_signal TERM
    cat >"$work/consul.hcl" <<E2
consul {
  address          = "127.0.0.1:$((http + 8))"
  auto_advertise   = false
  server_auto_join = false
  client_auto_join = false
}
E2
    agent_options=(-config "$work/consul.hcl")
    agent_start || return
    until_true 60 eval "'$nomad' node status -self -json | jq -e '.Attributes[\"consul.version\"]'"
    for driver in "${drivers[@]}"; do
        : >"$work/reports"
        run -var driver="$driver" "$jobs/checks.nomad.hcl"
        check "$driver: a server with a check runs" allocated checks running served
        check "$driver: the client's own check of it succeeds" until_true 60 eval "'$nomad' alloc checks -json '$alloc' | jq -e '[.[]][0].Status == \"success\"'"
        check "$driver: a task with a script check runs" allocated checks running scripted
        check "$driver: a script check runs beside the task and is told" until_true 60 grep -q '^passing in checks/task as ' "$work/reports"
        has "$driver: as the task's user, in its directories" "$(cat "$work/reports")" "^passing in checks/task as $(script_user "$driver")"
        "$nomad" alloc exec -i=false -t=false "$alloc" /bin/sh -c 'echo 1 > $NOMAD_TASK_DIR/code' 2>&1
        check "$driver: code 1 is a warning" until_true 60 grep -q '^warning' "$work/reports"
        "$nomad" alloc exec -i=false -t=false "$alloc" /bin/sh -c 'echo 9 > $NOMAD_TASK_DIR/code' 2>&1
        check "$driver: any other is critical" until_true 60 grep -q '^critical in checks/task' "$work/reports"
        "$nomad" alloc exec -i=false -t=false "$alloc" /bin/sh -c 'echo hang > $NOMAD_TASK_DIR/code' 2>&1
        check "$driver: one that takes too long, too" until_true 60 grep -qiE '^critical .*(deadline|timed|time)' "$work/reports"
        # The check comes again and again: the next ones end by themselves.
        "$nomad" alloc exec -i=false -t=false "$alloc" /bin/sh -c 'echo 0 > $NOMAD_TASK_DIR/code' 2>&1
        check "$driver: and nothing stays of it" until_true 30 eval "! pgrep -f 'sleep 724646$'"
        purge checks
    done
    agent_signal TERM
    agent_options=()
    kill "$consul"
    agent_start
}

script_user() { if [ "$1" = exec ]; then echo nobody; else echo 'nomad-8[0-9]{4}'; fi; }
