/** @apollo/server with @apollo/gateway as they come: `node apollo.ts <supergraph file> <port>`. */
import { readFile } from 'node:fs/promises'
import { ApolloGateway } from '@apollo/gateway'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'

const [, , file = '', port = '0'] = process.argv
const gateway = new ApolloGateway({ supergraphSdl: await readFile(file, 'utf8') })
await startStandaloneServer(new ApolloServer({ gateway }), { listen: { host: '127.0.0.1', port: Number(port) } })
