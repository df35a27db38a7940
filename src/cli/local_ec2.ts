import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Behaviour, type FaultRule, type Latency, latencies } from '../local/behaviour.js';
import { localRegion } from '../local/caller.js';
import { LocalEc2 } from '../local/ec2.js';
import { openPool } from '../local/pool.js';
import { withLock } from '../runtime/locks.js';
import { hostShell } from '../runtime/shell.js';
import { ExitError, exits } from './exits.js';

/** Opens the embedded EC2 of a state folder; its pool is mounted where there is one. */
export async function openLocalEc2(state: string, region = localRegion): Promise<LocalEc2> {
  // Not only where there is a pool: one may be in the making.
  if (existsSync(state)) await whilePoolStays(state, () => openPool(runCommand, localFolder(state)));
  return localEc2(state, region);
}

/** The embedded EC2 of a state folder whose pool is open. */
export function localEc2(state: string, region: string): LocalEc2 {
  return new LocalEc2({
    root: localFolder(state),
    region,
    run: runCommand,
    withLock: (path, action) => withLock(path, 'the embedded EC2', action),
    behaviour: behaviourFrom(process.env),
    log: logTo(process.env['CHROOTFILE_LOCAL_LOG']),
  });
}

/** Latency and faults, as the environment names them. @throws ExitError for files that do not hold any. */
function behaviourFrom(env: NodeJS.ProcessEnv): Behaviour {
  const latency = env['CHROOTFILE_LOCAL_LATENCY'];
  const rules = env['CHROOTFILE_LOCAL_FAULTS'];
  const profile = latency === 'ec2' || latency === 'instant' ? latencies[latency] : undefined;
  return new Behaviour(
    profile ?? (latency === undefined ? undefined : { ...latencies.instant, ...fromFile<Partial<Latency>>('CHROOTFILE_LOCAL_LATENCY', latency) }),
    rules === undefined ? [] : fromFile<FaultRule[]>('CHROOTFILE_LOCAL_FAULTS', rules),
  );
}

function fromFile<T>(variable: string, file: string): T {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (error) {
    throw new ExitError(exits.invalid, `${variable}: ${(error as Error).message}`);
  }
}

/** One JSON object a line. */
function logTo(file: string | undefined) {
  return file === undefined ? undefined : (entry: object) => appendFileSync(file, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}

/** Runs something while no other process makes, opens or removes the pool. */
export function whilePoolStays<T>(state: string, action: () => Promise<T>): Promise<T> {
  return withLock(join(state, 'locks', 'pool'), 'the embedded EC2', action);
}

/** Where a state folder keeps the embedded EC2. */
export function localFolder(state: string): string {
  return join(state, 'local');
}

/** Runs programs of the host for the embedded EC2, which knows no shell of its own. */
export function runCommand(command: readonly string[], options: { readonly allow?: readonly number[]; readonly signal?: AbortSignal } = {}): Promise<string> {
  return hostShell.run(command, options);
}
