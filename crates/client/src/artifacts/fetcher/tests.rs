#![allow(clippy::unwrap_used, reason = "tests")]
use std::fs;
use std::thread;
use std::time::Duration;

use super::*;
use crate::artifacts::order::{Outcome, SumKind};
use crate::artifacts::server::{Server, ok, redirect, status};
use crate::testing::Scratch;

const HELLO: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn order(url: String) -> Order {
    Order {
        url,
        headers: Vec::new(),
        insecure: false,
        sum: None,
        archive: None,
        result: Outcome::Directory {
            name: "x".to_owned(),
            part: None,
        },
        limits: Limits::default(),
    }
}

fn sum(text: &str) -> Option<Wanted> {
    Some(Wanted::Sum(Sum::parse(text).unwrap()))
}

/// What came, or why nothing did.
fn fetched(order: &Order) -> Result<String, String> {
    let scratch = Scratch::new();
    let report = File::create(scratch.path().join(REPORT)).unwrap();
    let done = run(order, scratch.path(), &mut Report::to(report));
    done.map_err(|problem| problem.to_string())?;
    Ok(fs::read_to_string(scratch.path().join("out/x")).unwrap())
}

fn refusal(order: &Order) -> String {
    fetched(order).unwrap_err()
}

#[test]
fn a_file_comes_with_the_right_sum() {
    let server = Server::start(|_, to| ok(to, b"hello"));
    let mut order = order(server.url("/x?a=b"));
    order.sum = sum(HELLO);
    assert_eq!(fetched(&order).as_deref(), Ok("hello"));
    assert!(server.heads()[0].starts_with("GET /x?a=b HTTP/1.1\r\n"));
}

#[test]
fn a_wrong_sum_tells_both() {
    let server = Server::start(|_, to| ok(to, b"hello"));
    let mut order = order(server.url("/x"));
    order.sum = sum("md5:00000000000000000000000000000000");
    assert_eq!(
        refusal(&order),
        "Checksums did not match. Expected: md5:00000000000000000000000000000000 Got: md5:5d41402abc4b2a76b9719d911017c592"
    );
}

#[test]
fn a_sum_is_found_in_a_list() {
    let server = Server::start(|path, to| match path {
        "/sums" => ok(to, format!("{}  x\n", &HELLO[7..]).as_bytes()),
        "/wrong" => ok(to, format!("{}  y\n", &HELLO[7..]).as_bytes()),
        _ => ok(to, b"hello"),
    });
    let mut order = order(server.url("/x"));
    let listed = |path: &str| {
        Some(Wanted::In {
            url: server.url(path),
            names: vec!["x".to_owned()],
        })
    };
    order.sum = listed("/sums");
    assert_eq!(fetched(&order).as_deref(), Ok("hello"));
    order.sum = listed("/wrong");
    assert_eq!(
        refusal(&order),
        format!("no checksum found in: {}", server.url("/wrong"))
    );
}

#[test]
fn sums_of_every_kind_are_known() {
    let server = Server::start(|_, to| ok(to, b"hello"));
    for kind in SumKind::ALL {
        let mut order = order(server.url("/x"));
        order.sum = sum(&format!("{}:{}", kind.name(), "0".repeat(kind.digits())));
        let text = refusal(&order);
        assert!(text.contains(&format!("Got: {}:", kind.name())), "{text}");
    }
}

#[test]
fn no_for_an_answer_is_told() {
    let server = Server::start(|_, to| status(to, "404 Not Found"));
    assert_eq!(refusal(&order(server.url("/x"))), "bad response code: 404");
    let nobody = order("http://127.0.0.1:1/x".to_owned());
    assert!(refusal(&nobody).contains("refused"), "{}", refusal(&nobody));
}

#[test]
fn headers_and_credentials_are_sent() {
    let server = Server::start(|_, to| ok(to, b"hello"));
    let url = server.url("/x").replace("http://", "http://me:p%40ss@");
    let mut order = order(url);
    order.headers = vec![("X-Token".to_owned(), "t".to_owned())];
    assert!(fetched(&order).is_ok());
    let head = server.heads()[0].to_lowercase();
    assert!(head.contains("x-token: t\r\n"), "{head}");
    assert!(
        head.contains("authorization: basic bwu6cebzcw==\r\n"),
        "{head}"
    );
}

#[test]
fn a_header_that_is_none_is_told() {
    let server = Server::start(|_, to| ok(to, b"hello"));
    let mut order = order(server.url("/x"));
    order.headers = vec![("X".to_owned(), "a\r\nY: b".to_owned())];
    assert!(fetched(&order).is_err());
    assert!(server.heads().is_empty());
}

#[test]
fn redirects_are_followed_without_the_headers_meant_for_another_server() {
    let other = Server::start(|_, to| ok(to, b"hello"));
    let there = other.url("/x");
    let server = Server::start(move |path, to| match path {
        "/a" => redirect(to, "b?c=d"),
        _ => redirect(to, &there),
    });
    let url = server.url("/a").replace("http://", "http://me:pass@");
    let mut order = order(url);
    order.headers = vec![("X-Token".to_owned(), "t".to_owned())];
    assert_eq!(fetched(&order).as_deref(), Ok("hello"));
    let second = server.heads()[1].to_lowercase();
    assert!(second.starts_with("get /b?c=d "), "{second}");
    assert!(second.contains("x-token: t") && second.contains("authorization: "));
    let last = other.heads()[0].to_lowercase();
    assert!(
        !last.contains("x-token") && !last.contains("authorization"),
        "{last}"
    );
}

#[test]
fn redirects_end_somewhere() {
    let server = Server::start(|_, to| redirect(to, "/again"));
    assert_eq!(
        refusal(&order(server.url("/x"))),
        "stopped after 10 redirects"
    );
    assert_eq!(server.heads().len(), 11);
}

#[test]
fn redirects_to_other_schemes_are_refused_by_name() {
    for (location, scheme) in [
        ("file:///etc/shadow", "file"),
        ("ftp://h/x", "ftp"),
        ("git::http://h/x", "git"),
    ] {
        let server = Server::start(move |_, to| redirect(to, location));
        let text = refusal(&order(server.url("/x")));
        let expected = format!(
            "the server redirects to {location}: download not supported for scheme '{scheme}'"
        );
        assert!(text.starts_with(&expected), "{text}");
    }
}

#[test]
fn the_header_that_go_getter_once_followed_is_nothing_here() {
    let server = Server::start(|path, to| match path {
        "/x" => {
            let _ = to.write_all(b"HTTP/1.1 200 OK\r\nX-Terraform-Get: /other\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        }
        _ => ok(to, b"other"),
    });
    assert_eq!(fetched(&order(server.url("/x"))).as_deref(), Ok("hello"));
    assert_eq!(server.heads().len(), 1);
}

#[test]
fn an_answer_that_breaks_off_is_no_file() {
    let server = Server::start(|path, to| {
        let head = match path {
            "/counted" => "Content-Length: 100\r\nConnection: close\r\n\r\nhello",
            _ => "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        };
        let _ = write!(to, "HTTP/1.1 200 OK\r\n{head}");
    });
    for path in ["/counted", "/chunked"] {
        let text = refusal(&order(server.url(path)));
        assert!(text.starts_with("the download broke off: "), "{text}");
    }
}

#[test]
fn what_is_too_large_is_refused_when_it_is_announced() {
    let server = Server::start(|_, to| {
        let _ = to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n");
        thread::sleep(Duration::from_secs(600));
    });
    let mut order = order(server.url("/x"));
    order.limits.download = Some(100);
    assert_eq!(
        refusal(&order),
        "it is larger than http_max_size, 100 bytes"
    );
    order.limits.download = None;
    order.limits.room = Some(1000);
    assert_eq!(
        refusal(&order),
        "it needs more than the 1000 bytes that the disk has left for it"
    );
}

#[test]
fn what_comes_without_end_is_refused_when_it_is_too_much() {
    let server = Server::start(|_, to| {
        let _ = to.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while to.write_all(&[0; 4096]).is_ok() {}
    });
    let mut order = order(server.url("/x"));
    order.limits.download = Some(1 << 20);
    assert_eq!(
        refusal(&order),
        "it is larger than http_max_size, 1048576 bytes"
    );
}

#[test]
fn a_server_that_is_too_slow_is_given_up() {
    let server = Server::start(|path, to| {
        if path == "/body" {
            let _ = to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
            let _ = to.flush();
        }
        thread::sleep(Duration::from_secs(600));
    });
    for path in ["/head", "/body"] {
        let mut order = order(server.url(path));
        order.limits.time = Some(Duration::from_millis(300));
        assert_eq!(
            refusal(&order),
            "it took longer than http_read_timeout",
            "{path}"
        );
    }
}

#[test]
fn what_is_said_on_the_way_adds_up() {
    let server = Server::start(|_, to| ok(to, &vec![b'x'; 3 << 20]));
    let scratch = Scratch::new();
    let path = scratch.path().join(REPORT);
    let report = File::create(&path).unwrap();
    let bytes = run(
        &order(server.url("/x")),
        scratch.path(),
        &mut Report::to(report),
    )
    .unwrap();
    assert_eq!(bytes, 3 << 20);
    let text = fs::read_to_string(path).unwrap();
    let first: Line = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(matches!(first, Line::Progress { total: Some(total), .. } if total == 3 << 20));
}
