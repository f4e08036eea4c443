// Receives signals. Rust twin: receiver.rs.

// Until these two listeners are there, either signal ends this program.
process.on('SIGHUP', () => console.log('SIGHUP: read the settings again'))
process.on('SIGINT', () => {
  console.log('SIGINT: finish and end')
  clearInterval(alive)
})
console.log(`listening for signals, process id ${process.pid}`)
// A listener for a signal alone does not keep Node running.
const alive = setInterval(() => {}, 1000)
