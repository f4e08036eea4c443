use crate::check::Test;
pub fn tests() -> Vec<Test> {
    vec![]
}
