// A child that sends every message back, and the socket that came with it: to
// measure the channel.

process.on('message', (message, handle) => process.send(message, handle))
