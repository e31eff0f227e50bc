//! Files over HTTP, for the examples that fetch one.
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server that goes on until the test program ends.
pub(crate) struct Server {
    address: SocketAddr,
    sum: String,
}

impl Server {
    /// What the job is told of it.
    pub(crate) fn variables(&self) -> [String; 2] {
        [
            format!("-var=server=http://{}", self.address),
            format!("-var=sum={}", self.sum),
        ]
    }
}

/// Serves the directory of `file`, with the SHA-256 sum of that file.
pub(crate) fn serve(file: &Path) -> Server {
    let directory = file.parent().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, &directory);
        }
    });
    Server {
        address,
        sum: sum(file),
    }
}

fn answer(mut stream: TcpStream, directory: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    match found(&request, directory).map(std::fs::read) {
        Some(Ok(body)) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            )?;
            stream.write_all(&body)
        }
        _ => write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
    }
}

/// The file of a request, by its last component alone.
fn found(request: &str, directory: &Path) -> Option<PathBuf> {
    let path = request.split(' ').nth(1)?.split('?').next()?;
    Some(directory.join(Path::new(path).file_name()?))
}

fn sum(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(' ').next().unwrap().to_owned()
}
