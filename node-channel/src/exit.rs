//! How a process ended, in words.

use std::process::ExitStatus;

/// `exited with code 0`, or `was killed by SIGKILL`: what Node's `'exit'`
/// event gives as `code` and `signal`.
pub fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(number) = std::os::unix::process::ExitStatusExt::signal(&status)
    {
        return match name(number) {
            Some(name) => format!("was killed by SIG{name}"),
            None => format!("was killed by signal {number}"),
        };
    }
    match status.code() {
        Some(code) => format!("exited with code {code}"),
        None => "ended".to_owned(),
    }
}

/// A signal's name, where it is the same on all Unix systems or has a name
/// in rustix.
#[cfg(unix)]
fn name(number: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::ILL, "ILL"),
        (Signal::TRAP, "TRAP"),
        (Signal::ABORT, "ABRT"),
        (Signal::BUS, "BUS"),
        (Signal::FPE, "FPE"),
        (Signal::KILL, "KILL"),
        (Signal::USR1, "USR1"),
        (Signal::SEGV, "SEGV"),
        (Signal::USR2, "USR2"),
        (Signal::PIPE, "PIPE"),
        (Signal::ALARM, "ALRM"),
        (Signal::TERM, "TERM"),
        (Signal::SYS, "SYS"),
        (Signal::XCPU, "XCPU"),
        (Signal::XFSZ, "XFSZ"),
    ]
    .into_iter()
    .find_map(|(signal, name)| (signal.as_raw() == number).then_some(name))
}
