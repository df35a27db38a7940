import type { Here } from '../api/action.js';

interface Waiting {
  run(): void;
  fail(error: unknown): void;
}

/** Runs actions on snapshots whose blocks are written, one at a time on this host for each snapshot. */
export class Uploads {
  private readonly waiting = new Map<string, Waiting[]>();

  /** Actions that wait together share one lock, because a lock takes longer than writing a block. */
  run<T>(id: string, here: Here, action: () => T): Promise<T> {
    return new Promise((succeed, fail) => {
      const own: Waiting = { run: () => succeed(action()), fail };
      const others = this.waiting.get(id);
      if (others !== undefined) return void others.push(own);
      const all = [own];
      this.waiting.set(id, all);
      const locked = async () => {
        this.waiting.delete(id);
        for (const each of all) settle(each);
      };
      here.alone(id, locked).catch((error: unknown) => {
        if (this.waiting.get(id) === all) this.waiting.delete(id);
        for (const each of all) each.fail(error);
      });
    });
  }
}

function settle(one: Waiting): void {
  try {
    one.run();
  } catch (error) {
    one.fail(error);
  }
}
