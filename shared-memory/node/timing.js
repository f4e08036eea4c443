// How long round trips take: --time. Rust twin: ../src/timing.rs.

/** The least, the middle one, and what one in a hundred takes longer than. */
export function summary(times) {
  times.sort((a, b) => a - b)
  const at = percent => {
    const last = Math.max(times.length - 1, 0)
    const time = times[Math.floor(last * percent / 100)] ?? 0
    return (1000 * time).toFixed(2)
  }
  return `${times.length} round trips: min ${at(0)} µs, ` +
    `median ${at(50)} µs, p99 ${at(99)} µs`
}
