// The first version of the HTTP client. Rust twin: client.rs.
import { get } from 'node:http'

get('http://127.0.0.1:8888/hello', response => {
  console.log(`statusCode: ${response.statusCode}`)
  let body = ''
  response.setEncoding('utf8')
  response.on('data', text => { body += text })
  response.on('end', () => console.log(body))
})
