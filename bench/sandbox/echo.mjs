// The floor of a call to another process: a server on loopback that sends back what it got. Tells its port on standard output.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  const chunks = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => response.end(Buffer.concat(chunks)))
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
