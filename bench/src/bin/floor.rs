//! The least that the kernel allows: see `transports/floor.rs`.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    bench::floor()
}

#[cfg(not(target_os = "linux"))]
fn main() {}
