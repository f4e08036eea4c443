//! The first version of the child. Node twin: `child.js`.
use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    for line in std::io::stdin().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let params = &request["params"];
        let sum = params["a"].as_i64().unwrap_or(0)
            + params["b"].as_i64().unwrap_or(0);
        let id = &request["id"];
        println!("{}", json!({ "id": id, "jsonrpc": "2.0", "result": sum }));
    }
    Ok(())
}
