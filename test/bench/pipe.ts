/** The floor: bytes from one socket to the other in Node, without a word of HTTP. */
import { connect, createServer } from 'node:net'
import { answerCalls } from './channel.ts'

answerCalls({
  listen: ({ upstreamPort }: { upstreamPort: number }) =>
    new Promise<number>((resolve) => {
      const server = createServer({ noDelay: true }, (client) => {
        const upstream = connect({ port: upstreamPort, host: '127.0.0.1', noDelay: true })
        client.pipe(upstream).pipe(client)
        client.on('error', () => upstream.destroy())
        upstream.on('error', () => client.destroy())
        client.on('close', () => upstream.destroy())
        upstream.on('close', () => client.destroy())
      })
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
        const address = server.address()
        resolve(typeof address === 'object' && address ? address.port : 0)
      })
    }),
})
