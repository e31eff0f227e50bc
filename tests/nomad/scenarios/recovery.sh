# shellcheck shell=bash
# What survives what. The rows of what Nomad's client does when something ends, and where each is tried:
#
#   the agent is killed                       s_agent_killed; plugin and tasks live, the next agent takes both over
#   the plugin's socket is gone               s_socket_gone
#   SIGTERM to the agent                      s_agent_restarted, s_upgrade
#   the same with -dev                        s_dev
#   the plugin is killed                      s_plugin_killed; tests/plugin: 200 times
#   RecoverTask fails                         s_record_gone
#   StartTask is in flight                    s_start_in_flight
#   StopTask is in flight                     s_stop_in_flight
#   a task's supervisor is killed             s_shim_killed
#   the drivers are others                    s_moving
#   the host is rebooted                      s_reboot

# The file of the plugin of $driver.
plugin_file() { if [ "$driver" = exec2 ]; then echo nomad-driver-exec2; else echo exec; fi; }

# loops MARK [ATTEMPTS [TEMPLATE]]: runs a task that is told by the mark.
loops() {
    mark=$1
    run -var driver="$driver" -var mark="$mark" -var attempts="${2:-5}" -var template="${3:-go}" "$jobs/loops.nomad.hcl"
}

# loops_beside MARK: as a job of the driver's own, for two at a time.
loops_beside() {
    mark=$1
    sed "s/\"loops\"/\"loops-$driver\"/" "$jobs/loops.nomad.hcl" >"$work/loops.nomad.hcl"
    run -var driver="$driver" -var mark="$mark" "$work/loops.nomad.hcl"
}

# The processes of the marked task: one, or something runs twice.
marked() { pgrep -f ": $mark\$"; }
one_marked() { [ "$(marked | wc -l)" = 1 ]; }
other_marked() { one_marked && [ "$(marked)" != "$1" ]; }
starts() { wc -l <"$work/data/alloc/$alloc/alloc/starts"; }

# new_plugin OLD: waits for another process in its place.
new_plugin() { until_true 30 eval "new=\$(plugin_pids '$(plugin_file)') && [ \"\$new\" != '$1' ]"; }

exec_works() { [ "$("$nomad" alloc exec -i=false -t=false "$alloc" /bin/echo yes 2>&1)" = yes ]; }

# The agent is killed and finds no socket: it starts another plugin, and the one before lets its tasks be.
s_socket_gone() {
    local sockets pid
    local -A old=()
    for driver in "${drivers[@]}"; do
        loops_beside "socket-$driver"
        allocated "loops-$driver" running
        until_true 10 log_has "$alloc" '^up$'
    done
    for driver in "${drivers[@]}"; do old[$driver]=$(plugin_pids "$(plugin_file)"); done
    agent_signal KILL
    for driver in "${drivers[@]}"; do
        sockets=$(readlink "/proc/${old[$driver]}/fd/"* 2>/dev/null | sed -n 's/^socket:\[\(.*\)\]$/\1/p')
        for pid in $sockets; do
            awk -v inode="$pid" '$7 == inode && $8 ~ /^\// {print $8}' /proc/net/unix
        done | sort -u | xargs -r rm -f
    done
    agent_start || return
    for driver in "${drivers[@]}"; do
        alloc=$(newest "loops-$driver") mark=socket-$driver
        check "$driver: without a socket the task is found by a new plugin" until_true 60 exec_works
        check "$driver: which is another" [ "$(plugin_pids "$(plugin_file)" | grep -vxc "${old[$driver]}")" = 1 ]
        same "$driver: the task is the one that ran" "$(starts)" 1
        check "$driver: and runs once" one_marked
        kill -TERM "${old[$driver]}" 2>/dev/null
        check "$driver: the old plugin can be ended" until_true 20 eval "! kill -0 ${old[$driver]}"
        check "$driver: the task runs on" one_marked
        purge "loops-$driver"
        check "$driver: until it is stopped" until_true 20 eval '! marked'
    done
}

# The record of a running task is lost: nobody can take it over, and Nomad starts it again. Nothing of the old one may stay beside it.
s_record_gone() {
    for driver in "${drivers[@]}"; do
        loops "record-$driver"
        allocated loops running
        until_true 10 log_has "$alloc" '^up$'
        local old plugin
        old=$(marked)
        plugin=$(plugin_pids "$(plugin_file)")
        rm -rf "$work"/state/*
        kill -9 "$plugin"
        new_plugin "$plugin"
        check "$driver: a task that cannot be recovered is started again" until_true 60 other_marked "$old"
        check "$driver: in place of the old one" eval "! kill -0 $old 2>/dev/null"
        same "$driver: it has started twice" "$(starts)" 2
        check "$driver: and works" until_true 20 exec_works
        purge loops
        check "$driver: until it is stopped" until_true 20 eval '! marked'
    done
}

# The plugin dies while it is asked to start a task: the client asks the next one, with the same id. A variable that is not there yet holds
# the start up until the moment is chosen.
s_start_in_flight() {
    local plugin delay
    for driver in "${drivers[@]}"; do
        held_up "start-$driver"
        plugin=$(plugin_pids "$(plugin_file)")
        kill -STOP "$plugin"
        let_go
        sleep $((3 * patience))
        kill -9 "$plugin"
        started_once 'never heard by the plugin that was asked'
        for delay in 0.1 0.25 0.4 0.6 0.8; do
            held_up "start-$driver-$delay"
            plugin=$(plugin_pids "$(plugin_file)")
            let_go
            sleep "$delay"
            kill -9 "$plugin"
            new_plugin "$plugin"
            started_once "the plugin killed after $delay s"
        done
    done
}

held_up() {
    "$nomad" var purge nomad/jobs/loops >/dev/null 2>&1
    loops "$1" 5 '{{ with nomadVar "nomad/jobs/loops" }}{{ .go }}{{ end }}'
    until_true 60 eval 'events $(newest loops) | grep -q "Template: Missing"'
}

let_go() { "$nomad" var put -force nomad/jobs/loops go=on >/dev/null 2>&1; }

started_once() {
    check "$driver: a start, $1: the task runs" allocated loops running
    check "$driver: once" until_true 20 one_marked
    purge loops
    check "$driver: until it is stopped" until_true 20 eval '! marked'
}

# The plugin dies while it stops a task, which does not heed its signal.
s_stop_in_flight() {
    for driver in "${drivers[@]}"; do
        loops "stop-$driver" 0
        allocated loops running
        until_true 10 log_has "$alloc" '^up$'
        local plugin
        plugin=$(plugin_pids "$(plugin_file)")
        "$nomad" job stop -detach loops >/dev/null
        sleep 1
        kill -9 "$plugin"
        new_plugin "$plugin"
        check "$driver: a stop that was cut off is done all the same" allocated loops 'complete|failed'
        check "$driver: nothing of the task is left" until_true 20 eval '! marked'
        same "$driver: it was not started again" "$(starts)" 1
        purge loops
    done
}

# The supervisor dies: the task with it, Nomad hears why, and the policy starts the task again.
s_shim_killed() {
    for driver in "${drivers[@]}"; do
        loops "shim-$driver"
        allocated loops running
        until_true 10 log_has "$alloc" '^up$'
        local old shim
        old=$(marked)
        # The other process of that name is the init of an exec2 task.
        shim=$(shim_of "$alloc" | head -1)
        check "$driver: a task has a supervisor" [ -n "$shim" ]
        [ -n "$shim" ] && kill -9 "$shim"
        check "$driver: with its supervisor the task ends, and is started again" until_true 60 other_marked "$old"
        has "$driver: the event says why" "$(events "$alloc")" 'lost: the shim was killed'
        purge loops
        check "$driver: until it is stopped" until_true 20 eval '! marked'
    done
}

# As near to a reboot as can be had on a host that others use: everything dies at once, cgroups and mounts are gone, and the kernel that the
# next agent meets has another boot id.
s_reboot() {
    if ! command -v unshare >/dev/null; then
        leave_out "reboot: no unshare here"
        return
    fi
    local ids=() id
    local -A old=()
    for driver in "${drivers[@]}"; do
        loops_beside "boot-$driver"
        check "$driver: loops runs" allocated "loops-$driver" running
        until_true 10 log_has "$alloc" '^up$'
        ids+=("$alloc") mark=boot-$driver
        old[$driver]=$(marked)
    done
    power_off "${ids[@]}"
    cat /proc/sys/kernel/random/uuid >"$work/boot_id"
    agent_inside=(unshare --mount sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$work/boot_id")
    agent_start || return
    for driver in "${drivers[@]}"; do
        mark=boot-$driver alloc=$(newest "loops-$driver")
        check "$driver: after a reboot the task is started again" until_true 60 one_marked
        check "$driver: as another process" [ "$(marked)" != "${old[$driver]}" ]
        check "$driver: and works" until_true 30 exec_works
        same "$driver: in the directories that it had" "$(starts)" 2
        check "$driver: all of which can be written" eval "[ \"\$(out '$alloc' | grep -c '^up\$')\" = 2 ]"
        same "$driver: its own is the one on disk" "$(cat "$work/data/alloc/$alloc/task/local/z" 2>/dev/null)" y
        purge "loops-$driver"
        check "$driver: until it is stopped" until_true 20 eval '! marked'
    done
    agent_signal TERM
    agent_inside=()
    agent_start
}

# power_off ALLOC…: the processes of the agent, the plugins and these allocations, their cgroups, their mounts.
power_off() {
    local id directories directory
    kill -9 "$agent" $(plugin_pids exec) $(plugin_pids nomad-driver-exec2)
    wait "$agent" 2>/dev/null
    for id in "$@"; do kill -9 $(shim_of "$id") $(pids_in_cgroup "$id") 2>/dev/null; done
    for id in $(grep -lsF "$work" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do
        [ "$(cat "/proc/$id/comm" 2>/dev/null)" = nomad ] && kill -9 "$id"
    done
    for id in "$@"; do
        directories=$(find /sys/fs/cgroup -depth -type d -path "*nomad*/$id.*")
        for directory in $directories; do kill -9 $(cat "$directory/cgroup.procs") 2>/dev/null; done
        for directory in $directories; do until_true 5 rmdir "$directory"; done
    done
    awk -v work="$work" 'index($5, work) == 1 {print $5}' /proc/self/mountinfo | sort -r | while read -r directory; do umount "$directory"; done
    until_true 10 agent_gone
}
