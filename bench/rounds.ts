/** Interleaved rounds of anything: every round runs every variant, forward and backward in turn. Knows nothing of what is measured. */

export interface Rounds {
  readonly rounds: number
  readonly note: (line: string) => void
}

/**
 * Runs all variants `rounds` times, after one round that warms up: connections, pages, compiled code.
 * @param variants  by the name of their row
 * @returns by row, one sample per round
 */
export async function inRounds<S>(
  variants: ReadonlyMap<string, () => Promise<S>>,
  { rounds, note }: Rounds,
): Promise<ReadonlyMap<string, readonly S[]>> {
  const samples = new Map<string, S[]>([...variants.keys()].map(row => [row, []]))
  for (let round = -1; round < rounds; round++) {
    const order = round % 2 === 0 ? [...variants] : [...variants].reverse()
    for (const [row, variant] of order) {
      const sample = await variant()
      if (round >= 0) samples.get(row)?.push(sample)
    }
    if (round >= 0) note(`round ${round + 1} of ${rounds}`)
  }
  return samples
}
