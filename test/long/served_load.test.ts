import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { heldBy } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { serveIn } from '../support/served.js';
import { suite } from '../support/suite.js';

const connections = 32;
const requests = 10_000;
/** Connections that attach too: as many as have a device name of their own. */
const devices = [...'ghijkl'].map((letter) => `/dev/sd${letter}`);

/** Numbers that look random and are the same in every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

/** Somebody with one connection who makes, changes, looks at and deletes things of his own, and knows what he must see. */
class Client {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  private readonly random: () => number;
  private readonly volumes = new Map<string, string>();
  private readonly snapshots = new Set<string>();
  sent = 0;
  lost = 0;
  readonly wrong: string[] = [];

  constructor(
    private readonly port: number,
    private readonly name: string,
    private readonly instance: string,
    private readonly device: string | undefined,
  ) {
    this.random = randomFrom(Number(name) + 1);
  }

  /** Sends requests until all clients together have sent enough. */
  async work(enough: () => boolean): Promise<void> {
    while (!enough()) {
      try {
        await this.step();
      } catch (error) {
        if (!['ECONNRESET', 'ECONNREFUSED', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        this.lost += 1;
        await this.lookAgain();
      }
    }
  }

  async removeAll(): Promise<void> {
    for (const id of this.snapshots) await this.ok('DeleteSnapshot', { SnapshotId: id });
    for (const id of this.volumes.keys()) await this.ok('DeleteVolume', { VolumeId: id });
    this.agent.destroy();
  }

  private async step(): Promise<void> {
    const [volume] = [...this.volumes.keys()].sort(() => this.random() - 0.5);
    const [snapshot] = this.snapshots;
    const dice = this.random();
    if (volume === undefined || (dice < 0.12 && this.volumes.size < 4)) {
      const text = await this.ok('CreateVolume', { AvailabilityZone: 'local-1a', Size: '1', ...this.tags('volume') });
      return void this.volumes.set(/<volumeId>([^<]+)/.exec(text)?.[1] ?? '', '');
    }
    if (dice < 0.3) return this.mustSee(volume);
    if (dice < 0.5) {
      const value = String(this.random());
      await this.ok('CreateTags', { 'ResourceId.1': volume, 'Tag.1.Key': 'value', 'Tag.1.Value': value });
      return void this.volumes.set(volume, value);
    }
    if (dice < 0.75) return this.mustList();
    if (dice < 0.8) return this.refused('DescribeVolumes', { 'VolumeId.1': 'vol-0123456789abcdef0' }, 'InvalidVolume.NotFound');
    if (dice < 0.85 && this.device !== undefined) {
      await this.ok('AttachVolume', { VolumeId: volume, InstanceId: this.instance, Device: this.device });
      await this.refused('DeleteVolume', { VolumeId: volume }, 'VolumeInUse');
      return void (await this.ok('DetachVolume', { VolumeId: volume }));
    }
    if (dice < 0.9 && this.snapshots.size < 3) {
      const text = await this.ok('CreateSnapshot', { VolumeId: volume, ...this.tags('snapshot') });
      return void this.snapshots.add(/<snapshotId>([^<]+)/.exec(text)?.[1] ?? '');
    }
    if (dice < 0.95 && snapshot !== undefined) {
      await this.ok('DeleteSnapshot', { SnapshotId: snapshot });
      this.snapshots.delete(snapshot);
      return this.refused('DescribeSnapshots', { 'SnapshotId.1': snapshot }, 'InvalidSnapshot.NotFound');
    }
    await this.ok('DeleteVolume', { VolumeId: volume });
    this.volumes.delete(volume);
    return this.refused('DeleteVolume', { VolumeId: volume }, 'InvalidVolume.NotFound');
  }

  private async mustSee(volume: string): Promise<void> {
    const text = await this.ok('DescribeVolumes', { 'VolumeId.1': volume });
    const value = /<key>value<\/key><value>([^<]*)/.exec(text)?.[1] ?? '';
    this.same(`the tag of ${volume}`, [value, /<status>([^<]+)/.exec(text)?.[1]], [this.volumes.get(volume), 'available']);
  }

  private async mustList(): Promise<void> {
    this.same('its volumes', await this.idsOf('Volume'), [...this.volumes.keys()].sort());
    this.same('its snapshots', await this.idsOf('Snapshot'), [...this.snapshots].sort());
  }

  /** After the server was killed: what was acknowledged is there; what was not may be, whole or in error. */
  private async lookAgain(): Promise<void> {
    for (;;) {
      try {
        const text = await this.ok('DescribeVolumes', { 'Filter.1.Name': 'tag:client', 'Filter.1.Value.1': this.name });
        const before = [...this.volumes.keys()];
        this.volumes.clear();
        for (const [, id = '', rest = ''] of text.matchAll(/<item><volumeId>(vol-[^<]+)(.*?)<volumeType>/gs)) {
          this.volumes.set(id, /<key>value<\/key><value>([^<]*)/.exec(rest)?.[1] ?? '');
          // An attachment that was under way is there or is not.
          if (/<status>in-use/.test(rest)) await this.ok('DetachVolume', { VolumeId: id });
          else if (/<status>error/.test(rest)) {
            await this.ok('DeleteVolume', { VolumeId: id });
            this.volumes.delete(id);
          }
        }
        const gone = before.filter((id) => !this.volumes.has(id));
        // At most the one that was being deleted.
        if (gone.length > 1) this.wrong.push(`client ${this.name}: ${gone} are gone`);
        const kept = [...this.snapshots];
        this.snapshots.clear();
        for (const id of await this.idsOf('Snapshot')) {
          const state = /<status>([^<]+)/.exec(await this.ok('DescribeSnapshots', { 'SnapshotId.1': id }))?.[1];
          if (state === 'error') await this.ok('DeleteSnapshot', { SnapshotId: id });
          else this.snapshots.add(id);
        }
        const lost = kept.filter((id) => !this.snapshots.has(id));
        if (lost.length > 1) this.wrong.push(`client ${this.name}: ${lost} are gone`);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === undefined) throw error;
        await sleep(50);
      }
    }
  }

  private async idsOf(thing: 'Volume' | 'Snapshot'): Promise<string[]> {
    const text = await this.ok(`Describe${thing}s`, { 'Filter.1.Name': 'tag:client', 'Filter.1.Value.1': this.name });
    const id = thing === 'Volume' ? /<item><volumeId>([^<]+)/g : /<item><snapshotId>([^<]+)/g;
    return [...text.matchAll(id)].map(([, found = '']) => found).sort();
  }

  private tags(kind: string): Record<string, string> {
    return {
      'TagSpecification.1.ResourceType': kind,
      'TagSpecification.1.Tag.1.Key': 'client',
      'TagSpecification.1.Tag.1.Value': this.name,
    };
  }

  private same(what: string, seen: unknown, wanted: unknown): void {
    if (JSON.stringify(seen) !== JSON.stringify(wanted)) {
      this.wrong.push(`client ${this.name}: ${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
    }
  }

  private async ok(action: string, parameters: Record<string, string>): Promise<string> {
    const { status, text } = await this.send(action, parameters);
    if (status !== 200) this.wrong.push(`client ${this.name}: ${action} ${JSON.stringify(parameters)}: ${status} ${text}`);
    return text;
  }

  private async refused(action: string, parameters: Record<string, string>, code: string): Promise<void> {
    const { text } = await this.send(action, parameters);
    if (!text.includes(`<Code>${code}</Code>`)) this.wrong.push(`client ${this.name}: ${action} ${JSON.stringify(parameters)}: ${text} instead of ${code}`);
  }

  private send(action: string, parameters: Record<string, string>): Promise<{ status: number; text: string }> {
    this.sent += 1;
    const body = new URLSearchParams({ Action: action, Version: '2016-11-15', ...parameters }).toString();
    return new Promise((done, fail) => {
      const sent = request({ host: '127.0.0.1', port: this.port, method: 'POST', agent: this.agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk) => {
          text += chunk;
        });
        answer.on('end', () => done({ status: answer.statusCode ?? 0, text }));
        answer.on('error', fail);
      });
      sent.on('error', fail);
      sent.end(body);
    });
  }
}

suite('a served EC2 under load', (test) => {
  test(
    `${requests} requests from ${connections} connections, the server killed in the middle: no wrong answer, nothing lost, nothing left`,
    () =>
      inFolder({}, async (folder) => {
        // The one after the kill has another key; here it is the requests that matter.
        let server = await serveIn(folder, '--no-auth');
        const port = Number(new URL(server.endpoint).port);
        const about = await (await fetch(`${server.metadata}/latest/meta-data/instance-id`)).text();
        const clients = Array.from({ length: connections }, (_, i) => new Client(port, String(i), about, devices[i]));
        const sent = () => clients.reduce((sum, client) => sum + client.sent, 0);
        const working = Promise.all(clients.map((client) => client.work(() => sent() >= requests)));
        while (sent() < requests / 2) await sleep(5);
        server.child.kill('SIGKILL');
        server = await serveIn(folder, '--no-auth', '--port', String(port));
        await working;
        await Promise.all(clients.map((client) => client.removeAll()));
        const lost = clients.reduce((sum, client) => sum + client.lost, 0);
        console.log(`\n${sent()} requests, ${lost} of them lost with the server`);
        assert.equal(
          clients.flatMap((client) => client.wrong),
          [],
        );
        assert.ok(lost > 0);
        assert.is((await server.stop()).code, 0);
        assert.equal(heldBy(folder), []);
      }),
    300_000,
  );
});
