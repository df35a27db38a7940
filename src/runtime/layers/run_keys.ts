import { accountOf } from '../../aws/account.js';
import type { Ec2 } from '../../aws/client.js';
import { contentOf } from '../../aws/layer_snapshots.js';
import { evaluate } from '../../dsl/evaluate.js';
import { type Chain, makesDisk } from '../../dsl/plan/chains.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { tasksIn } from '../../dsl/resolve/names.js';
import type { Execution } from '../engine/execution.js';
import { type ChainKeys, chainKeys, type Place, type TaskKey } from './chain_keys.js';
import type { LayerRecords } from './layer_records.js';

/** What all keys of a run are made with. */
interface Hashing extends Pick<Place, 'region' | 'account'> {
  readonly hashKey: Buffer;
}

/** The keys of the chains of one run. */
export class RunKeys {
  private hashing: Hashing | undefined;
  /** What the content of source snapshots is from, by the volumes made from them. */
  private readonly contents = new Map<string, string>();

  constructor(
    private readonly execution: Execution,
    private readonly records: LayerRecords,
  ) {}

  /** The keys of a chain, as far as they can be known now. */
  async of(chain: Chain): Promise<ChainKeys> {
    const { host } = this.execution;
    for (const volume of chain.members.filter(makesDisk)) {
      const content = await this.contentFor(volume, await host.ec2());
      if (content !== undefined) this.contents.set(volume.id, content);
    }
    const disks = await host.disks();
    this.hashing = { region: disks.region, account: await accountOf(disks), hashKey: await this.records.hashKey() };
    return this.keysIn(chain, this.hashing);
  }

  /** Whether the files that a task read are those that its key was made from: they may have been edited since. */
  hasSameFiles(chain: Chain, place: number, { key }: TaskKey): boolean {
    const members = chain.members.slice(0, place + 1);
    return this.hashing !== undefined && this.keysIn({ ...chain, members }, this.hashing).keys.at(-1)?.key === key;
  }

  private async contentFor({ task, module }: LinkedTask, ec2: Ec2): Promise<string | undefined> {
    const snapshot = task.action.type === 'kind' ? task.action.with.get('snapshot_id') : undefined;
    const { plan, facts } = this.execution;
    // If it depends on something that is not known yet, there are no keys.
    if (snapshot === undefined || tasksIn(snapshot, module).some(({ id }) => plan.tasks.has(id) && !facts.hasEnded(id))) return undefined;
    const id = evaluate(snapshot, module, facts);
    return typeof id === 'string' ? await contentOf(ec2, id) : undefined;
  }

  private keysIn(chain: Chain, { hashKey, ...place }: Hashing): ChainKeys {
    const { plan, facts, journal } = this.execution;
    const sources = { tasks: plan.tasks, facts, hasEnded: (id: string) => facts.hasEnded(id), contentFor: (id: string) => this.contents.get(id), hashKey };
    return chainKeys(chain, { ...journal.head.cloud, ...place }, sources);
  }
}
