import { once } from 'node:events';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { lock } from '../../../linux/lock.js';
import { plainJson } from '../../../linux/plain_text.js';
import { type Ports, serve } from '../../../local/http/server.js';
import { isRegion } from '../../../local/request_identity.js';
import { commandToType } from '../../../runtime/runs/command_to_type.js';
import { claimState } from '../../../runtime/runs/format.js';
import { injectionOf, inUse, logTo, makeRoom, openLocalEc2, serverLock } from '../../embedded_ec2.js';
import { ExitError, exits } from '../../exit_codes.js';
import { canAdminister, loopDevicesMissing, loopHelp } from '../../requirements.js';
import { keepNote, newSecretKey, noteOf, type ServedNote } from '../../served_ec2.js';
import { mustBeRoot, stateFolder } from '../../state.js';
import { print, printError } from '../../terminal/output.js';
import { watchSignals } from '../../terminal/signals.js';
import { localTools, mustHave } from '../../tools.js';
import { jsonOption, stateOption, type Verb } from '../../verbs.js';

/** Declares `chrootfile local serve`. */
export const verb: Verb = (local, { exit }) => {
  local
    .command('serve')
    .description('serve the embedded EC2 over HTTP, with block devices and instance metadata')
    .addOption(new Option('--port <n>', 'port of EC2 and STS; 0 selects a free one').argParser(port).default(7780))
    .addOption(new Option('--metadata-port <n>', 'port of the instance metadata service; 0 selects a free one').argParser(port).default(7781))
    .addOption(new Option('--listen <address>', 'address for EC2 and STS instead of 127.0.0.1, never for metadata; requires --host'))
    .addOption(new Option('--host <names...>', 'host names that clients may use for this machine'))
    .addOption(new Option('--no-auth', 'do not verify signatures: anyone who can connect can use it'))
    .addOption(new Option('--region <region>', 'region of this machine').default('local-1'))
    .addOption(new Option('--latency <profile>', 'latency profile: instant, ec2, or a file (default: instant)'))
    .addOption(new Option('--faults <file>', 'file of faults to inject'))
    .addOption(new Option('--log <file>', 'write all requests and responses as JSON lines'))
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  sudo chrootfile local serve\n  sudo chrootfile local serve --latency ec2 --log requests.ndjson\n  sudo chrootfile local serve --port 0 --metadata-port 0 --json\n  sudo chrootfile local serve --listen 10.0.0.5 --host build1.example',
    )
    .action(async ({ host, ...options }) => exit(await serveLocal({ ...options, hosts: host })));
};

interface ServeOptions extends Ports {
  readonly state?: string;
  readonly region: string;
  readonly latency?: string;
  readonly faults?: string;
  readonly log?: string;
  readonly auth: boolean;
  readonly json: boolean;
}

/** `chrootfile local serve`: serves the embedded EC2 to other programs until a signal arrives; returns the exit code. */
async function serveLocal({ json, ...options }: ServeOptions): Promise<number> {
  mustBeRoot('serve needs root: it attaches block devices', 'local serve', options.state);
  mustHave(localTools);
  await warnOfLoopDevices();
  const state = stateFolder(options.state);
  claimState(state);
  await makeRoom(state);
  const { env } = process;
  const injection = injectionOf(options.latency ?? env['CHROOTFILE_LOCAL_LATENCY'], options.faults ?? env['CHROOTFILE_LOCAL_FAULTS']);
  const { region, auth } = options;
  if (!isRegion(region)) throw new ExitError(exits.invalid, `--region ${region}: a region has a name such as local-1 or eu-west-1`);
  checkPlace(options);
  const secretKey = auth ? newSecretKey() : undefined;
  const interruption = watchSignals();
  const release = await lock(serverLock(state), 'local serve');
  let forget = () => {};
  try {
    const log = logTo(options.log ?? env['CHROOTFILE_LOCAL_LOG']);
    const ec2 = await openLocalEc2(state, region, { injection, aliases: true, secretKey, ...(log === undefined ? {} : { log }) });
    const served = await serve(ec2, options).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EADDRINUSE' ? new ExitError(exits.host, `${error.message}\n  help: --port 0 --metadata-port 0 selects free ports`) : error;
    });
    const note = noteOf(served, region, state, secretKey, options.listen);
    forget = keepNote(note);
    // On one line, so that a program that starts the server knows when it has read everything.
    if (json) print(plainJson(note));
    else print(...greeting(note, options));
    const { signal } = interruption;
    if (!signal.aborted) await once(signal, 'abort');
    const left = await served.close();
    for (const { volume, device } of left) printError(inUse(volume, device, state));
    return left.length === 0 ? exits.done : exits.left;
  } finally {
    forget();
    await release();
    interruption.stop();
  }
}

/** @throws ExitError when other machines could use it without a key, or without a host name. */
function checkPlace({ listen, hosts = [], auth }: Omit<ServeOptions, 'json'>): void {
  const refused = (text: string) => new ExitError(exits.invalid, text);
  const [odd] = hosts.filter((host) => !/^[A-Za-z0-9.:-]+$/.test(host));
  if (odd !== undefined) throw refused(`--host ${odd}: write a host name or an address, without a port`);
  if (listen === undefined) return;
  if (isIP(listen) === 0) throw refused(`--listen ${listen}: write an IP address, e.g. 10.0.0.5 or 0.0.0.0`);
  if (!auth) throw refused('--listen and --no-auth exclude each other: other machines need the secret access key');
  if (hosts.length === 0) throw refused(`--listen requires the host names that clients use for this machine\n  help: --listen ${listen} --host NAME`);
}

/** Clients may need no disks. */
async function warnOfLoopDevices(): Promise<void> {
  const missing = canAdminister() ? await loopDevicesMissing() : 'this process does not have CAP_SYS_ADMIN';
  if (missing !== undefined) printError(`warning: volumes cannot be attached: ${missing}\n  help: ${loopHelp}`);
}

function greeting({ endpoint, metadata, region, state }: ServedNote, { listen, auth }: Omit<ServeOptions, 'json'>): string[] {
  return [
    `EC2 and STS        ${endpoint}   (region ${region})`,
    `instance metadata  ${metadata}${listen === undefined ? '   (also under /latest of the EC2 endpoint)' : ''}`,
    `stored in          ${join(state, 'local')}`,
    '',
    ...(auth
      ? ['Requests must be signed with the secret access key of this server. To set the environment of clients:']
      : ['Signatures are not verified. To set the environment of clients:']),
    `  eval "$(sudo ${commandToType(state, 'local env')})"`,
    `  aws --endpoint-url ${endpoint} ec2 describe-images`,
    `  ${commandToType(state, `run --cloud aws --endpoint ${endpoint} RECIPE`)}`,
    '',
    'Ctrl-C stops the server.',
  ];
}

function port(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('It must be a port, 0 to 65535.');
  return Number(text);
}
