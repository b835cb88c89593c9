/** As much of express-session as the tests use; the package brings no types of its own. */
declare module 'express-session' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface SessionData {
    cookie: { expires?: Date | null; originalMaxAge?: number | null }
    visits?: number
  }

  export class Store {}

  type Middleware = (
    request: IncomingMessage,
    response: ServerResponse,
    next: (error?: unknown) => void,
  ) => void

  export default function session(options: {
    store: Store
    secret: string
    resave: boolean
    saveUninitialized: boolean
    cookie?: { maxAge: number }
  }): Middleware
}
