//! W
use crate::check::Test;
pub fn tests() -> anyhow::Result<Vec<Test>> {
    Ok(vec![])
}
