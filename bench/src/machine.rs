//! Where and with what a run was made.

use std::fs;
use std::process::Command;

use harness::root;
use serde::{Deserialize, Serialize};

/// What somebody has to know who compares two runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// When, in UTC.
    pub date: String,
    /// The processor's name.
    pub processor: String,
    /// How many cores this process may use.
    pub cores: usize,
    /// On a virtual machine.
    pub virtual_machine: bool,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// The kernel's release.
    pub kernel: String,
    /// `rustc --version`.
    pub rust: String,
    /// `node --version`, or none where it is not installed.
    pub node: Option<String>,
    /// `nginx -v`, or none where it is not installed.
    pub nginx: Option<String>,
    /// Of `redis-server --version`, or none where it is not installed.
    #[serde(default)]
    pub redis: Option<String>,
    /// The checkout's commit, with `+` when files differ from it.
    pub commit: String,
    /// Processes that wanted to run in the minute before: what else the
    /// machine was doing.
    pub load: f64,
}

impl Machine {
    /// Looks around.
    pub fn find() -> Self {
        let info = read("/proc/cpuinfo");
        let field = |name: &str| {
            info.lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_once(':'))
                .map_or("", |(_, value)| value.trim())
                .to_owned()
        };
        let kib = read("/proc/meminfo")
            .split_whitespace()
            .nth(1)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or_default();
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
        let changed = said("git", &["status", "--porcelain"]);
        let mark = if changed.is_some() { "+" } else { "" };
        Self {
            date: said("date", &["-u", "+%F %H:%M UTC"]).unwrap_or_default(),
            processor: field("model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            virtual_machine: field("flags")
                .split(' ')
                .any(|flag| flag == "hypervisor"),
            memory_gib: (kib / 104_857.6).round() / 10.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            rust: said("rustc", &["--version"]).unwrap_or_default(),
            node: said("node", &["--version"]),
            nginx: said("nginx", &["-v"])
                .map(|text| text.replace("nginx version: nginx/", "")),
            redis: said("redis-server", &["--version"]).and_then(|text| {
                let version =
                    text.split(' ').find_map(|word| word.strip_prefix("v="));
                version.map(str::to_owned)
            }),
            commit: commit.map_or_else(String::new, |commit| commit + mark),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
        }
    }

    /// In a few lines, for the top of every output.
    pub fn lines(&self) -> Vec<String> {
        let kind = if self.virtual_machine {
            ", virtual machine"
        } else {
            ""
        };
        let absent = || "not installed".to_owned();
        let mut lines = vec![
            format!(
                "{}, {} cores{kind}, {} GiB, Linux {}",
                self.processor, self.cores, self.memory_gib, self.kernel
            ),
            format!(
                "{}; Node {}; nginx {}; Redis {}",
                self.rust,
                self.node.clone().unwrap_or_else(absent),
                self.nginx.clone().unwrap_or_else(absent),
                self.redis.clone().unwrap_or_else(absent)
            ),
            format!("commit {}, {}", self.commit, self.date),
        ];
        if self.load >= 0.7 {
            lines.push(format!(
                "The machine was busy with other work (load {}): \
                 compare ratios, not figures.",
                self.load
            ));
        }
        lines
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first line that a program prints, on either output.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::find();
        assert!(machine.cores > 0 && machine.memory_gib > 0.0);
        assert!(machine.date.ends_with(" UTC"), "{}", machine.date);
        assert!(!machine.kernel.is_empty() && !machine.rust.is_empty());
        let redis = machine.redis.as_deref().unwrap_or("0");
        assert!(redis.starts_with(|c: char| c.is_ascii_digit()), "{redis}");
    }
}
