//! Asking servers, and following where they send us as far as we go.
use std::cell::OnceCell;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use driver::in_one_line;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::problem::Problem;
use super::proxy;
use crate::artifacts::url::{Scheme, Url};

/// As many as Go follows.
const REDIRECTS: usize = 10;
/// As long as Go waits for a server to take the call.
const CONNECT: Duration = Duration::from_secs(30);

/// Why what comes is what was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Because a server says so that could prove its name.
    Server,
    /// Because the job has its sum; the server still has to prove its name.
    Sum,
    /// The job takes it from anybody.
    Anybody,
}

/// Asks servers.
#[derive(Debug)]
pub(super) struct Client {
    trust: Trust,
    end: Option<Instant>,
    tls: OnceCell<TlsConfig>,
}

/// A server's answer.
pub(super) struct Answer {
    /// How long it says that it is.
    pub(super) length: Option<u64>,
    pub(super) body: Box<dyn Read>,
}

impl Client {
    pub(super) fn new(trust: Trust, end: Option<Instant>) -> Client {
        Client {
            trust,
            end,
            tls: OnceCell::new(),
        }
    }

    /// Whether the time is over.
    pub(super) fn is_late(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Asks, and asks again where it is sent to. The job's headers are for the server that it names, not for others.
    pub(super) fn get(&self, url: &Url, headers: &[(String, String)]) -> Result<Answer, Problem> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            let own: &[_] = if at.has_origin_of(url) { headers } else { &[] };
            let response = self.ask(&at, url, own)?;
            let status = response.status().as_u16();
            if status == 200 {
                let body = response.into_body();
                return Ok(Answer {
                    length: body.content_length(),
                    body: Box::new(body.into_reader()),
                });
            }
            let location = response.headers().get("location");
            let location = location.and_then(|location| location.to_str().ok());
            match (status, location) {
                (301 | 302 | 303 | 307 | 308, Some(location)) => {
                    at = self.follow(&at, location)?;
                }
                _ => return Err(Problem::Status(status)),
            }
        }
        Err(Problem::Redirects)
    }

    fn follow(&self, from: &Url, location: &str) -> Result<Url, Problem> {
        let refused = |reason: String| Problem::Redirect {
            to: location.split('?').next().unwrap_or_default().to_owned(),
            reason,
        };
        let to = from
            .join(location)
            .map_err(|problem| refused(problem.to_string()))?;
        let is_weaker = from.scheme == Scheme::Https && to.scheme == Scheme::Http;
        if is_weaker && self.trust == Trust::Server {
            let reason = "that is no longer https; give the artifact a checksum, so that nobody on the way can change it";
            return Err(refused(reason.to_owned()));
        }
        Ok(to)
    }

    fn ask(
        &self,
        url: &Url,
        first: &Url,
        headers: &[(String, String)],
    ) -> Result<ureq::http::Response<ureq::Body>, Problem> {
        let mut request = self.agent(url)?.get(url.request());
        let is_named = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let credentials = match &url.credentials {
            None if url.has_origin_of(first) => &first.credentials,
            own => own,
        };
        if let Some(credentials) = credentials.as_ref().filter(|_| !is_named) {
            let basic = BASE64_STANDARD.encode(credentials);
            request = request.header("Authorization", format!("Basic {basic}"));
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.call().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &ureq::Error) -> Problem {
        let text = in_one_line(error);
        let text = text.strip_prefix("io: ").unwrap_or(&text).to_owned();
        match error {
            ureq::Error::Timeout(_) if self.is_late() => Problem::Late,
            _ if text.contains("certificate") => Problem::Certificate(text),
            _ => Problem::Request(text),
        }
    }

    fn agent(&self, url: &Url) -> Result<ureq::Agent, Problem> {
        let proxy = proxy::of(url, |name| std::env::var(name).ok());
        let proxy = proxy.map(|proxy| ureq::Proxy::new(&proxy)).transpose();
        let proxy = proxy.map_err(|error| {
            Problem::Request(format!("cannot use the proxy of the environment: {error}"))
        })?;
        let left = self
            .end
            .map(|end| end.saturating_duration_since(Instant::now()));
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(proxy)
            .user_agent(concat!("encamp/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_global(left);
        if url.scheme == Scheme::Https {
            config = config.tls_config(self.tls.get_or_init(|| tls(self.trust)).clone());
        }
        Ok(config.build().into())
    }
}

fn tls(trust: Trust) -> TlsConfig {
    let provider = rustls::crypto::ring::default_provider();
    let config = TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(provider));
    match trust {
        Trust::Anybody => config.disable_verification(true).root_certs(roots(&[])),
        Trust::Server | Trust::Sum => {
            // What cannot be read of the system's is missing, and a server that needs it is refused.
            let found = rustls_native_certs::load_native_certs();
            let found: Vec<_> = found.certs.iter().map(|der| der.as_ref()).collect();
            config.root_certs(roots(&found))
        }
    }
    .build()
}

fn roots(certificates: &[&[u8]]) -> RootCerts {
    let owned = certificates
        .iter()
        .map(|der| Certificate::from_der(der).to_owned());
    RootCerts::new_with_certs(&owned.collect::<Vec<_>>())
}
