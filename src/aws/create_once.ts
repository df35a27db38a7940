import type { Ec2 } from './client.js';
import { inCall, isLost, isThrottling, notSure } from './errors.js';
import { firstIdOf, type Search } from './find_created.js';
import type { MadeNote } from './journaled_create.js';
import { ec2Policy } from './policy.js';
import { onceAllowed, onceKnown, type Progress, pause } from './waiter.js';

/**
 * Sends a call that creates something and takes no client token. Searches for the resource before it sends the call again.
 * A throttled call had no effect.
 * @returns the id of the new resource.
 */
export async function createOnce(
  ec2: Ec2,
  call: string,
  note: MadeNote,
  signal: AbortSignal,
  { send, search, progress }: { readonly send: () => Promise<string | undefined>; readonly search: Search; readonly progress: Progress },
): Promise<string> {
  let lost = false;
  for (let attempt = 1, delay: number = ec2Policy.pollFirstMs; ; attempt += 1, delay = Math.min(delay * 2, ec2Policy.throttledMaxMs)) {
    try {
      return (await onceAllowed(signal, progress, () => onceKnown(signal, send))) ?? '';
    } catch (error) {
      const failure = inCall(call, error);
      lost ||= isLost(error);
      if (signal.aborted || attempt === ec2Policy.sendAttempts || !(isThrottling(error) || isLost(error))) throw lost ? notSure(failure) : failure;
      if (isThrottling(error)) await pause(delay * (0.5 + Math.random()), signal);
      else {
        const found = await firstIdOf(ec2, { ...note, asked_at: new Date().toISOString() }, search, signal).catch((failed: Error) => {
          throw notSure(failed);
        });
        if (found !== undefined) return found;
      }
    }
  }
}
