/**
 * What the tests with real Redis clients share: one way to talk through any of the client libraries, and the ends of
 * all connections.
 */
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis'
import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis6'
import { Redis as Valkey, Cluster as ValkeyCluster } from 'iovalkey'
import { createClient, createCluster, RESP_TYPES } from 'node-redis'
import { stopAll, type TestNode } from '../support/processes.js'

/** A reply, with bulk strings as bytes. */
export type Reply = Buffer | string | number | bigint | null | undefined | Error | Reply[] | object

/** Words of a command. */
export type Words = readonly [name: string, ...words: (string | Buffer)[]]

/** A client library, as the tests use it. */
export interface RedisClient {
  /** The reply to one command; an error reply is thrown. */
  call(...words: Words): Promise<Reply>
  /** Sends commands in one go without waiting; the replies in order, errors among them. */
  pipeline(commands: readonly Words[]): Promise<Reply[]>
  /** MULTI, the commands and EXEC; null where a watched key had changed. */
  multi(commands: readonly Words[]): Promise<Reply[] | null>
  close(): void
}

/** A library, and how to connect with it to one node, or to a cluster of which some nodes are known. */
export interface RedisLibrary {
  readonly name: string
  connect(node: TestNode): Promise<RedisClient>
  connectCluster(nodes: readonly TestNode[]): Promise<RedisClient>
}

const open = new Set<{ close(): void }>()

/** Ends the clients that are still connected, then all processes: `after(stopAllWithClients)`. */
export async function stopAllWithClients(this: Mocha.Context): Promise<void> {
  for (const client of open) client.close()
  open.clear()
  await stopAll.call(this)
}

/** Has {@link stopAllWithClients} end this, too. */
export function endLater(close: () => void): void {
  open.add({ close })
}

/** The libraries, those with two versions of the protocol in both. */
export const libraries: readonly RedisLibrary[] = [
  // The three have one interface; their types differ where it is not used here.
  ioredisLike('ioredis 5', Redis5 as unknown as IoredisClass, Cluster5 as unknown as IoredisClusterClass),
  ioredisLike('ioredis 6', Redis6 as unknown as IoredisClass, Cluster6 as unknown as IoredisClusterClass),
  ioredisLike('iovalkey', Valkey as unknown as IoredisClass, ValkeyCluster as unknown as IoredisClusterClass),
  nodeRedis(2),
  nodeRedis(3),
]

type IoredisClass = new (options: object) => Ioredis
type IoredisClusterClass = new (nodes: readonly object[], options: object) => Ioredis

/** What ioredis and its descendants have in common. */
interface Ioredis {
  callBuffer(...words: Words): Promise<Reply>
  pipeline(): IoredisPipeline
  multi(): IoredisPipeline
  disconnect(): void
  on(event: 'error', listener: (error: Error) => void): unknown
  once(event: 'ready', listener: () => void): unknown
}

interface IoredisPipeline {
  callBuffer(...words: Words): IoredisPipeline
  exec(): Promise<[Error | null, Reply][] | null>
}

function ioredisLike(name: string, One: IoredisClass, Many: IoredisClusterClass): RedisLibrary {
  const use = async (redis: Ioredis): Promise<RedisClient> => {
    endLater(() => redis.disconnect())
    // Seen by whoever waits for a reply.
    redis.on('error', () => {})
    await new Promise<void>(resolve => redis.once('ready', resolve))
    const run = async (pipeline: IoredisPipeline, commands: readonly Words[]): Promise<Reply[] | null> => {
      for (const words of commands) pipeline.callBuffer(...words)
      const replies = await pipeline.exec()
      return replies === null ? null : replies.map(([error, reply]) => error ?? reply)
    }
    return {
      call: (...words) => redis.callBuffer(...words),
      pipeline: async commands => (await run(redis.pipeline(), commands)) ?? [],
      multi: commands => run(redis.multi(), commands),
      close: () => redis.disconnect(),
    }
  }
  return {
    name,
    connect: ({ host, port }) => use(new One({ host, port })),
    connectCluster: nodes =>
      use(
        new Many(
          nodes.map(({ host, port }) => ({ host, port })),
          {},
        ),
      ),
  }
}

function nodeRedis(version: 2 | 3): RedisLibrary {
  const types = { [RESP_TYPES.BLOB_STRING]: Buffer }
  return {
    name: `node-redis with RESP${version}`,
    connect: async ({ host, port }) => {
      const client = createClient({ socket: { host, port }, RESP: version })
      client.on('error', () => {})
      await client.connect()
      endLater(() => client.destroy())
      const inBytes = client.withTypeMapping(types)
      const send = (words: Words): Promise<Reply> => inBytes.sendCommand([...words]) as Promise<Reply>
      return {
        call: (...words) => send(words),
        // What is sent within one turn is sent in one go.
        pipeline: commands => Promise.all(commands.map(words => send(words).catch((error: Error) => error))),
        multi: async commands => {
          const transaction = inBytes.multi()
          for (const words of commands) transaction.addCommand([...words])
          // It throws where a watched key has changed.
          return transaction.exec().then(
            replies => replies as Reply[],
            error =>
              error instanceof Error && error.constructor.name === 'WatchError'
                ? null
                : Promise.reject(error),
          )
        },
        close: () => client.destroy(),
      }
    },
    connectCluster: async nodes => {
      const rootNodes = nodes.map(({ host, port }) => ({ socket: { host, port } }))
      const client = createCluster({ rootNodes, RESP: version })
      client.on('error', () => {})
      await client.connect()
      endLater(() => client.destroy())
      const send = (words: Words): Promise<Reply> => {
        const key = String(words[1])
        return client.sendCommand(key, false, [...words]) as Promise<Reply>
      }
      return {
        call: (...words) => send(words),
        pipeline: commands => Promise.all(commands.map(words => send(words).catch((error: Error) => error))),
        multi: () => Promise.reject(new Error('is tried with one node')),
        close: () => client.destroy(),
      }
    },
  }
}

/** A reply as text, for comparisons. */
export function textOf(reply: Reply): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString()
  if (reply instanceof Error) return reply.message
  return Array.isArray(reply) ? reply.map(textOf) : reply
}
