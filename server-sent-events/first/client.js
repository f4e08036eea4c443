// The first version of the client. Rust twin: client.rs.
import { EventSource } from 'eventsource'

const source = new EventSource('http://127.0.0.1:8888/events')
source.onopen = () => console.log('connected.')
source.onmessage = event => console.log(`receive: ${event.data}`)
