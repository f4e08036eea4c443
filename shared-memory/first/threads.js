// The first version: two threads and one number. Rust twin: threads.rs.
import { isMainThread, Worker, workerData } from 'node:worker_threads'

if (isMainThread) {
  const number = new Int32Array(new SharedArrayBuffer(4))
  console.log(`value before: ${Atomics.load(number, 0)}`)
  new Worker(new URL(import.meta.url), { workerData: number })
  Atomics.wait(number, 0, 0)
  console.log(`value after: ${Atomics.load(number, 0)}`)
} else {
  Atomics.add(workerData, 0, 42)
  Atomics.notify(workerData, 0)
}
