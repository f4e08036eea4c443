//! The bench as a program; see the library beside it.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    bench::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("Error: the bench pins cores and reads /proc: it needs Linux");
    std::process::ExitCode::FAILURE
}
