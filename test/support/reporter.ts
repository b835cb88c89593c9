/** Mocha's own report, and at its end one plain line that a script can read. */
import Mocha from 'mocha'

/** `12 passed, 0 failed, 3 skipped` */
export function summaryLine(stats: Pick<Mocha.Stats, 'passes' | 'failures' | 'pending'>): string {
  return `${stats.passes} passed, ${stats.failures} failed, ${stats.pending} skipped`
}

/** The reporter that .mocharc.json names. */
export default class SummaryReporter extends Mocha.reporters.Spec {
  override epilogue(): void {
    super.epilogue()
    console.log(summaryLine(this.stats))
  }
}
