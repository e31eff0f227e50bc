#!/usr/bin/env bash
# Both plugins under a real Nomad agent: jobs of tests/nomad/jobs, scenario by scenario, one line each.
#
#   tests/nomad/run.sh [SCENARIO…]      as root; without a name all of them, in order
#
# ENCAMP_NOMAD   the nomad binary (default: nomad on PATH; without one this says so and ends with 77)
# ENCAMP         the encamp binary (default: target/release/encamp, or target/debug/encamp)
# ENCAMP_EXEC2   the original nomad-driver-exec2, for the scenario that moves over from it (left out without)
# ENCAMP_WORK    where everything is kept (default: a new directory, removed at the end)
# PATIENCE       how many times longer everything may take (default 1; an emulated machine needs 20)
#
# Wants bash, jq, curl, python3; java, CNI plugins and iptables for three of them.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
jobs=$here/jobs
nomad=${ENCAMP_NOMAD:-$(command -v nomad || true)}
patience=${PATIENCE:-1}
# Where everything takes long, asking is what takes longest.
pause=0.2
[ "$patience" = 1 ] || pause=1
drivers=(exec exec2)
system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
http=${ENCAMP_PORT:-24646}
passed=0 failed=0 left_out=0

if [ -z "$nomad" ]; then
    echo "NOT RUN: there is no nomad binary on PATH, and ENCAMP_NOMAD names none" >&2
    exit 77
fi
if [ "$(id -u)" != 0 ]; then
    echo "NOT RUN: the plugins need root" >&2
    exit 77
fi
for build in release debug; do
    [ -n "${ENCAMP:-}" ] || { [ -x "$repository/target/$build/encamp" ] && ENCAMP=$repository/target/$build/encamp; }
done
encamp=$(realpath "${ENCAMP:?no encamp binary: cargo build --release}")
work=${ENCAMP_WORK:-$(mktemp -d /var/tmp/encamp-nomad-XXXXXX)}
export NOMAD_CLI_SHOW_HINTS=0 NOMAD_ADDR=http://127.0.0.1:$http ENCAMP_STATE_DIR=$work/state

# ---------------------------------------------------------------- what is said

ok() { passed=$((passed + 1)); printf 'ok    %s\n' "$*"; }
fail() { failed=$((failed + 1)); printf 'FAIL  %s\n' "$*"; }
leave_out() { left_out=$((left_out + 1)); printf 'LEFT OUT  %s\n' "$*"; }

# check WHAT COMMAND…: whether the command succeeds.
check() {
    local what=$1
    shift
    if "$@"; then ok "$what"; else fail "$what"; fi
}

# same WHAT GOT WANTED
same() {
    if [ "$2" = "$3" ]; then ok "$1"; else fail "$1: got '$2', wanted '$3'"; fi
}

# has WHAT TEXT PATTERN: an extended regular expression in a text.
has() {
    if grep -qE -- "$3" <<<"$2"; then ok "$1"; else fail "$1: no '$3' in: $(tail -c 600 <<<"$2")"; fi
}

# hasnt WHAT TEXT PATTERN
hasnt() {
    if grep -qE -- "$3" <<<"$2"; then fail "$1: '$3' is in: $(tail -c 600 <<<"$2")"; else ok "$1"; fi
}

# until_true SECONDS COMMAND…: waits for a command to succeed.
until_true() {
    local end=$((SECONDS + $1 * patience))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep "$pause"
    done
}

# ---------------------------------------------------------------- the agent

# configure [PLUGINS [CLIENT]]: plugin blocks and more of the client's; without them the usual ones.
configure() {
    local plugins=${1:-'plugin "exec" { config {} }
plugin "nomad-driver-exec2" {
  config {
    unveil_by_task = true
    unveil_paths   = ["r:/etc/mime.types"]
  }
}'}
    cat >"$work/agent.hcl" <<E2
data_dir   = "$work/data"
plugin_dir = "$work/plugins"
bind_addr  = "127.0.0.1"
log_level  = "DEBUG"
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}
ports {
  http = $http
  rpc  = $((http + 1))
  serf = $((http + 2))
}
server {
  enabled          = true
  bootstrap_expect = 1
  default_scheduler_config { memory_oversubscription_enabled = true }
}
client {
  enabled           = true
  network_interface = "lo"
  gc_disk_usage_threshold  = 99
  gc_inode_usage_threshold = 99
  cni_path          = "/usr/lib/cni"
  options = {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
    "user.denylist"        = "Administrator"
  }
  host_volume "scratch" { path = "$work/volume" }
  ${2:-}
}
telemetry { publish_allocation_metrics = true }
$plugins
E2
}

# install NAME PROGRAM: a plugin, in place of one that may be running.
install_plugin() {
    cp "$2" "$work/plugins/.new" && mv "$work/plugins/.new" "$work/plugins/$1"
}

# Processes of this script's own, for a scenario that does not come to its end.
servers=()

# What a scenario gives the agent beside that: flags, variables, a program that becomes it.
agent_options=() agent_environment=() agent_inside=()

agent_start() {
    # A secret of the agent's, which no task may see, and the PATH of a system service.
    env PATH=$system_path AGENT_SECRET=hunter2 "${agent_environment[@]}" setsid "${agent_inside[@]}" "$nomad" agent -config "$work/agent.hcl" "${agent_options[@]}" >>"$work/agent.log" 2>&1 </dev/null &
    agent=$!
    if until_true 60 node_ready; then return 0; fi
    fail "the agent gets ready; the end of its log:"
    tail -20 "$work/agent.log" >&2
    return 1
}

node_ready() {
    "$nomad" node status -self -json | jq -e '.Status == "ready" and .Drivers.exec2.Healthy and .Drivers.exec.Healthy'
}

agent_signal() {
    kill -"$1" "$agent" 2>/dev/null
    wait "$agent" 2>/dev/null
    until_true 10 agent_gone
}

agent_gone() { ! curl -s -m 1 "$NOMAD_ADDR/v1/agent/self"; }

# The processes of our plugins, told by the program they were started as.
plugin_pids() { pgrep -f "^$work/plugins/$1\$"; }

# ---------------------------------------------------------------- jobs

run() { "$nomad" job run -detach "$@" >"$work/run.out" 2>&1 || { cat "$work/run.out"; return 1; }; }

# By the API: a start of the command is half a second of an emulated processor.
newest() { curl -s "$NOMAD_ADDR/v1/job/$1/allocations" | jq -r --arg group "${2:-}" \
    '[.[] | select($group == "" or .TaskGroup == $group)] | sort_by(.CreateIndex) | last | .ID // empty'; }

status_of() { curl -s "$NOMAD_ADDR/v1/allocation/$1" | jq -r .ClientStatus; }

# in_status JOB STATUS [GROUP]: whether the newest allocation has it.
in_status() {
    local alloc
    alloc=$(newest "$1" "${3:-}") && [ -n "$alloc" ] && [[ "$(status_of "$alloc")" =~ ^($2)$ ]]
}

# Every allocation that was waited for: what is looked for when all is over.
declare -A seen=()

# allocated JOB STATUS [GROUP]: waits for that, and leaves the allocation in $alloc.
allocated() {
    until_true 60 in_status "$@"
    local reached=$?
    alloc=$(newest "$1" "${3:-}")
    seen[${alloc:-none}]=yes
    return $reached
}

# The descriptions of all events of an allocation.
events() { curl -s "$NOMAD_ADDR/v1/allocation/$1" | jq -r '.TaskStates[].Events[] | "\(.Type): \(.DisplayMessage)"'; }

exit_code() { curl -s "$NOMAD_ADDR/v1/allocation/$1" | jq -r '[.TaskStates[].Events[] | select(.Type == "Terminated")] | last | .ExitCode'; }

out() { "$nomad" alloc logs "$@" 2>&1; }

# What a log holds, once it holds it: the collector is another process.
log_has() { out "$1" | grep -qE -- "$2"; }

purge() { "$nomad" job stop -purge -detach "$1" >/dev/null 2>&1; until_true 60 gone "$1"; }

# By the API: the command takes a name for the beginning of one.
gone() { [ "$(curl -s -o /dev/null -w '%{http_code}' "$NOMAD_ADDR/v1/job/$1")" = 404 ]; }

# The pids in an allocation's cgroups.
pids_in_cgroup() {
    local files
    files=$(find /sys/fs/cgroup -path "*$1*" -name cgroup.procs 2>/dev/null)
    [ -n "$files" ] || return 1
    cat $files 2>/dev/null | sort -u
}

# The pid of an allocation's task, by its cgroup, of any hierarchy and whoever made it: the process that started first.
pid_in_cgroup() {
    local pid
    for pid in $(pids_in_cgroup "$1"); do
        # Behind the name, which may hold spaces, the 20th field is the start (proc(5)).
        sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | awk -v pid="$pid" '{print $20, pid}'
    done | sort -n | awk 'NR == 1 {print $2}'
}

# ---------------------------------------------------------------- scenarios

s_node() {
    local node
    node=$("$nomad" node status -self -json)
    same "exec is healthy" "$(jq -r .Drivers.exec.Healthy <<<"$node")" true
    same "exec2 is healthy" "$(jq -r .Drivers.exec2.Healthy <<<"$node")" true
    same "driver.exec is 1" "$(jq -r '.Attributes["driver.exec"]' <<<"$node")" 1
    same "driver.exec2.unveil.defaults" "$(jq -r '.Attributes["driver.exec2.unveil.defaults"]' <<<"$node")" true
    same "driver.exec2.unveil.tasks" "$(jq -r '.Attributes["driver.exec2.unveil.tasks"]' <<<"$node")" true
    has "ours took the place of the built-in exec" "$(grep 'detected plugin: name=exec ' "$work/agent.log")" 'plugin_version=v0\.[2-9]'
}

s_env() {
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" "$jobs/env.nomad.hcl"
        check "$driver: env completes" allocated env complete
        local text
        until_true 5 log_has "$alloc" NOMAD_TASK_NAME
        text=$(out "$alloc")
        has "$driver: a name is filled in" "$text" '^GREETING=hello from task$'
        has "$driver: PATH is there, and filled in" "$text" '^LONGER=/.*:/opt/bin$'
        hasnt "$driver: the agent's secret is not there" "$text" AGENT_SECRET
        hasnt "$driver: nor what the agent told the plugin" "$text" 'MAGIC_COOKIE|PLUGIN_M'
        if [ "$driver" = exec ]; then
            has "exec: nobody's task" "$text" '^USER=nobody$'
        else
            has "exec2: a user of its own" "$text" '^USER=nomad-8[0-9]{4}$'
        fi
        purge env
    done
}

s_http() {
    run "$jobs/http.nomad.hcl"
    check "http: runs" allocated http running
    check "http: the page is served" until_true 20 curl -sf -o "$work/page" http://127.0.0.1:8181/
    has "http: it is the template's" "$(cat "$work/page" 2>/dev/null)" 'Hello, user!'
    purge http
}

s_java() {
    local etc
    etc=$(find /etc -maxdepth 1 -name 'java*openjdk' | head -1)
    if ! command -v javac >/dev/null || [ -z "$etc" ]; then
        leave_out "java: no JDK of Debian's here"
        return
    fi
    run -var etcjava="$etc" "$jobs/java.nomad.hcl"
    check "java: completes" allocated java complete
    has "java: what was compiled runs" "$(out -task main "$alloc")" '^hello, java!$'
    purge java
}

s_ends() {
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" -var script='echo out; echo err >&2; exit 7' "$jobs/ends.nomad.hcl"
        check "$driver: exit 7 fails" allocated ends failed
        same "$driver: with its code" "$(exit_code "$alloc")" 7
        until_true 5 log_has "$alloc" out
        same "$driver: standard output" "$(out "$alloc")" out
        same "$driver: standard error" "$(out -stderr "$alloc")" err
        purge ends
        run -var driver="$driver" -var script='kill -TERM $$; sleep 5' "$jobs/ends.nomad.hcl"
        allocated ends 'failed|complete'
        local wanted=143
        # The task is PID 1 of exec, which does not hear itself: it sleeps and ends with 0.
        [ "$driver" = exec ] && wanted=0
        same "$driver: a signal is 128 and its number" "$(exit_code "$alloc")" "$wanted"
        purge ends
        run -var driver="$driver" "$jobs/missing.nomad.hcl"
        check "$driver: a command that does not exist fails" allocated missing failed
        has "$driver: and says so" "$(events "$alloc")" 'Driver Failure: .*no-such-command'
        has "$driver: for good" "$(events "$alloc")" 'Not Restarting: Error was unrecoverable'
        purge missing
    done
}

s_oom() {
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" -var memory=24 -var script='head -c 400000000 /dev/zero | tail || exit 1; echo never' "$jobs/ends.nomad.hcl"
        check "$driver: more memory than it has fails" allocated ends failed
        has "$driver: the event names the cause" "$(events "$alloc")" 'Driver: Out of memory.*24 MiB'
        has "$driver: and so does the end" "$("$nomad" alloc status -json "$alloc" | jq -r '.TaskStates[].Events[] | select(.Type == "Terminated") | .Details.oom_killed')" true
        hasnt "$driver: nothing came of it" "$(out "$alloc")" never
        purge ends
    done
}

# What encamp's doctor says of denials, and with it of kernel audit.
audit() { "$encamp" doctor 2>/dev/null | grep -E 'denials'; }

s_denied() {
    local before ground
    before=$(audit)
    if ! grep -q 'denials are named' <<<"$before"; then
        leave_out "denied: $before"
        return
    fi
    # Where the task's user passes: what the file's mode refuses is none of the sandbox's denials.
    ground=$(mktemp -d /var/tmp/encamp-denied-XXXXXX)
    chmod 755 "$ground"
    echo text >"$ground/file"
    chmod 644 "$ground/file"
    run -var driver=exec2 -var script="cat $ground/file; sleep 600" "$jobs/ends.nomad.hcl"
    check "exec2: a task that is denied a file runs on" allocated ends running
    until_true 20 eval "'$nomad' alloc status -json $alloc | grep -q 'The sandbox denied'"
    has "exec2: the event names the file and the line to add" "$(events "$alloc")" "Driver: The sandbox denied: read $ground/file\\. Add to the task's config: unveil = \\[\"r:$ground/file\"\\]"
    hasnt "exec2: kernel audit is on meanwhile" "$(audit)" 'audit is off'
    purge ends
    check "exec2: and as it was afterwards" until_true 20 eval '[ "$(audit)" = "$before" ] || [ -e /run/encamp-audit.lock ]'
    rm -rf "$ground"
}

s_service() {
    for driver in "${drivers[@]}"; do
        "$nomad" var put -force nomad/jobs/service word=first >/dev/null 2>&1
        run -var driver="$driver" "$jobs/service.nomad.hcl"
        check "$driver: service runs" allocated service running
        until_true 10 log_has "$alloc" '^up$'
        local shell='/bin/sh -c'
        same "$driver: alloc exec runs in it" "$("$nomad" alloc exec -i=false -t=false "$alloc" $shell 'cat local/told' 2>&1)" first
        "$nomad" alloc exec -i=false -t=false "$alloc" $shell 'exit 43' >/dev/null 2>&1
        same "$driver: and gives its code back" $? 43
        same "$driver: it reads what is typed" "$(echo typed | "$nomad" alloc exec -i -t=false "$alloc" /bin/cat 2>&1)" typed
        has "$driver: a terminal is one" "$(script -qec "$nomad alloc exec -i -t $alloc /bin/sh -c 'test -t 0 && echo is a terminal'" /dev/null </dev/null 2>&1)" 'is a terminal'
        "$nomad" alloc signal -s SIGUSR1 "$alloc" >/dev/null 2>&1
        check "$driver: alloc signal reaches it" until_true 10 log_has "$alloc" 'heard USR1'
        "$nomad" alloc exec -i=false -t=false "$alloc" $shell 'echo kept > /mnt/file' 2>&1
        same "$driver: a volume is the host's directory" "$(cat "$work/volume/file" 2>/dev/null)" kept
        check "$driver: a read-only one is" eval "! '$nomad' alloc exec -i=false -t=false '$alloc' $shell 'echo x > /srv/file' >/dev/null 2>&1"
        "$nomad" var put -force nomad/jobs/service word=second >/dev/null 2>&1
        check "$driver: change_mode signal" until_true 30 log_has "$alloc" 'heard HUP'
        same "$driver: what was rendered again is there" "$("$nomad" alloc exec -i=false -t=false "$alloc" $shell 'cat local/told' 2>&1)" second
        check "$driver: change_mode script" until_true 30 eval "'$nomad' alloc exec -i=false -t=false '$alloc' $shell 'cat \$NOMAD_ALLOC_DIR/script-ran' 2>&1 | grep -q 'ran by'"
        # Under exec2 the client puts it where the shared directory is mounted over it.
        [ "$driver" = exec2 ] ||
            same "$driver: a destination below alloc is in the shared directory" "$("$nomad" alloc exec -i=false -t=false "$alloc" $shell 'cat $NOMAD_ALLOC_DIR/scripted' 2>&1)" second
        check "$driver: usage is told" until_true 20 measured "$alloc"
        "$nomad" alloc restart "$alloc" >/dev/null 2>&1
        check "$driver: alloc restart" until_true 20 eval "[ \$('$nomad' alloc logs '$alloc' | grep -c '^up\$') = 2 ]"
        "$nomad" job stop -detach service >/dev/null
        check "$driver: stops" allocated service complete
        has "$driver: by its signal" "$(out "$alloc" | tail -1)" 'heard INT'
        same "$driver: with code 0" "$(exit_code "$alloc")" 0
        purge service
        rm -f "$work/volume/file"
    done
}

measured() {
    curl -sf "$NOMAD_ADDR/v1/client/allocation/$1/stats" |
        jq -e '.ResourceUsage.MemoryStats.Usage > 0 and (.ResourceUsage.CpuStats.Measured | index("Percent"))'
}

s_bridge() {
    if ! [ -x /usr/lib/cni/bridge ] || ! command -v iptables >/dev/null; then
        leave_out "bridge: no CNI plugins in /usr/lib/cni, or no iptables"
        return
    fi
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" "$jobs/bridge.nomad.hcl"
        check "$driver: bridge runs" allocated bridge running
        local address
        address=$("$nomad" alloc status -json "$alloc" | jq -r '.NetworkStatus.Address')
        check "$driver: the server answers in its own network" until_true 20 curl -sf -m 2 -o "$work/page" "http://$address:8080/"
        same "$driver: with the template's page" "$(cat "$work/page" 2>/dev/null)" 'hello over the bridge'
        has "$driver: it has its own devices" "$("$nomad" alloc exec -i=false -t=false "$alloc" /bin/cat /proc/net/dev 2>&1)" 'eth0'
        has "$driver: and its own resolver" "$("$nomad" alloc exec -i=false -t=false "$alloc" /bin/cat /etc/resolv.conf 2>&1)" '192\.0\.2\.53'
        purge bridge
    done
}

s_cores() {
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" "$jobs/cores.nomad.hcl"
        check "$driver: a task with a core completes" allocated cores complete
        until_true 5 log_has "$alloc" cores=
        local text
        text=$(out "$alloc")
        same "$driver: it runs on that core and no other" "$(awk '/Cpus_allowed_list/ {print $2}' <<<"$text")" "$(sed -n 's/^cores=//p' <<<"$text")"
        purge cores
    done
}

s_quiet() {
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" "$jobs/quiet.nomad.hcl"
        check "$driver: without logs it runs" allocated quiet complete
        same "$driver: to its end" "$("$nomad" alloc fs "$alloc" alloc/done 2>&1)" 'done'
        purge quiet
    done
}

s_stubborn() {
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" "$jobs/stubborn.nomad.hcl"
        check "$driver: stubborn runs" allocated stubborn running
        sleep 1
        "$nomad" job stop -detach stubborn >/dev/null
        check "$driver: is stopped all the same" allocated stubborn 'complete|failed'
        has "$driver: the event says how" "$(events "$alloc")" 'Driver: .*did not end in time after SIGINT and was killed'
        same "$driver: exit code 137" "$(exit_code "$alloc")" 137
        purge stubborn
    done
}

s_artifact() {
    mkdir -p "$work/served"
    printf '#!/bin/sh\necho "hello, $1"\n' >"$work/served/hello.sh"
    python3 -m http.server $((http + 9)) --bind 127.0.0.1 --directory "$work/served" >/dev/null 2>&1 &
    local server=$!
    servers+=("$server")
    until_true 10 curl -sf -o /dev/null "http://127.0.0.1:$((http + 9))/hello.sh"
    for driver in "${drivers[@]}"; do
        # exec makes it executable, exec2 never did.
        local command=local/hello.sh args='["world"]'
        [ "$driver" = exec2 ] && command=/bin/sh args='["local/hello.sh", "world"]'
        run -var driver="$driver" -var command="$command" -var args="$args" \
            -var source="http://127.0.0.1:$((http + 9))/hello.sh" "$jobs/artifact.nomad.hcl"
        check "$driver: an artifact is run" allocated artifact complete
        until_true 5 log_has "$alloc" hello
        same "$driver: with its arguments" "$(out "$alloc")" 'hello, world'
        purge artifact
    done
    kill $server
}

# ---------------------------------------------------------------- what survives what

# end_it ALLOC: has a task of crash.nomad.hcl end, at a moment that does not depend on how long anything took before.
end_it() { touch "$work/data/alloc/$1/alloc/end"; }

ended() { [ -z "$(pids_in_cgroup "$1")" ]; }

# The pid of a task that runs, told by what runs it: it must stay the same.
s_plugin_killed() {
    for driver in "${drivers[@]}"; do
        local file=$driver
        [ "$driver" = exec2 ] && file=nomad-driver-exec2
        run -var driver="$driver" "$jobs/crash.nomad.hcl"
        allocated crash running ends
        local ends=$alloc pid
        check "$driver: crash runs" allocated crash running stays
        pid=$(pid_in_cgroup "$alloc")
        local kill_number
        for kill_number in 1 2 3 4 5; do
            local old
            old=$(plugin_pids "$file")
            kill -9 $old
            [ $kill_number = 3 ] && end_it "$ends"
            until_true 20 eval "new=\$(pgrep -f '^$work/plugins/$file\$') && [ \"\$new\" != '$old' ]" || fail "$driver: no new plugin"
            sleep 0.5
        done
        same "$driver: five kills of the plugin later the task has its pid" "$(pid_in_cgroup "$alloc")" "$pid"
        same "$driver: and Nomad says it runs" "$(status_of "$alloc")" running
        hasnt "$driver: without a restart" "$(events "$alloc")" 'Restarting|Terminated'
        same "$driver: alloc exec still works" "$("$nomad" alloc exec -i=false -t=false "$alloc" /bin/echo yes 2>&1)" yes
        check "$driver: the other ended with its code meanwhile" allocated crash failed ends
        same "$driver: which is told" "$(exit_code "$ends")" 23
        purge crash
    done
}

s_agent_killed() { agent_ends KILL "kill -9 of the agent"; }

s_agent_restarted() { agent_ends TERM "a restart of the agent"; }

# agent_ends SIGNAL WORDS: tasks live on, and what ended while no agent ran is told by its true code.
agent_ends() {
    local -A stays=() ends=() pids=()
    for driver in "${drivers[@]}"; do
        sed "s/\"crash\"/\"crash-$driver\"/" "$jobs/crash.nomad.hcl" >"$work/crash.nomad.hcl"
        run -var driver="$driver" "$work/crash.nomad.hcl"
        allocated "crash-$driver" running ends
        ends[$driver]=$alloc
        check "$driver: crash runs" allocated "crash-$driver" running stays
        stays[$driver]=$alloc
        pids[$driver]=$(pid_in_cgroup "$alloc")
    done
    agent_signal "$1"
    for driver in "${drivers[@]}"; do
        end_it "${ends[$driver]}"
        check "$driver: during $2 the other ends" until_true 20 ended "${ends[$driver]}"
        same "$driver: during $2 the task runs on" "$(pid_in_cgroup "${stays[$driver]}")" "${pids[$driver]}"
    done
    agent_start || return
    for driver in "${drivers[@]}"; do
        check "$driver: $2: the task is found again" until_true 30 eval "[ \"\$('$nomad' alloc status -json ${stays[$driver]} | jq -r .ClientStatus)\" = running ]"
        same "$driver: with its pid" "$(pid_in_cgroup "${stays[$driver]}")" "${pids[$driver]}"
        check "$driver: alloc exec works" until_true 20 eval "[ \"\$('$nomad' alloc exec -i=false -t=false ${stays[$driver]} /bin/echo yes 2>&1)\" = yes ]"
        check "$driver: the other's end is told" until_true 30 eval "[ \"\$('$nomad' alloc status -json ${ends[$driver]} | jq -r .ClientStatus)\" = failed ]"
        same "$driver: with the code it ended with" "$(exit_code "${ends[$driver]}")" 23
        hasnt "$driver: and it was not run twice" "$(events "${ends[$driver]}" | grep -c '^Started')" '^[^1]'
        purge "crash-$driver"
    done
}

# A newer plugin in the place of an older one: the agent's restart takes it, tasks stay.
s_upgrade() {
    run -var driver=exec "$jobs/crash.nomad.hcl"
    check "exec: crash runs" allocated crash running stays
    local pid
    pid=$(pid_in_cgroup "$alloc")
    agent_signal TERM
    install_plugin exec "$encamp"
    install_plugin nomad-driver-exec2 "$encamp"
    agent_start || return
    check "exec: after an upgrade the task is found again" until_true 30 eval "[ \"\$('$nomad' alloc status -json $alloc | jq -r .ClientStatus)\" = running ]"
    same "exec: with its pid" "$(pid_in_cgroup "$alloc")" "$pid"
    purge crash
}

# The originals, then ours, then the originals: jobs run on, each started again once by whoever took over.
s_moving() {
    if [ -z "${ENCAMP_EXEC2:-}" ]; then
        leave_out "moving: ENCAMP_EXEC2 names no original exec2"
        return
    fi
    local v1=
    [ -e /sys/fs/cgroup/cgroup.controllers ] || v1=yes
    agent_signal TERM
    rm -f "$work/plugins/exec"
    install_plugin nomad-driver-exec2 "$ENCAMP_EXEC2"
    configure 'plugin "nomad-driver-exec2" { config { unveil_by_task = true } }' \
        'chroot_env = { "/bin" = "/bin", "/lib" = "/lib", "/lib64" = "/lib64", "/etc/passwd" = "/etc/passwd" }'
    agent_start || return
    local moved=(exec)
    # The original exec2 fails every start on cgroup v1.
    [ -n "$v1" ] || moved+=(exec2)
    for driver in "${moved[@]}"; do
        sed "s/\"crash\"/\"crash-$driver\"/; s/attempts = 0/attempts = 3/" "$jobs/crash.nomad.hcl" >"$work/crash.nomad.hcl"
        run -var driver="$driver" "$work/crash.nomad.hcl"
        check "$driver: runs under the original" allocated "crash-$driver" running stays
    done
    agent_signal TERM
    install_plugin exec "$encamp"
    install_plugin nomad-driver-exec2 "$encamp"
    configure
    agent_start || return
    for driver in "${moved[@]}"; do
        check "$driver: runs under ours" until_true 60 moved_over "crash-$driver" ours
        sole "$driver" "crash-$driver"
    done
    agent_signal TERM
    rm -f "$work/plugins/exec"
    install_plugin nomad-driver-exec2 "$ENCAMP_EXEC2"
    configure 'plugin "nomad-driver-exec2" { config { unveil_by_task = true } }' \
        'chroot_env = { "/bin" = "/bin", "/lib" = "/lib", "/lib64" = "/lib64", "/etc/passwd" = "/etc/passwd" }'
    agent_start || return
    for driver in "${moved[@]}"; do
        check "$driver: runs under the original again" until_true 60 moved_over "crash-$driver" original
        sole "$driver" "crash-$driver"
        purge "crash-$driver"
    done
    agent_signal TERM
    # Nobody told our plugin that its tasks are over: docs/nomad.md says what is left then. The built-in driver leaves some, too.
    rm -rf "$work"/state/*
    until_true 20 swept
    usual_plugins
    agent_start
}

# The supervisor of an allocation's tasks, which none but ours has: its title is the allocation's first eight characters and the task.
shim_of() { pgrep -f "^encamp-shim ${1:0:8}/"; }

swept() {
    find /sys/fs/cgroup -depth -type d -path '*nomad*' \( -name '*.stays*' -o -name '*.ends*' \) -exec rmdir {} + 2>/dev/null
    [ -z "$(find /sys/fs/cgroup -type d -path '*nomad*' \( -name '*.stays*' -o -name '*.ends*' \))" ]
}

# moved_over JOB WHO: whether its task runs under ours or under the original, as Nomad and the machine say.
moved_over() {
    in_status "$1" running stays || return 1
    local id
    id=$(newest "$1" stays)
    [ -n "$(pid_in_cgroup "$id")" ] || return 1
    if [ "$2" = ours ]; then [ -n "$(shim_of "$id")" ]; else [ -z "$(shim_of "$id")" ]; fi
}

# One loop of the task and no second one beside it.
sole() {
    sleep 2
    local pid shells=0
    for pid in $(pids_in_cgroup "$(newest "$2" stays)"); do
        tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qx '/bin/sh -c while :; do sleep 1; done ' && shells=$((shells + 1))
    done
    same "$1: and only once" "$shells" 1
}

# The client fills the root, by an option of the plugin.
s_chroot() {
    agent_signal TERM
    mkdir -p "$work/own/java/lib"
    echo own | tee "$work/own/motd" >"$work/own/java/lib/x"
    chown -R nobody "$work/own"
    configure 'plugin "exec" {
  config { fs_isolation = "chroot" }
}
plugin "nomad-driver-exec2" {
  config { unveil_by_task = true }
}' 'chroot_env = { "/bin" = "/bin", "/lib" = "/lib", "/lib64" = "/lib64", "/etc/passwd" = "/etc/passwd", "'"$work"'/own/java" = "/java", "'"$work"'/own/motd" = "/motd" }'
    agent_start || return
    local before
    before=$(sha256sum /etc/passwd "$work"/own/motd "$work"/own/java/lib/x)
    run -var driver=exec -var script='ls /; cat /etc/passwd | head -1; echo mine > /etc/passwd; echo new > /bin/new; cat /etc/passwd /bin/new /motd; echo mine > /motd; echo mine > /java/lib/x; echo java is $(cat /java/lib/x); echo $AGENT_SECRET; pwd' "$jobs/ends.nomad.hcl"
    check "chroot: a task completes" allocated ends 'complete|failed'
    until_true 5 log_has "$alloc" '^/$'
    local text
    text=$(out "$alloc"; out -stderr "$alloc")
    has "chroot: it has what the client put there" "$text" '^root:'
    hasnt "chroot: and nothing else of the host" "$text" '^usr$'
    hasnt "chroot: nor the agent's secret" "$text" hunter2
    has "chroot: by the names that the client gave it" "$text" '^own$'
    has "chroot: what a task writes is its own" "$text" '^java is mine$'
    same "chroot: no write reaches the host" "$(sha256sum /etc/passwd "$work"/own/motd "$work"/own/java/lib/x)" "$before"
    check "chroot: nor makes a file there" [ ! -e /bin/new ]
    purge ends
    local drivers=(exec)
    s_service
    agent_signal TERM
    configure
    agent_start
}

# State below /tmp, and nothing kept over an end of the agent.
s_dev() {
    agent_signal TERM
    local kept=$NOMAD_ADDR
    export NOMAD_ADDR=http://127.0.0.1:$((http + 20))
    cat >"$work/dev.hcl" <<E2
ports {
  http = $((http + 20))
  rpc  = $((http + 21))
  serf = $((http + 22))
}
client {
  options = { "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean" }
}
plugin "exec" { config {} }
plugin "nomad-driver-exec2" {
  config { unveil_by_task = true }
}
E2
    local below_tmp
    below_tmp=$(mktemp -d /tmp/encamp-dev-XXXXXX)
    PATH=$system_path TMPDIR=$below_tmp setsid "$nomad" agent -dev -plugin-dir "$work/plugins" -config "$work/dev.hcl" >>"$work/dev.log" 2>&1 </dev/null &
    agent=$!
    check "-dev: the agent is ready" until_true 60 node_ready
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" -var script='echo x > local/file && cat $NOMAD_TASK_DIR/file && echo y > /tmp/own && ls /tmp && echo z > $NOMAD_ALLOC_DIR/shared' "$jobs/ends.nomad.hcl"
        check "-dev: $driver: a task completes" allocated ends complete
        until_true 5 log_has "$alloc" own
        has "-dev: $driver: its directories work" "$(out "$alloc")" '^x$'
        check "-dev: $driver: /tmp is its own" [ ! -e /tmp/own ]
        purge ends
    done
    run "$jobs/http.nomad.hcl"
    allocated http running
    check "-dev: http: the page is served" until_true 20 curl -sf -o "$work/page" http://127.0.0.1:8181/
    kill -INT "$agent"
    wait "$agent" 2>/dev/null
    check "-dev: Ctrl-C of the agent ends its tasks" eval '! curl -s -m 2 -o /dev/null http://127.0.0.1:8181/'
    check "-dev: and the plugins" until_true 10 eval "! pgrep -f '^$work/plugins/'"
    rm -rf "$below_tmp"
    export NOMAD_ADDR=$kept
    agent_start
}

# Once every job is gone nothing of ours is left, and the agent's own directories can be removed.
s_nothing_left() {
    "$nomad" system gc >/dev/null 2>&1
    check "no task is left" until_true 30 eval "[ -z \"\$(ls '$work/data/alloc' 2>/dev/null)\" ]"
    # Of a task that was about to be stopped when its agent was, only the plugin itself thinks: every minute.
    check "no state of a task is left" until_true 90 eval "[ -z \"\$(ls '$work/state' 2>/dev/null)\" ]"
    same "no mount of a task is left" "$(grep -c "$work/.*alloc" /proc/self/mountinfo)" 0
    local id left_cgroups="" left_shims=""
    for id in "${!seen[@]}"; do
        left_cgroups+=$(find /sys/fs/cgroup -type d -name "$id.*")
        left_shims+=$(shim_of "$id")
    done
    same "no cgroup of a task is left" "$left_cgroups" ""
    same "no shim is left" "$left_shims" ""
    agent_signal TERM
    check "with the agent the plugins end" until_true 5 eval "! pgrep -f '^$work/plugins/'"
    hasnt "nothing panicked" "$(cat "$work/agent.log")" 'panicked|panic:'
    agent_start
}

for file in "$here"/scenarios/*.sh; do . "$file"; done

# ---------------------------------------------------------------- all of it

usual_plugins() {
    install_plugin exec "$encamp"
    install_plugin nomad-driver-exec2 "$encamp"
    configure
}

take_down() {
    kill -9 "$agent" "${servers[@]}" 2>/dev/null
    wait "$agent" 2>/dev/null
    for pid in $(pgrep -f "^$work/plugins/"); do kill -9 "$pid"; done
    # What a failed scenario left: logmons and executors, and tasks of this directory's allocations only.
    for pid in $(grep -lsF "$work" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do
        [ "$pid" != $$ ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = nomad ] && kill -9 "$pid" 2>/dev/null
    done
    local id of_task
    # Of allocations of this directory only: without one the pattern would be taken for a name.
    for id in $(ls "$work/data/alloc" 2>/dev/null | grep -xE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'); do
        of_task=$(find /sys/fs/cgroup -depth -type d -path "*nomad*/$id.*")
        for directory in $of_task; do kill -9 $(cat "$directory/cgroup.procs") 2>/dev/null; done
        sleep 0.5
        for directory in $of_task; do rmdir "$directory" 2>/dev/null; done
    done
    awk -v work="$work" 'index($5, work) == 1 {print $5}' /proc/self/mountinfo | sort -r | while read -r mount; do umount -l "$mount"; done
    [ -n "${ENCAMP_WORK:-}" ] || rm -rf "$work"
}

all=(node env http java ends oom denied service bridge cores quiet stubborn artifact
    dispatch three together user again shortage steering checks examples refused agent_env hostname
    plugin_killed agent_killed agent_restarted socket_gone record_gone start_in_flight stop_in_flight shim_killed reboot
    upgrade moving chroot dev nothing_left)
[ $# -gt 0 ] && all=("$@")

mkdir -p "$work/plugins" "$work/volume"
trap take_down EXIT
echo "$("$nomad" version | head -1), $("$encamp" --version), Linux $(uname -r), work in $work"
usual_plugins
agent_start || exit 1
for scenario in "${all[@]}"; do
    echo "== $scenario"
    if declare -F "s_$scenario" >/dev/null; then "s_$scenario"; else fail "there is no such scenario"; fi
done
echo "$passed passed, $failed failed, $left_out left out"
[ "$failed" = 0 ]
