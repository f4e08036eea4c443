// Jobs in RabbitMQ that fail: how often a job was tried, and the dead letters.
// Rust twin: ../src/amqp_retry.rs.

/** How often the job was delivered, this time included. */
export function tries(job) {
  const before = job.properties.headers?.['x-delivery-count'] ?? 0
  return 1 + Number(before)
}

/**
 * Adds a job to the dead letters, where somebody can look at it. Acknowledge
 * it after that: a crash in between leaves it in both queues.
 */
export async function deadLetter(broker, job) {
  const { channel, dead } = broker
  broker.returned = false
  channel.sendToQueue(dead, job.content, {
    persistent: true, // on the disk, not only in memory
    mandatory: true, // without such a queue, return the job to us
  })
  await channel.waitForConfirms()
  if (broker.returned) throw Error('publish: the broker returns it')
}
