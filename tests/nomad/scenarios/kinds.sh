# shellcheck shell=bash
# Kinds of jobs, and what Nomad does with a task that fails.

# Dispatched with a payload and a word of its own.
s_dispatch() {
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" "$jobs/dispatch.nomad.hcl"
        local child
        child=$(echo 'what was sent' | "$nomad" job dispatch -detach -meta word=told dispatch - | awk '/^Dispatched Job ID/ {print $NF}')
        check "$driver: a dispatched job completes" allocated "$child" complete
        until_true 5 log_has "$alloc" word=
        same "$driver: its payload is a file" "$(out "$alloc" | head -1)" 'what was sent'
        has "$driver: its word is in the environment" "$(out "$alloc")" '^word=told$'
        purge "$child"
        purge dispatch
    done
}

# Three of a group at once, and one on every node.
s_three() {
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" "$jobs/three.nomad.hcl"
        check "$driver: three of a group complete" until_true 60 eval "[ \$('$nomad' job allocs -json three | jq '[.[] | select(.ClientStatus == \"complete\")] | length') = 3 ]"
        local each said=
        for each in $("$nomad" job allocs -json three | jq -r '.[].ID'); do
            until_true 5 log_has "$each" index
            said+=$(out "$each")$'\n'
        done
        same "$driver: each knows which it is" "$(sort <<<"${said%$'\n'}" | tr '\n' ' ')" 'index 0 index 1 index 2 '
        same "$driver: each is its own process and user, where it has one" "$(out "$each" | wc -l)" 1
        purge three
        run -var driver="$driver" "$jobs/system.nomad.hcl"
        check "$driver: a system job runs" allocated system running
        "$nomad" job stop -detach system >/dev/null
        check "$driver: and stops" allocated system complete
        purge system
    done
}

# Two tasks of one group, one of each driver: they see each other's files in the shared directory and nowhere else.
s_together() {
    run "$jobs/together.nomad.hcl"
    check "together: both complete" allocated together complete
    until_true 5 eval "'$nomad' alloc logs -task asks '$alloc' | grep -q answer"
    same "together: exec reads what exec2 wrote" "$(out -task asks "$alloc")" 'the answer to question is 42'
    same "together: exec2 read what exec wrote" "$(out -task answers "$alloc")" 'asked: question'
    purge together
}

# A user and capabilities of the job's choice.
s_user() {
    for driver in "${drivers[@]}"; do
        # exec starts from thirteen, exec2 from none, and takes what is dropped from what is added.
        local drop='["all"]'
        [ "$driver" = exec2 ] && drop='[]'
        run -var driver="$driver" -var drop="$drop" "$jobs/user.nomad.hcl"
        check "$driver: a task of another user completes" allocated user complete
        until_true 5 log_has "$alloc" CapEff
        local text
        text=$(out "$alloc")
        has "$driver: it is that user" "$text" '^daemon 1$'
        has "$driver: with the capability it asked for and no other" "$text" 'CapEff:[[:space:]]*0000000000000400$'
        purge user
    done
}

# Fails twice, then succeeds: the job's policy, which the driver leaves alone.
s_again() {
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" "$jobs/again.nomad.hcl"
        check "$driver: what fails twice completes" allocated again complete
        same "$driver: after three starts" "$(events "$alloc" | grep -c '^Started')" 3
        same "$driver: two of which were told as failed" "$(events "$alloc" | grep -c '^Terminated: .*Exit Code: 4[12]')" 2
        same "$driver: what it kept was kept" "$("$nomad" alloc fs "$alloc" task/local/starts | wc -l)" 3
        purge again
    done
}

# The host is short of something at the start: tried again by the job's policy, where a mistake would not be.
s_shortage() {
    if ! command -v prlimit >/dev/null; then
        leave_out "shortage: no prlimit here"
        return
    fi
    for driver in "${drivers[@]}"; do
        local file=$driver plugin limit
        [ "$driver" = exec2 ] && file=nomad-driver-exec2
        plugin=$(plugin_pids "$file")
        limit=$(prlimit --pid "$plugin" --nofile --noheadings --output SOFT | tr -d ' ')
        prlimit --pid "$plugin" --nofile=4:
        run -var driver="$driver" "$jobs/again.nomad.hcl"
        check "$driver: without a descriptor a start fails" until_true 60 eval "events \$(newest again) | grep -qE 'Driver Failure.*(Too many open files|EMFILE)'"
        prlimit --pid "$plugin" --nofile="$limit":
        hasnt "$driver: and not for good" "$(events "$(newest again)")" 'unrecoverable'
        check "$driver: the policy tries again, and it completes" allocated again complete
        same "$driver: by the same plugin" "$(plugin_pids "$file")" "$plugin"
        purge again
    done
}
