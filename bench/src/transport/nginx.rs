//! nginx as a reference for HTTP: one process that answers with the target.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::Half;

use super::PATIENCE;

/// Starts it; returns its address as well.
pub(super) fn start(folder: &Path) -> Result<(Half, String)> {
    // It cannot choose a port itself. Another program may take the one that
    // was free a moment ago: then it ends, and the next one is tried.
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let file = folder.join(format!("nginx-{}.conf", free.port()));
        fs::write(&file, configuration(folder, free.port()))?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder).arg("-c").arg(&file);
        command.args(["-e", "stderr"]);
        let half = Half::start(&mut command).context("start nginx")?;
        let deadline = Instant::now() + PATIENCE;
        let path = format!("/proc/{}/exe", half.id());
        while Instant::now() < deadline && fs::read_link(&path).is_ok() {
            if TcpStream::connect(free).is_ok() {
                return Ok((half, free.to_string()));
            }
            // It says nothing when it is ready: ask again and again.
            thread::sleep(Duration::from_millis(1));
        }
    }
    bail!("nginx does not start")
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "daemon off; master_process off; pid {folder}/nginx-{port}.pid;
        worker_rlimit_nofile 20000;
        events {{ worker_connections 12000; }}
        http {{
            access_log off; default_type text/plain;
            keepalive_requests 1000000000; keepalive_timeout 1h;
            client_body_temp_path {folder}; proxy_temp_path {folder};
            fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
            scgi_temp_path {folder};
            server {{
                listen 127.0.0.1:{port} backlog=1024;
                location / {{ return 200 $request_uri; }}
            }}
        }}"
    )
}
