//! The arguments of a program that Node's `fork()` may have started.

use std::env;
use std::ffi::{OsStr, OsString};

/// Parses this program's arguments, with or without what `fork()` puts in
/// front of them.
///
/// `fork(module, args, { execPath })` believes that it starts a Node: it puts
/// Node's own flags first, then the module's path, and `args` only then. If
/// the arguments cannot be parsed as they are, this leaves out the first word,
/// if it has no dash, or all up to a word that looks like a path. Nothing is
/// left out without a channel, nor when no such word is there: who makes a
/// mistake wants to hear of it.
///
/// ```
/// use clap::Parser;
/// #[derive(Parser)]
/// struct Args {}
///
/// let args: Args = fork_ipc::parse_arguments();
/// ```
///
/// As [`clap::Parser::parse`], it prints a mistake in the arguments, or the
/// help that they ask for, and ends the program.
pub fn parse_arguments<T: clap::Parser>() -> T {
    let forked = env::var_os("NODE_CHANNEL_FD").is_some();
    let words = env::args_os().collect();
    parse_list(words, forked, |words| T::try_parse_from(words))
        .unwrap_or_else(|mistake| mistake.exit())
}

fn parse_list<T, E>(
    all: Vec<OsString>,
    forked: bool,
    parse: impl Fn(Vec<OsString>) -> Result<T, E>,
) -> Result<T, E> {
    let error = match parse(all.clone()) {
        Err(error) if forked => error,
        parsed => return parsed,
    };
    for (at, word) in all.iter().enumerate().skip(1) {
        if !may_be_module(word, at) {
            continue;
        }
        let mut rest = all.clone();
        rest.drain(1..=at);
        if let Ok(parsed) = parse(rest) {
            return Ok(parsed);
        }
    }
    Err(error)
}

/// Behind flags, the value of one of ours must not be taken for a module.
fn may_be_module(word: &OsStr, at: usize) -> bool {
    let bytes = word.as_encoded_bytes();
    let path = bytes.iter().any(|byte| b"./\\".contains(byte));
    !bytes.starts_with(b"-") && (at == 1 || path)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn tests() -> Vec<harness::testing::Test> {
        harness::unit_tests![
            what_fork_puts_in_front_is_left_out,
            a_mistake_is_a_mistake,
        ]
    }

    /// Takes `--count N` and nothing else, as clap would.
    fn parsed(words: &str, forked: bool) -> Result<String, ()> {
        let words = words.split_whitespace().map(OsString::from).collect();
        parse_list(words, forked, |list| {
            let list: Vec<String> =
                list.into_iter().flat_map(OsString::into_string).collect();
            match &list[1..] {
                [] => Ok(String::new()),
                [flag, number] if flag == "--count" => Ok(number.clone()),
                _ => Err(()),
            }
        })
    }

    fn what_fork_puts_in_front_is_left_out() {
        assert_eq!(parsed("child", true).unwrap(), "");
        assert_eq!(parsed("child --count 2", true).unwrap(), "2");
        assert_eq!(parsed("child /x.js --count 2", true).unwrap(), "2");
        assert_eq!(parsed("child worker --count 2", true).unwrap(), "2");
        assert_eq!(parsed("child --a=5 -r y /x.js", true).unwrap(), "");
        assert_eq!(
            parsed("child --a=5 -r y /x.js --count 2", true).unwrap(),
            "2"
        );
    }

    fn a_mistake_is_a_mistake() {
        assert!(parsed("child --cuont 2 3", false).is_err());
        assert!(parsed("child --count", true).is_err());
        // `3` is no module, and nothing remains to be parsed behind it.
        assert!(parsed("child --cuont 2 --message 3", true).is_err());
    }
}
