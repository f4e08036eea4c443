// The requests that are still being answered, and what cancels each. Rust twin:
// ../src/running.rs.

const controllers = new Map()

/** Adds a request. Returns the AbortSignal that is aborted to cancel it. */
export function insert(id) {
  const controller = new AbortController()
  controllers.set(JSON.stringify(id), controller)
  return controller.signal
}

/** Removes a request: it has its answer. */
export function remove(id) {
  controllers.delete(JSON.stringify(id))
}

/** Cancels a request. If it has its answer, there is nothing to cancel. */
export function cancel(id) {
  controllers.get(JSON.stringify(id))?.abort()
}

/** Cancels all requests. */
export function cancelAll() {
  for (const controller of controllers.values()) controller.abort()
}
