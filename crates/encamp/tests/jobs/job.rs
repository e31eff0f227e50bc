//! Job files of several tasks.
/// Lines of a task that runs a shell script and is not restarted.
pub(crate) fn task(name: &str, driver: &str, script: &str, more: &str) -> String {
    format!(
        "    task {name:?} {{\n      driver = {driver:?}\n      config {{\n        command = \"/bin/sh\"\n        args = [\"-c\", \
         {script:?}]\n      }}\n      restart {{\n        attempts = 0\n        mode = \"fail\"\n      }}\n      {more}\n    }}\n"
    )
}

/// `lifecycle`, in one line's place.
pub(crate) fn hook(hook: &str, sidecar: bool) -> String {
    format!("lifecycle {{\n hook = {hook:?}\n sidecar = {sidecar}\n }}")
}

/// A batch job of one group.
pub(crate) fn job(group: &str, tasks: &[String]) -> String {
    format!(
        "job \"j\" {{\n  type = \"batch\"\n  group \"g\" {{\n    {group}\n{}  }}\n}}\n",
        tasks.concat()
    )
}
