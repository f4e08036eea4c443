//! What the child can do. JSON-RPC itself defines no method.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

/// What an error says: a code and a text.
pub type Failure = (i64, &'static str);

/// The codes that the standard defines. Those from -32000 to -32099 are free
/// for programs, and -32800 is from language servers.
pub const PARSE_ERROR: Failure = (-32700, "parse error");
/// It is JSON, but no request.
pub const INVALID_REQUEST: Failure = (-32600, "invalid request");
/// There is no such method.
pub const METHOD_NOT_FOUND: Failure = (-32601, "method not found");
/// The method cannot do anything with these parameters.
pub const INVALID_PARAMS: Failure = (-32602, "invalid params");
/// The client has cancelled the request.
pub const REQUEST_CANCELLED: Failure = (-32800, "request cancelled");

/// Calls the method that the request names. Those with a name from MCP are what
/// one of its clients asks for.
///
/// # Errors
/// With a code, for the client.
pub async fn call(request: &Value) -> Result<Value, Failure> {
    let params = &request["params"];
    match request["method"].as_str().unwrap_or_default() {
        "add" => add(params),
        "wait" => wait(params).await,
        "initialize" => Ok(json!({
            "capabilities": { "tools": {} },
            "protocolVersion": "2025-06-18",
            "serverInfo": { "name": "json-rpc", "version": "0.1.0" },
        })),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({ "tools": [{
            "name": "add",
            "description": "Adds two whole numbers",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "a": { "type": "integer" },
                    "b": { "type": "integer" },
                },
                "required": ["a", "b"],
            },
        }] })),
        "tools/call" if params["name"] == "add" => {
            let text = add(&params["arguments"])?.to_string();
            Ok(json!({ "content": [{ "type": "text", "text": text }] }))
        }
        "tools/call" => Err(INVALID_PARAMS),
        _ => Err(METHOD_NOT_FOUND),
    }
}

/// `{ "a": 2, "b": 3 }` makes 5.
fn add(params: &Value) -> Result<Value, Failure> {
    let number = |name: &str| params[name].as_i64().ok_or(INVALID_PARAMS);
    let sum = number("a")?.checked_add(number("b")?);
    Ok(json!(sum.ok_or(INVALID_PARAMS)?))
}

/// Answers after `{ "ms": 500 }` milliseconds.
async fn wait(params: &Value) -> Result<Value, Failure> {
    let milliseconds = params["ms"].as_u64().ok_or(INVALID_PARAMS)?;
    sleep(Duration::from_millis(milliseconds)).await;
    Ok(json!("done"))
}
