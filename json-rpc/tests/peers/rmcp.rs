//! The Model Context Protocol's SDK for Rust calls a child as a tool.

use std::error::Error;

use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::TokioChildProcess;
use tokio::process::Command;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mut command = Command::new(words.next().ok_or("no program")?);
    command.args(words);
    let client = ().serve(TokioChildProcess::new(command)?).await?;
    for tool in client.list_all_tools().await? {
        println!("tool {}", tool.name);
    }
    let mut call = CallToolRequestParams::new("add");
    let numbers = serde_json::json!({ "a": 2, "b": 3 });
    call.arguments = numbers.as_object().cloned();
    let answer = serde_json::to_value(client.call_tool(call).await?)?;
    println!("add {}", answer["content"][0]["text"]);
    client.cancel().await?;
    Ok(())
}
