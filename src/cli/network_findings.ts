import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentialsOf } from '../aws/credentials.js';
import { hostShell, systemPath } from '../linux/command.js';
import { cloudOf } from './cloud.js';
import type { Finding } from './finding.js';

/** The longest that each answer is waited for. */
const answerMs = 4_000;

/** Who builds on AWS are. Information: the embedded EC2 needs no credentials. */
export async function awsIdentity(state: string): Promise<Finding> {
  const name = 'AWS credentials';
  const cloud = await cloudOf(undefined, { cloud: 'aws' }, state);
  const region = cloud.region ?? 'us-east-1';
  try {
    const keys = await withinTime(credentialsOf(cloud, region).provider());
    const { STSClient, GetCallerIdentityCommand } = await import('../aws/sdk_sts.js');
    const sts = new STSClient({ region, credentials: keys, maxAttempts: 1 });
    const { Arn: arn } = await sts.send(new GetCallerIdentityCommand({}), { abortSignal: AbortSignal.timeout(answerMs) });
    return { name, ok: true, detail: `${arn}` };
  } catch (error) {
    const { name: kind, message } = error as Error;
    const isNone = kind === 'CredentialsProviderError' && cloud.profile === undefined;
    const profile = cloud.profile === undefined ? '' : `profile "${cloud.profile}" `;
    const detail = isNone ? 'none configured; only builds on AWS need them' : `${profile}cannot be used: ${message.split('\n')[0]}`;
    return { name, ok: true, detail, help: isNone ? undefined : 'check them with: aws sts get-caller-identity' };
  }
}

/** Where mmdebstrap gets packages from when no mirror is named. Source: mmdebstrap(1), "MIRROR". */
const mirror = 'http://deb.debian.org/debian';
/** What mmdebstrap loads files with: it knows the proxies and settings of apt. */
const aptHelper = '/usr/lib/apt/apt-helper';

/** Whether Debian's mirror answers. Information: recipes may name another mirror, or need none. */
export async function debianMirror(): Promise<Finding> {
  const name = 'Debian mirror';
  if (!existsSync(aptHelper)) return { name, ok: true, detail: 'not checked: apt is not installed; only mmdebstrap needs it' };
  const options = ['-o', `Acquire::http::Timeout=${answerMs / 1000}`, '-o', 'Acquire::Retries=0'];
  const proxies = Object.entries(process.env).filter((entry): entry is [string, string] => /^(https?|no|all)_proxy$/i.test(entry[0]) && entry[1] !== undefined);
  const folder = mkdtempSync(join(tmpdir(), 'chrootfile-'));
  try {
    await hostShell.run([aptHelper, ...options, 'download-file', `${mirror}/dists/stable/InRelease`, join(folder, 'InRelease')], {
      signal: AbortSignal.timeout(answerMs),
      env: { PATH: systemPath, LC_ALL: 'C.UTF-8', ...Object.fromEntries(proxies) },
    });
    return { name, ok: true, detail: `${mirror} answers` };
  } catch {
    return { name, ok: true, detail: `${mirror} does not answer`, help: 'recipes that use mmdebstrap need a mirror: check the network, or set http_proxy' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws Error when a promise is not settled within the time for an answer. */
async function withinTime<T>(promise: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = sleep(answerMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no answer within ${answerMs / 1000} s`);
  });
  late.catch(() => {});
  return Promise.race([promise, late]).finally(() => timer.abort());
}
