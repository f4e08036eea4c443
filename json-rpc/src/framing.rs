//! Where a message ends in a stream of bytes, in the two ways in use.

use std::io::{Error, ErrorKind, Result};

use clap::ValueEnum;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The longest message that is accepted, in bytes: one without an end would
/// fill the memory.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// How a message is marked in a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Framing {
    /// One line each, as in MCP.
    Lines,
    /// `Content-Length: N`, an empty line, N bytes, as in language servers.
    Headers,
}

impl Framing {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Headers => "headers",
        }
    }

    /// A message as it is sent, with its end marked.
    pub fn encode(self, text: &str) -> String {
        match self {
            // JSON has no line break within a message: it writes \n in a text.
            Self::Lines => format!("{text}\n"),
            Self::Headers => {
                let length = text.len(); // in bytes: 中 has three
                format!("Content-Length: {length}\r\n\r\n{text}")
            }
        }
    }

    /// Reads the next message; `None` at the end of the input.
    ///
    /// # Errors
    /// When nobody can say where the next message begins.
    pub async fn read(
        self,
        input: &mut (impl AsyncBufRead + Unpin),
    ) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Lines => read_line(input).await,
            Self::Headers => read_headers(input).await,
        }
    }
}

/// One line, without its end.
async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut limited = input.take(MAX_MESSAGE as u64 + 1);
    if limited.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.len() > MAX_MESSAGE {
        return Err(invalid("a message is longer than 16 MiB"));
    }
    Ok(Some(line.trim_ascii_end().to_vec()))
}

/// Lines of headers up to an empty one, and then as many bytes as one of them
/// says.
async fn read_headers(
    input: &mut (impl AsyncBufRead + Unpin),
) -> Result<Option<Vec<u8>>> {
    let mut length = None;
    loop {
        let Some(line) = read_line(input).await? else {
            return Ok(None);
        };
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(&line);
        let Some((name, value)) = line.split_once(':') else {
            return Err(invalid(&format!(
                "{line:?} is no header: is it a log?"
            )));
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    let length = length.ok_or_else(|| invalid("there is no Content-Length"))?;
    if length > MAX_MESSAGE {
        return Err(invalid("a message is longer than 16 MiB"));
    }
    let mut message = vec![0; length];
    input.read_exact(&mut message).await?;
    Ok(Some(message))
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}
