//! How a child ended.

use std::fmt;
use std::process::ExitStatus;

/// Shows `exited with code 0` or `was killed by SIGKILL`, as the Node twin
/// does: Node has the two apart, as `code` and `signal`, and names signals.
#[derive(Clone, Copy, Debug)]
pub struct ExitReason(pub ExitStatus);

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(unix)]
        if let Some(number) =
            std::os::unix::process::ExitStatusExt::signal(&self.0)
        {
            return match rustix::process::Signal::from_named_raw(number) {
                // Its Debug form is "Signal::KILL", in quotes.
                Some(signal) => {
                    let name = format!("{signal:?}");
                    let name = name.trim_matches('"');
                    let name = name.trim_start_matches("Signal::");
                    write!(f, "was killed by SIG{name}")
                }
                None => write!(f, "was killed by signal {number}"),
            };
        }
        match self.0.code() {
            Some(code) => write!(f, "exited with code {code}"),
            None => write!(f, "ended: {}", self.0),
        }
    }
}

#[cfg(test)]
pub(crate) fn tests() -> Vec<harness::testing::Test> {
    #[cfg(unix)]
    return harness::unit_tests![codes_and_signals_have_their_names];
    #[cfg(not(unix))]
    return Vec::new();
}

#[cfg(all(test, unix))]
fn codes_and_signals_have_their_names() {
    use std::os::unix::process::ExitStatusExt;
    // What wait(2) answers: the signal, or the code in the next byte.
    for (status, reason) in [
        (0, "exited with code 0"),
        (0x0300, "exited with code 3"),
        (9, "was killed by SIGKILL"),
        (15, "was killed by SIGTERM"),
        (11 | 0x80, "was killed by SIGSEGV"), // and left a core dump
    ] {
        let shown = ExitReason(ExitStatus::from_raw(status)).to_string();
        assert_eq!(shown, reason);
    }
    if cfg!(target_os = "linux") {
        let shown = ExitReason(ExitStatus::from_raw(40)).to_string();
        assert_eq!(shown, "was killed by signal 40");
    }
}
