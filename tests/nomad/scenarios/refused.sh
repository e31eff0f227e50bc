# shellcheck shell=bash
# What must not be: jobs that ask for what they cannot have, and the agent's secrets in a task.

# refused DRIVER WHAT PATTERN OF_TASK OF_CONFIG: the event says why, in the originals' words; nothing has been started.
refused() {
    driver=$1
    local records
    records=$(ls "$work/state")
    cat >"$work/refused.nomad.hcl" <<E2
job "refused" {
  type = "batch"
  group "group" {
    restart { attempts = 3 }
    reschedule { attempts = 0 }
    task "task" {
      driver = "$driver"
      $4
      config {
        command = "/bin/sh"
        args    = ["-c", "echo started > \$NOMAD_ALLOC_DIR/started; sleep 60"]
        $5
      }
      resources {
        cpu    = 100
        memory = 32
      }
    }
  }
}
E2
    run "$work/refused.nomad.hcl"
    check "$driver: $2: it fails" allocated refused failed
    has "$driver: $2: the event says why" "$(events "$alloc")" "$3"
    has "$driver: $2: it is not tried again" "$(events "$alloc")" 'Not Restarting|Setup Failure|Failed Validation'
    check "$driver: $2: nothing was started" [ ! -e "$work/data/alloc/$alloc/alloc/started" ]
    same "$driver: $2: nothing is left" "$(comm -13 <(echo "$records") <(ls "$work/state"))$(cat $(find /sys/fs/cgroup -path "*nomad*$alloc*" -name cgroup.procs) </dev/null 2>/dev/null)" ""
    purge refused
}

s_refused() {
    local before
    before=$(plugin_pids exec)$(plugin_pids nomad-driver-exec2)
    refused exec 'an unknown user' 'failed to identify user "no-such-user": user: unknown user no-such-user' 'user = "no-such-user"' ''
    refused exec2 'an unknown user' '[Ff]ailed to [Ll]ookup user' 'user = "no-such-user"' ''
    refused exec 'a user that is denied' 'running as user "Administrator" is disallowed' 'user = "Administrator"' ''
    refused exec 'a capability beyond the list' 'driver does not allow the following capabilities: sys_admin' '' 'cap_add = ["sys_admin"]'
    refused exec2 'a capability beyond the list' 'task requested capability .*sys_admin.* not in driver allow_caps' '' 'cap_add = ["sys_admin"]'
    refused exec 'a capability that does not exist' 'no_such_cap' '' 'cap_add = ["no_such_cap"]'
    refused exec2 'a capability that does not exist' 'no_such_cap' '' 'cap_add = ["no_such_cap"]'
    refused exec 'an unknown pid_mode' 'pid_mode must be "private" or "host", got "container"' '' 'pid_mode = "container"'
    refused exec 'an unknown ipc_mode' 'ipc_mode must be "private" or "host", got "shared"' '' 'ipc_mode = "shared"'
    refused exec 'an unknown option' 'no_such_option' '' 'no_such_option = true'
    refused exec2 'an unknown option' 'no_such_option' '' 'no_such_option = true'
    refused exec 'an option of the wrong type' 'cap_add' '' 'cap_add = 7'
    refused exec2 'an unknown letter of unveil' 'q:/etc' '' 'unveil = ["q:/etc"]'
    refused exec2 'an unveiled path that is not there' '/no/such/path' '' 'unveil = ["r:/no/such/path"]'
    refused exec2 'an absurd oom_score_adj' 'oom_score_adj' '' 'oom_score_adj = 4000'
    same "the plugins are the same processes" "$(plugin_pids exec)$(plugin_pids nomad-driver-exec2)" "$before"
}

# The agent's environment holds secrets; s_env looks for one. Here: whoever makes the root, and whatever is let through.
s_agent_env() {
    local of_agent=(SOME_TOKEN=geheim-1 VAULT_TOKEN=geheim-2 ENCAMP_WORD=geheim-3 TZ=Antarctica/Troll LC_ALL=C.UTF-8 no_proxy=of.the.agent)
    agent_environment=("${of_agent[@]}")
    agent_env_of image '' '' ''
    agent_env_of chroot '' '' 'fs_isolation = "chroot"'
    agent_env_of 'image with a pattern' 'ENCAMP_*' '^ENCAMP_WORD=geheim-3$' 'agent_env = ["ENCAMP_*"]'
    agent_env_of 'image with *' '*' '^SOME_TOKEN=geheim-1$' 'agent_env = ["*"]'
    agent_env_of 'chroot with *' '*' '^SOME_TOKEN=geheim-1$' "fs_isolation = \"chroot\"
    agent_env = [\"*\"]"
    agent_signal TERM
    agent_environment=()
    configure
    agent_start
}

# agent_env_of HOW PATTERN THERE OPTIONS: exec by these options, exec2 by those of them that it has.
agent_env_of() {
    local options_of_exec2
    options_of_exec2=$(grep agent_env <<<"$4")
    agent_signal TERM
    configure "plugin \"exec\" {
  config {
    $4
  }
}
plugin \"nomad-driver-exec2\" {
  config {
    unveil_by_task = true
    $options_of_exec2
  }
}" 'chroot_env = { "/bin" = "/bin", "/lib" = "/lib", "/lib64" = "/lib64", "/etc/passwd" = "/etc/passwd" }'
    agent_start || return
    for driver in "${drivers[@]}"; do
        run -var driver="$driver" -var script='set; cat /proc/[0-9]*/environ 2>/dev/null | tr "\0" "\n"; echo over' "$jobs/ends.nomad.hcl"
        check "$driver: $1: a task ends" allocated ends 'complete|failed'
        until_true 10 log_has "$alloc" '^over$'
        local text
        # The shell quotes.
        text=$(out "$alloc" | tr -d "'")
        case $2 in
        '')
            hasnt "$driver: $1: no secret of the agent's is there" "$text" geheim
            has "$driver: $1: its time zone is" "$text" '^TZ=Antarctica/Troll$'
            has "$driver: $1: and its proxies" "$text" '^no_proxy=of.the.agent$'
            ;;
        '*')
            has "$driver: $1: everything is there" "$text" "$3"
            hasnt "$driver: $1: but what Nomad keeps to itself" "$text" 'geheim-2'
            ;;
        *)
            has "$driver: $1: what it names is there" "$text" "$3"
            hasnt "$driver: $1: and nothing else" "$text" '^SOME_TOKEN|^TZ=Antarctica|geheim-[12]'
            ;;
        esac
        purge ends
    done
}

# What a client cannot do for these drivers it refuses itself.
s_hostname() {
    run "$jobs/hostname.nomad.hcl"
    check "hostname: fails" allocated hostname failed
    has "hostname: in the client's words" "$(grep "$alloc" "$work/agent.log")" 'hostname is not currently supported on driver exec'
    purge hostname
}
