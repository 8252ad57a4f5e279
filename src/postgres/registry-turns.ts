/** Work with the same name runs one after the other in this process; different names do not wait for each other. */

export interface Turns {
  run<T>(name: string, work: () => Promise<T>): Promise<T>
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>()
  return {
    run(name, work) {
      const before = last.get(name)
      // A failure before concerns only its own caller.
      const turn = before === undefined ? work() : before.then(work, work)
      last.set(name, turn)
      const leave = (): void => {
        if (last.get(name) === turn) last.delete(name)
      }
      turn.then(leave, leave)
      return turn
    },
  }
}
