//! Stands where Nomad's client stands: directories, users, environment, cgroup, restarts.
