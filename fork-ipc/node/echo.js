// A child that sends every message back: to measure the channel.

process.on('message', message => process.send(message))
