//! `cargo run -- --web`: the pages, and the programs that they run.
//!
//! Running programs from a page is a door. So: only loopback; a token in the
//! path that no other page knows; `Host` and `Origin` are looked at, since an
//! attacker's name can resolve to 127.0.0.1 (DNS rebinding); what may run, and
//! with which flags, is written here and not in the page; and whatever runs
//! ends with the request that has started it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{process, thread};

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::unfold;
use harness::{Language, Lesson, rabbit};
use tokio::net::TcpListener;

use crate::content::{Content, Pages};
use crate::run::{Act, Event, LONGEST, Wanted, run};
use crate::site;

/// Where it listens, unless told otherwise.
pub const PORT: u16 = 8080;

/// How many runs there can be at a time.
const RUNS: usize = 4;

/// What the server knows.
struct Web {
    content: Content,
    token: String,
    port: u16,
    /// The pages that have been asked for before.
    pages: Mutex<HashMap<String, Arc<str>>>,
    /// What runs now, by the name that its page gave itself.
    runs: Mutex<HashMap<String, Sender<Event>>>,
}

/// Serves until Ctrl-C.
///
/// # Errors
/// When it cannot listen.
pub async fn serve(
    content: Content,
    port: Option<u16>,
    open: bool,
) -> Result<()> {
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match port {
        Some(port) => listen(port).await,
        // Somebody else may be at the usual one.
        None => match listen(PORT).await {
            Ok(listener) => Ok(listener),
            Err(_) => listen(0).await,
        },
    };
    let listener = listener.context("listen on 127.0.0.1")?;
    let port = listener.local_addr()?.port();
    let web = Arc::new(Web {
        content,
        token: token()?,
        port,
        pages: Mutex::default(),
        runs: Mutex::default(),
    });
    let url = format!("http://127.0.0.1:{port}/{}/", web.token);
    println!("listening on {url}");
    if open {
        open_browser(&url);
    }
    tokio::spawn(end_on_signal(Arc::clone(&web)));
    // The page that is asked for next is then there at once.
    let next = Arc::clone(&web);
    thread::spawn(move || {
        let _ = next.page("index.html");
        for pages in &next.content.lessons {
            let _ = next.page(&format!("{}.html", pages.lesson.name));
        }
    });
    axum::serve(listener, router(web)).await?;
    Ok(())
}

fn router(web: Arc<Web>) -> Router {
    Router::new()
        .route("/{token}/", get(first))
        .route("/{token}/run/{page}", post(start))
        .route("/{token}/do/{page}", post(act))
        .route("/{token}/{*file}", get(file))
        .layer(DefaultBodyLimit::max(4096))
        .layer(from_fn_with_state(Arc::clone(&web), guard))
        .with_state(web)
}

/// 128 bits that nobody can guess.
fn token() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Refuses what does not come from a page of ours, and sends the headers that
/// keep a page from loading anything else.
async fn guard(
    State(web): State<Arc<Web>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let mut response = match web.refusal(&request) {
        Some((status, why)) => (status, why).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; \
             img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    response
}

impl Web {
    /// Why a request is not answered.
    fn refusal(&self, request: &Request) -> Option<(StatusCode, &'static str)> {
        let headers = request.headers();
        let hosts = ["127.0.0.1", "localhost"]
            .map(|name| format!("{name}:{}", self.port));
        let is_ours = |name, start: &str| {
            let given = text(headers, name)?;
            let host = given.strip_prefix(start);
            Some(host.is_some_and(|host| hosts.iter().any(|our| our == host)))
        };
        if is_ours(header::HOST, "") != Some(true) {
            return Some((StatusCode::FORBIDDEN, "another Host\n"));
        }
        let origin = is_ours(header::ORIGIN, "http://");
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if origin == Some(false) || origin.is_none() && !reads {
            return Some((StatusCode::FORBIDDEN, "another Origin\n"));
        }
        let path = request.uri().path().trim_start_matches('/');
        let given = path.split('/').next().unwrap_or_default();
        if !same(given.as_bytes(), self.token.as_bytes()) {
            let why = "This address lacks its token: take the one that \
                       `cargo run -- --web` has printed.\n";
            return Some((StatusCode::FORBIDDEN, why));
        }
        None
    }

    /// A page, made when it is asked for the first time.
    fn page(&self, name: &str) -> Result<Option<Arc<str>>> {
        let lock = || self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = lock().get(name) {
            return Ok(Some(Arc::clone(page)));
        }
        let page = site::file(&self.content, name, true)?;
        let page = page.map(Arc::<str>::from);
        if let Some(page) = &page {
            lock().insert(name.to_owned(), Arc::clone(page));
        }
        Ok(page)
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, Sender<Event>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lesson that is to be run, if all that is wanted is allowed.
    fn checked(&self, wanted: &Wanted) -> Option<(&Pages, &'static Lesson)> {
        let pages = self.content.lesson(&wanted.lesson)?;
        let lesson = match wanted.also {
            true => pages.lesson.also()?,
            false => pages.lesson,
        };
        let languages = wanted.languages.map(Language::from);
        let is_allowed = lesson.pairings().contains(&languages)
            && wanted.count.is_none_or(|count| (1..=100).contains(&count))
            && (50..=10_000).contains(&wanted.every);
        is_allowed.then_some((pages, lesson))
    }
}

/// Takes the same time wherever they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    let differences = pairs.fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    // A header that is no text is none of ours.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

async fn first(State(web): State<Arc<Web>>) -> Redirect {
    Redirect::temporary(&format!("/{}/index.html", web.token))
}

async fn file(
    State(web): State<Arc<Web>>,
    Path((_, name)): Path<(String, String)>,
) -> Response {
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    };
    let made = tokio::task::spawn_blocking(move || web.page(&name)).await;
    match made {
        Ok(Ok(Some(page))) => {
            ([(header::CONTENT_TYPE, kind)], page.to_string()).into_response()
        }
        Ok(Ok(None)) => {
            (StatusCode::NOT_FOUND, "no such page\n").into_response()
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Starts a run. Its lines are the answer; it ends with the connection.
async fn start(
    State(web): State<Arc<Web>>,
    Path((_, page)): Path<(String, String)>,
    Json(wanted): Json<Wanted>,
) -> Response {
    if web.checked(&wanted).is_none() || page.len() > 64 {
        return (StatusCode::BAD_REQUEST, "this cannot be run\n")
            .into_response();
    }
    let (events, happened) = channel();
    {
        let mut runs = web.runs();
        if runs.contains_key(&page) {
            let why = "this page runs something already\n";
            return (StatusCode::CONFLICT, why).into_response();
        }
        if runs.len() >= RUNS {
            let why = "four pages run something already\n";
            return (StatusCode::TOO_MANY_REQUESTS, why).into_response();
        }
        runs.insert(page.clone(), events.clone());
    }
    let (told, heard) = tokio::sync::mpsc::channel(256);
    thread::spawn(move || {
        let _slot = Slot {
            web: &web,
            page: &page,
        };
        if let Some((pages, lesson)) = web.checked(&wanted) {
            run(pages, lesson, &wanted, (events, happened), &told);
        }
    });
    let lines = unfold(heard, |mut heard| async {
        let told = heard.recv().await?;
        let event = Sent::default().json_data(told).unwrap_or_default();
        Some((Ok::<_, Infallible>(event), heard))
    });
    // A page that has gone is noticed when nothing can be written to it.
    let alive = KeepAlive::new().interval(Duration::from_secs(1));
    Sse::new(lines).keep_alive(alive).into_response()
}

/// The place of a run among the four.
struct Slot<'a> {
    web: &'a Web,
    page: &'a str,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.web.runs().remove(self.page);
    }
}

/// Does something with the run of a page.
async fn act(
    State(web): State<Arc<Web>>,
    Path((_, page)): Path<(String, String)>,
    Json(act): Json<Act>,
) -> StatusCode {
    let is_allowed = match &act {
        Act::Kill { half } | Act::Freeze { half } | Act::Thaw { half } => {
            *half < 2
        }
        Act::Send { text } => text.len() <= LONGEST,
        Act::Stop => true,
    };
    if !is_allowed {
        return StatusCode::BAD_REQUEST;
    }
    let sent = web.runs().get(&page).map(|run| run.send(Event::Do(act)));
    match sent {
        Some(Ok(())) => StatusCode::NO_CONTENT,
        _ => StatusCode::NOT_FOUND,
    }
}

/// Ctrl-C, and SIGTERM where there is one: nothing that was started stays.
async fn end_on_signal(web: Arc<Web>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => drop(tokio::signal::ctrl_c().await),
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
    harness::end_all();
    rabbit::end_shared();
    // The runs notice it, and remove their folders.
    for _ in 0..30 {
        if web.runs().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process::exit(0);
}

fn open_browser(url: &str) {
    let mut command = if cfg!(target_os = "macos") {
        process::Command::new("open")
    } else if cfg!(windows) {
        process::Command::new("explorer")
    } else {
        process::Command::new("xdg-open")
    };
    let null = process::Stdio::null;
    command.arg(url).stdin(null()).stdout(null()).stderr(null());
    if let Err(error) = command.spawn() {
        eprintln!("open a browser: {error}");
    }
}
