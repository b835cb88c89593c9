/** A progress bar on a terminal; nothing at all where the output goes to a file or a pipe. */

export interface Progress {
  update(done: number): void
  /** Takes the bar away, so that something else can be printed. */
  clear(): void
}

const barWidth = 30
/** It is drawn again at most this often. */
const redrawMs = 100

/** Shows how many of `total` things are done, on standard error. */
export function showProgress(total: number, what: string): Progress {
  const { stderr } = process
  if (!stderr.isTTY) return { update: () => {}, clear: () => {} }
  const startedAt = performance.now()
  let drawnAt = -redrawMs
  return {
    update(done) {
      const now = performance.now()
      if (now - drawnAt < redrawMs && done < total) return
      drawnAt = now
      const filled = Math.round((barWidth * done) / total)
      const leftSeconds = Math.round(((now - startedAt) / done / 1000) * (total - done))
      const bar = '#'.repeat(filled) + '-'.repeat(barWidth - filled)
      stderr.write(`\r[${bar}] ${done}/${total} ${what}, ${leftSeconds} s left \u001b[K`)
    },
    clear() {
      stderr.write('\r\u001b[K')
    },
  }
}
