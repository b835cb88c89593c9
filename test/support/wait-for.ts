/** Waiting for something to become true, instead of sleeping and hoping that it has. */
import { setTimeout } from 'node:timers/promises'

const firstPauseMs = 5
const longestPauseMs = 50

/**
 * Asks `condition` again and again until it gives something other than undefined or false, and returns that.
 * When the deadline has passed it fails saying what it waited for, and what `condition` last threw, if it did:
 * until then an error only means "not yet".
 */
export async function waitFor<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs: number,
  what: string | (() => string),
): Promise<T> {
  const endMs = performance.now() + deadlineMs
  let lastError: unknown
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      const answer = await condition()
      if (answer !== undefined && answer !== false) return answer
      lastError = undefined
    } catch (error) {
      lastError = error
    }
    if (performance.now() >= endMs) {
      const waitedFor = typeof what === 'string' ? what : what()
      const last = lastError instanceof Error ? `; the last attempt failed: ${lastError.message}` : ''
      throw new Error(`waited ${deadlineMs} ms for ${waitedFor}${last}`, { cause: lastError })
    }
    await setTimeout(pauseMs)
  }
}
