// The first version of the HTTPS client. Rust twin: client.rs.
import { readFileSync } from 'node:fs'
import { get } from 'node:https'

const ca = readFileSync('target/https-echo/ca.pem')
get('https://127.0.0.1:8443/hello', { ca }, response => {
  console.log(`statusCode: ${response.statusCode}`)
  let body = ''
  response.setEncoding('utf8')
  response.on('data', text => { body += text })
  response.on('end', () => console.log(body))
})
