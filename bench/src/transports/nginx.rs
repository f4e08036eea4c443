//! nginx as a reference for HTTP: one process that answers with the target.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use harness::Half;

use super::start::at_a_free_port;

/// Starts it; returns its address as well.
pub(super) fn start(folder: &Path) -> Result<(Half, String)> {
    at_a_free_port("nginx", |port| {
        let file = folder.join(format!("nginx-{port}.conf"));
        fs::write(&file, configuration(folder, port))?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder).arg("-c").arg(&file);
        command.args(["-e", "stderr"]);
        Ok(command)
    })
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
