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
/// `parse` is given the words, of which the first is the program, and may be
/// called more than once. With clap, it is `Args::try_parse_from`:
///
/// ```
/// # struct Args;
/// # impl Args {
/// #     fn try_parse_from(_: Vec<std::ffi::OsString>) -> Result<Self, String> {
/// #         Ok(Args)
/// #     }
/// # }
/// let args = node_channel::parse_arguments(Args::try_parse_from);
/// ```
///
/// Call it before [`child::channel`](crate::child::channel), which takes the
/// variable away that tells of a channel.
///
/// # Errors
/// With what `parse` said to all the arguments, when none of this helps.
pub fn parse_arguments<T, E>(
    parse: impl Fn(Vec<OsString>) -> Result<T, E>,
) -> Result<T, E> {
    let forked = env::var_os("NODE_CHANNEL_FD").is_some();
    parse_list(env::args_os().collect(), forked, parse)
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
mod tests {
    use super::*;

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

    #[test]
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

    #[test]
    fn a_mistake_is_a_mistake() {
        assert!(parsed("child --cuont 2 3", false).is_err());
        assert!(parsed("child --count", true).is_err());
        // `3` is no module, and nothing remains to be parsed behind it.
        assert!(parsed("child --cuont 2 --message 3", true).is_err());
    }
}
