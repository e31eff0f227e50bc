//! A guest of a web server that may still be starting.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use suite::run::{PATIENCE, patience};

/// Asks again and again until the answer holds `text`.
pub(crate) fn visit(url: &str, text: &str) -> Result<(), String> {
    let deadline = Instant::now() + patience(PATIENCE) / 2;
    loop {
        match get(url) {
            Ok(answer) if answer.contains(text) => return Ok(()),
            last if Instant::now() > deadline => return Err(format!("{url}: {last:?}")),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn get(url: &str) -> std::io::Result<String> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
