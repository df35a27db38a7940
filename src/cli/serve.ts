import { once } from 'node:events';
import { join } from 'node:path';
import { isRegion } from '../local/caller.js';
import { type Ports, serve } from '../local/server.js';
import { claimState } from '../runtime/format.js';
import { lock } from '../runtime/locks.js';
import { ExitError, exits } from './exits.js';
import { behaviourOf, logTo, makeRoom, openLocalEc2, serverLock } from './local_ec2.js';
import { print, printError } from './output.js';
import { watchSignals } from './signals.js';
import { isRoot, stateFolder } from './state.js';
import { localTools, mustHave } from './tools.js';

export interface ServeOptions extends Ports {
  readonly state?: string;
  readonly region: string;
  readonly latency?: string;
  readonly faults?: string;
  readonly log?: string;
  readonly json: boolean;
}

/** `chrootfile local serve`: serves the embedded EC2 to other programs until a signal ends it; gives the exit code. */
export async function serveLocal({ json, ...options }: ServeOptions): Promise<number> {
  if (!isRoot()) throw new ExitError(exits.host, `serve needs root: it attaches block devices\n  help: sudo chrootfile local serve`);
  mustHave(localTools);
  const state = stateFolder(options.state);
  claimState(state);
  await makeRoom(state);
  const { env } = process;
  const behaviour = behaviourOf(options.latency ?? env['CHROOTFILE_LOCAL_LATENCY'], options.faults ?? env['CHROOTFILE_LOCAL_FAULTS']);
  const { region } = options;
  if (!isRegion(region)) throw new ExitError(exits.invalid, `--region ${region}: a region is called e.g. local-1 or eu-west-1`);
  const interruption = watchSignals();
  const release = await lock(serverLock(state), 'local serve');
  try {
    const log = logTo(options.log ?? env['CHROOTFILE_LOCAL_LOG']);
    const ec2 = await openLocalEc2(state, region, { behaviour, aliases: true, ...(log === undefined ? {} : { log }) });
    const served = await serve(ec2, options).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EADDRINUSE' ? new ExitError(exits.host, `${error.message}\n  help: --port 0 --metadata-port 0 takes ports that are free`) : error;
    });
    const { endpoint, metadata } = served;
    // On one line: whoever starts it reads until that has come.
    if (json) print(JSON.stringify({ endpoint, metadata, region, state }));
    else print(...greeting(endpoint, metadata, region, join(state, 'local')));
    const { signal } = interruption;
    if (!signal.aborted) await once(signal, 'abort');
    const left = await served.close();
    for (const { volume, device } of left) printError(`${volume} is still in use as ${device}: unmount it, then: aws ec2 detach-volume --volume-id ${volume}`);
    return left.length === 0 ? exits.done : exits.left;
  } finally {
    await release();
    interruption.stop();
  }
}

function greeting(endpoint: string, metadata: string, region: string, folder: string): string[] {
  return [
    `EC2 and STS        ${endpoint}   (region ${region})`,
    `instance metadata  ${metadata}   (and under /latest of the other)`,
    `kept in            ${folder}`,
    '',
    `  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=${region} AWS_DEFAULT_REGION=${region}`,
    `  aws --endpoint-url ${endpoint} ec2 describe-images`,
    `  chrootfile run --cloud aws --endpoint ${endpoint} RECIPE`,
    '',
    'Ctrl-C ends it.',
  ];
}
