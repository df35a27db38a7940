import { accountOf } from '../../aws/account.js';
import type { Chain } from '../../dsl/plan/chains.js';
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

  constructor(
    private readonly execution: Execution,
    private readonly records: LayerRecords,
  ) {}

  /** The keys of a chain, as far as they can be known now. */
  async of(chain: Chain): Promise<ChainKeys> {
    const ec2 = await this.execution.host.ec2();
    this.hashing = { region: ec2.region, account: await accountOf(ec2), hashKey: await this.records.hashKey() };
    return this.keysIn(chain, this.hashing);
  }

  /** Whether the files that a task read are those that its key was made from: they may have been edited since. */
  hasSameFiles(chain: Chain, place: number, { key }: TaskKey): boolean {
    const members = chain.members.slice(0, place + 1);
    return this.hashing !== undefined && this.keysIn({ ...chain, members }, this.hashing).keys.at(-1)?.key === key;
  }

  private keysIn(chain: Chain, { hashKey, ...place }: Hashing): ChainKeys {
    const { plan, facts, journal } = this.execution;
    const sources = { tasks: plan.tasks, facts, hasEnded: (id: string) => facts.hasEnded(id), hashKey };
    return chainKeys(chain, { ...journal.head.cloud, ...place }, sources);
  }
}
