// Sends a signal to a process. Rust twin: sender.rs.

const [id] = process.argv.slice(2)
process.kill(id, 'SIGHUP')
console.log('sent SIGHUP')
