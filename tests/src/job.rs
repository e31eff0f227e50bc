//! Job files, written as a user would write them.
use std::collections::BTreeMap;
use std::fmt::Write;

/// A job of one task.
#[derive(Debug, Clone)]
pub struct Job {
    driver: String,
    command: String,
    args: Vec<String>,
    user: Option<String>,
    env: BTreeMap<String, String>,
    config: Vec<String>,
    task: Vec<String>,
    group: Vec<String>,
    attempts: u32,
}

impl Job {
    /// A batch job that runs one command and is not restarted.
    #[must_use]
    pub fn new(driver: &str, command: &str, args: &[&str]) -> Job {
        Job {
            driver: driver.to_owned(),
            command: command.to_owned(),
            args: args.iter().map(|&argument| argument.to_owned()).collect(),
            user: None,
            env: BTreeMap::new(),
            config: Vec::new(),
            task: Vec::new(),
            group: Vec::new(),
            attempts: 0,
        }
    }

    /// `user`.
    #[must_use]
    pub fn user(mut self, user: &str) -> Job {
        self.user = Some(user.to_owned());
        self
    }

    /// One variable of `env`.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Job {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A line of `config {}`, as it is.
    #[must_use]
    pub fn config(mut self, line: &str) -> Job {
        self.config.push(line.to_owned());
        self
    }

    /// A line of the task, as it is.
    #[must_use]
    pub fn task(mut self, line: &str) -> Job {
        self.task.push(line.to_owned());
        self
    }

    /// A line of the group, as it is.
    #[must_use]
    pub fn group(mut self, line: &str) -> Job {
        self.group.push(line.to_owned());
        self
    }

    /// `restart { attempts }`, half a second apart.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Job {
        self.attempts = attempts;
        self
    }

    /// The file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from("job \"suite\" {\n  type = \"batch\"\n  group \"g\" {\n");
        let attempts = self.attempts;
        let _ = writeln!(
            text,
            "    restart {{\n      attempts = {attempts}\n      interval = \"10m\"\n      delay    = \"500ms\"\n      mode     = \"fail\"\n    }}"
        );
        for line in &self.group {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(
            text,
            "    task \"t\" {{\n      driver = {}",
            quote(&self.driver)
        );
        if let Some(user) = &self.user {
            let _ = writeln!(text, "      user = {}", quote(user));
        }
        for line in &self.task {
            let _ = writeln!(text, "      {line}");
        }
        self.write_env(&mut text);
        self.write_config(&mut text);
        text + "    }\n  }\n}\n"
    }

    fn write_env(&self, text: &mut String) {
        if self.env.is_empty() {
            return;
        }
        text.push_str("      env {\n");
        for (name, value) in &self.env {
            let _ = writeln!(text, "        {name} = {}", quote(value));
        }
        text.push_str("      }\n");
    }

    fn write_config(&self, text: &mut String) {
        let args: Vec<_> = self.args.iter().map(|argument| quote(argument)).collect();
        let _ = writeln!(
            text,
            "      config {{\n        command = {}\n        args    = [{}]",
            quote(&self.command),
            args.join(", ")
        );
        for line in &self.config {
            let _ = writeln!(text, "        {line}");
        }
        text.push_str("      }\n");
    }
}

/// A string literal of HCL: JSON's escapes, and no interpolation.
fn quote(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace("${", "$${")
        .replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use super::Job;

    #[test]
    fn strings_are_quoted_and_nothing_is_interpolated() {
        let text = Job::new("exec", "/bin/sh", &["-c", "echo \"${X}\"\n"])
            .env("A", "b")
            .user("nobody")
            .text();
        assert!(
            text.contains(r#"args    = ["-c", "echo \"$${X}\"\n"]"#),
            "{text}"
        );
        assert!(
            text.contains("user = \"nobody\"") && text.contains("A = \"b\""),
            "{text}"
        );
    }
}
