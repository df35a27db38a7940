import { appendFileSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../dsl/syntax/limits.js';
import { hostShell } from '../linux/command.js';
import { isHeld, ownerOf, withLock } from '../linux/lock.js';
import { readRegularFile } from '../linux/regular_file.js';
import { LocalEc2, type LocalOptions } from '../local/ec2.js';
import { FaultInjection, latencies, latencyFrom, rulesFrom } from '../local/fault_injection.js';
import { deviceOf, devicesIn } from '../local/loop_devices.js';
import { openPool } from '../local/pool.js';
import { localRegion } from '../local/request_identity.js';
import { regionsIn } from '../local/store.js';
import { commandToType } from '../runtime/runs/command_to_type.js';
import { tendReserve } from '../runtime/runs/reserve.js';
import { listRuns } from '../runtime/runs/run_folder.js';
import { ExitError, exits } from './exit_codes.js';
import { printError } from './terminal/output.js';

/** Opens the embedded EC2 of a state folder; its pool is mounted where there is one. */
export async function openLocalEc2(state: string, region = localRegion, options: Partial<LocalOptions> = {}): Promise<LocalEc2> {
  // Also without a pool: another process may be creating one.
  if (existsSync(state)) await whilePoolStays(state, () => openPool(runCommand, localFolder(state)));
  return localEc2(state, region, options);
}

/** The embedded EC2 of a state folder whose pool is open. */
export function localEc2(state: string, region: string, options: Partial<LocalOptions> = {}): LocalEc2 {
  return new LocalEc2({
    root: localFolder(state),
    region,
    run: runCommand,
    makeRoom: () => makeRoom(state),
    warn: (message) => printError(`warning: ${message}`),
    injection: injectionOf(process.env['CHROOTFILE_LOCAL_LATENCY'], process.env['CHROOTFILE_LOCAL_FAULTS']),
    log: logTo(process.env['CHROOTFILE_LOCAL_LOG']),
    ...options,
  });
}

/**
 * Latency and faults, as set by the environment or the command line.
 * @param latency `instant`, `ec2`, or a file for {@link latencyFrom}. @param rules a file for {@link rulesFrom}.
 * @throws ExitError for invalid files.
 */
export function injectionOf(latency: string | undefined, rules: string | undefined): FaultInjection {
  const profile = latency === 'ec2' || latency === 'instant' ? latencies[latency] : undefined;
  return new FaultInjection(
    profile ?? (latency === undefined ? undefined : fromFile(latency, latencyFrom)),
    rules === undefined ? [] : fromFile(rules, rulesFrom),
  );
}

function fromFile<T>(file: string, read: (value: unknown) => T): T {
  try {
    return read(JSON.parse(readRegularFile(file, limits.fileBytes).toString('utf8')));
  } catch (error) {
    throw new ExitError(exits.invalid, `${file}: ${(error as Error).message}`);
  }
}

/** Writes one JSON object a line. @throws ExitError where the file cannot be written. */
export function logTo(file: string | undefined) {
  if (file === undefined) return undefined;
  try {
    appendFileSync(file, '', { mode: 0o600 });
  } catch (error) {
    throw new ExitError(exits.invalid, (error as Error).message);
  }
  return (entry: object) => {
    try {
      appendFileSync(file, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
    } catch {
      // The request was carried out and must be answered; a full disk is reported elsewhere.
    }
  };
}

/** Runs something while no other process makes, opens or removes the pool. */
export function whilePoolStays<T>(state: string, action: () => Promise<T>): Promise<T> {
  return withLock(join(state, 'locks', 'pool'), 'the embedded EC2', action);
}

/** The lock of the one server that a state folder can have. */
export function serverLock(state: string): string {
  return join(state, 'locks', 'serve');
}

/** Looks after the reserves of a state folder, and of the pool in it, which is a file system of its own. */
export async function makeRoom(state: string): Promise<void> {
  const pool = localFolder(state);
  const own = statSync(pool, { throwIfNoEntry: false });
  // The kernel retries writes to volumes that did not fit, and gives up those that still do not.
  const settle = async () => {
    const devices = devicesIn(regionsIn(pool).map((region) => join(pool, region, 'disks')));
    for (const device of devices) await hostShell.run(['blockdev', '--flushbufs', device]).catch(() => {});
  };
  await tendReserve(state, settle);
  if (own !== undefined && own.dev !== statSync(state).dev) await tendReserve(pool, settle);
}

/** @throws ExitError when a run uses the state of the embedded EC2, it is served, or a volume of any region is attached. */
export function mustBeIdle(state: string): void {
  const busy = listRuns(state).find((run) => run.busy);
  if (busy !== undefined) throw new ExitError(exits.locked, `run ${busy.id} is still running`);
  if (isHeld(serverLock(state)))
    throw new ExitError(exits.locked, `the embedded EC2 is being served by process ${ownerOf(serverLock(state))?.pid}\n  help: stop that process first`);
  const attached = regionsIn(localFolder(state)).flatMap((region) => {
    const { store } = localEc2(state, region);
    return store.list('volumes').filter((volume) => deviceOf(store.diskOf(volume.id)) !== undefined);
  });
  if (attached.length > 0) {
    throw new ExitError(
      exits.invalid,
      `volumes are attached: ${attached.map((volume) => volume.id).join(', ')}\n  help: ${commandToType(state, 'undo --all')}`,
    );
  }
}

/** The message for a volume that stays attached because a client of a server still uses it. */
export function inUse(volume: string, device: string, state: string): string {
  return `${volume} is still in use as ${device}: unmount it, then: ${commandToType(state, 'local detach')}`;
}

/** Where a state folder keeps the embedded EC2. */
export function localFolder(state: string): string {
  return join(state, 'local');
}

/** Runs programs of the host for the embedded EC2, which has no shell of its own. */
export function runCommand(command: readonly string[], options: { readonly allow?: readonly number[]; readonly signal?: AbortSignal } = {}): Promise<string> {
  return hostShell.run(command, options);
}
