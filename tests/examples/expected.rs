//! What is expected of an example.
//!
//! ```text
//! # drivers: exec exec2          under which it is run; left out: the one that it names
//! # arguments: -c examples/encamp.d
//! # needs: python3               programs below /usr/bin, or by their paths
//! # exit: 7                      left out: 0
//! # serves: examples/files       an HTTP server that the job gets as -var server=… and -var sum=…, of its first file
//! # stop after: listening        Ctrl-C when this was written; to standard error, with `! ` before it
//! # visit: http://127.0.0.1:8181/index.html => Hello     Ctrl-C when this answers with that
//! a line of standard output, with * for anything
//! ...                            any number of lines
//! ! a line of standard error; others may stand before and behind it
//! ```

/// One `.expected` file.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    drivers: Vec<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) needs: Vec<String>,
    pub(crate) exit: i32,
    pub(crate) serves: Option<String>,
    pub(crate) end: End,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

/// How the run ends.
#[derive(Debug, Default)]
pub(crate) enum End {
    #[default]
    Own,
    After(String),
    Visit {
        url: String,
        text: String,
    },
}

impl Expected {
    pub(crate) fn read(text: &str) -> Result<Expected, String> {
        let mut expected = Expected::default();
        for line in text.lines() {
            if let Some(setting) = line.strip_prefix("# ") {
                expected.set(setting)?;
            } else if let Some(told) = line.strip_prefix("! ") {
                expected.stderr.push(told.to_owned());
            } else {
                expected.stdout.push(line.to_owned());
            }
        }
        Ok(expected)
    }

    fn set(&mut self, setting: &str) -> Result<(), String> {
        let (name, value) = setting
            .split_once(": ")
            .ok_or_else(|| format!("no value: {setting}"))?;
        let value = value.trim();
        let words = || value.split_whitespace().map(str::to_owned).collect();
        match name {
            "drivers" => self.drivers = words(),
            "arguments" => self.arguments = words(),
            "needs" => self.needs = words(),
            "exit" => self.exit = value.parse().map_err(|_| format!("no code: {value}"))?,
            "serves" => self.serves = Some(value.to_owned()),
            "stop after" => self.end = End::After(value.to_owned()),
            "visit" => self.end = visit(value)?,
            other => return Err(format!("unknown: {other}")),
        }
        Ok(())
    }

    /// Those it says, or the ones that the job names.
    pub(crate) fn drivers(&self, job: &str) -> Vec<String> {
        if !self.drivers.is_empty() {
            return self.drivers.clone();
        }
        let named = ["exec", "exec2"]
            .into_iter()
            .find(|driver| job.contains(&format!("= \"{driver}\"")));
        vec![named.expect("the job names a driver").to_owned()]
    }
}

fn visit(value: &str) -> Result<End, String> {
    let (url, text) = value
        .split_once(" => ")
        .ok_or_else(|| format!("no answer: {value}"))?;
    Ok(End::Visit {
        url: url.to_owned(),
        text: text.to_owned(),
    })
}
