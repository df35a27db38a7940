import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A virtual machine started from an image. */
export interface Machine {
  /** Runs a command in it by ssh. */
  ssh(command: string): string;
  /** What came on its serial console. */
  console(): string;
  /** The port of this host that leads to a port of the machine. */
  readonly port: number;
  stop(): Promise<void>;
}

export interface BootOptions {
  /** A port of the machine to reach besides ssh's. */
  readonly forward?: number;
  /** Who logs in by ssh. */
  readonly user?: string;
  /** Size of the machine's disk, where it is larger than the image. */
  readonly sizeGiB?: number;
}

/** The private key in a folder that machines started there are reached with; its public half has `.pub` at the end. */
export function keyIn(folder: string): string {
  const key = join(folder, 'key');
  if (!existsSync(key)) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  return key;
}

/**
 * Boots a disk under qemu without hardware help (TCG) and BIOS, on an overlay, so that the disk itself is not
 * written, with a NoCloud seed disk as its metadata. Resolves when ssh answers with the seed's key.
 */
export async function boot(disk: string, folder: string, { forward = 80, user = 'debian', sizeGiB }: BootOptions = {}): Promise<Machine> {
  const [sshPort, port] = [await freePort(), await freePort()];
  const overlay = join(folder, 'overlay.qcow2');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', disk, '-F', 'raw', overlay, ...(sizeGiB === undefined ? [] : [`${sizeGiB}G`])]);
  const key = keyIn(folder);
  const log = join(folder, 'console.log');
  writeFileSync(log, '');
  const qemu = spawn('qemu-system-x86_64', [
    ...['-machine', 'accel=tcg', '-smp', '2', '-m', '1024', '-display', 'none', '-no-reboot'],
    ...['-drive', `file=${overlay},format=qcow2,if=none,id=root,cache=unsafe`, '-device', 'nvme,drive=root,serial=vol0123456789abcdef0,bootindex=1'],
    ...['-drive', `file=${seedDisk(folder, readFileSync(`${key}.pub`, 'utf8'))},format=raw,if=virtio,readonly=on`],
    ...['-nic', `user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:${sshPort}-:22,hostfwd=tcp:127.0.0.1:${port}-:${forward}`],
    ...['-device', 'virtio-rng-pci', '-serial', `file:${log}`],
  ]);
  qemu.stderr.pipe(process.stderr);
  const machine: Machine = {
    ssh: (command) =>
      execFileSync(
        'ssh',
        [
          '-i',
          key,
          '-p',
          String(sshPort),
          '-o',
          'StrictHostKeyChecking=no',
          '-o',
          'UserKnownHostsFile=/dev/null',
          '-o',
          'LogLevel=ERROR',
          '-o',
          'ConnectTimeout=5',
          '-o',
          'BatchMode=yes',
          `${user}@127.0.0.1`,
          command,
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      ),
    console: () => readFileSync(log, 'utf8'),
    port,
    stop: () => stopped(qemu),
  };
  try {
    await answers(machine, qemu);
  } catch (error) {
    await machine.stop();
    throw error;
  }
  return machine;
}

/** A FAT disk labelled as cloud-init expects it, made without mounting. Source: cloud-init, "NoCloud". */
function seedDisk(folder: string, key: string): string {
  const seed = join(folder, 'seed.img');
  writeFileSync(join(folder, 'meta-data'), 'instance-id: i-test\nlocal-hostname: booted\n');
  writeFileSync(join(folder, 'user-data'), `#cloud-config\nssh_authorized_keys: ["${key.trim()}"]\n`);
  execFileSync('mformat', ['-C', '-f', '1440', '-v', 'CIDATA', '-i', seed, '::']);
  execFileSync('mcopy', ['-i', seed, join(folder, 'meta-data'), join(folder, 'user-data'), '::']);
  return seed;
}

async function answers(machine: Machine, qemu: ChildProcess): Promise<void> {
  let last = '';
  for (const started = Date.now(); Date.now() - started < 6 * 60_000; await sleep(2000)) {
    if (qemu.exitCode !== null) throw new Error(`qemu ended with ${qemu.exitCode}\n${machine.console().slice(-4000)}`);
    try {
      machine.ssh('true');
      return;
    } catch (error) {
      last = (error as Error).message;
    }
  }
  throw new Error(`the machine does not answer: ${last}\n${machine.console().slice(-4000)}`);
}

function stopped(qemu: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (qemu.exitCode !== null || qemu.signalCode !== null) return done();
    qemu.on('exit', () => done());
    qemu.kill('SIGKILL');
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
