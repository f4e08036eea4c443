// How long round trips take: --time. Rust twin: ../src/timing.rs.

/**
 * The least, the middle one, and what one in a hundred and one in a thousand
 * take longer than.
 */
export function summary(times) {
  times.sort((a, b) => a - b)
  const at = permille => {
    const last = Math.max(times.length - 1, 0)
    const time = times[Math.floor(last * permille / 1000)] ?? 0
    return (1000 * time).toFixed(2)
  }
  return `${times.length} round trips: min ${at(0)} µs, ` +
    `median ${at(500)} µs, p99 ${at(990)} µs, p99.9 ${at(999)} µs`
}
