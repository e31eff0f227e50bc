//! A server for tests: it answers as it is told, on a port of its own, for as long as the test runs.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "tests; two crates use it"
)]
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

/// A stream to a client.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

pub struct Server {
    pub port: u16,
    scheme: &'static str,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with what `answer` writes: it gets the path with its query.
    pub fn start(answer: impl Fn(&str, &mut dyn Write) + Send + Sync + 'static) -> Server {
        Server::start_on("http", answer, |stream| Some(Box::new(stream)))
    }

    /// The same behind TLS or whatever `wrap` makes of a connection.
    pub fn start_on(
        scheme: &'static str,
        answer: impl Fn(&str, &mut dyn Write) + Send + Sync + 'static,
        wrap: impl Fn(std::net::TcpStream) -> Option<Box<dyn Stream>> + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer, wrap) = (Arc::clone(&heads), Arc::new(answer), Arc::new(wrap));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer, wrap) =
                    (Arc::clone(&seen), Arc::clone(&answer), Arc::clone(&wrap));
                thread::spawn(move || {
                    if let Some(mut stream) = wrap(stream)
                        && let Some(head) = head(&mut *stream)
                    {
                        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                        seen.lock().unwrap().push(head);
                        answer(&path, &mut stream);
                        let _ = stream.flush();
                    }
                });
            }
        });
        Server {
            port,
            scheme,
            heads,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// What was asked so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// The head of a request, in lower case but for its first line.
fn head(stream: &mut dyn Stream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

pub fn ok(to: &mut dyn Write, body: &[u8]) {
    // A client that has heard enough hangs up.
    let _ = write!(
        to,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = to.write_all(body);
}

pub fn redirect(to: &mut dyn Write, location: &str) {
    let _ = write!(
        to,
        "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
}

pub fn status(to: &mut dyn Write, line: &str) {
    let _ = write!(
        to,
        "HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
}
