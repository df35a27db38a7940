import { join } from 'node:path';
import { LocalEc2, localRegion } from '../local/ec2.js';
import { withLock } from '../runtime/locks.js';
import { hostShell } from '../runtime/shell.js';

/** The embedded EC2 of a state folder. */
export function openLocalEc2(state: string, region = localRegion): LocalEc2 {
  return new LocalEc2({
    root: join(state, 'local'),
    region,
    run: (command, options) => hostShell.run(command, options),
    withLock: (path, action) => withLock(path, 'the embedded EC2', action),
  });
}
