import { accountOf } from '../aws/account.js';
import { ec2ByHand } from '../aws/by_hand.js';
import type { Ec2 } from '../aws/client.js';
import { deleteSnapshots } from '../aws/layer_snapshots.js';
import type { Leftover } from '../aws/leftovers.js';
import { hasLocalDisks } from '../dsl/recipe/cloud.js';
import type { Cloud } from '../dsl/recipe/types.js';
import { regionsIn } from '../local/store.js';
import { type LayerRecord, LayerRecords } from '../runtime/layers/layer_records.js';
import { layersInUse, whileNoneStarts } from '../runtime/layers/making.js';
import { commandToType } from '../runtime/runs/command_to_type.js';
import { localFolder } from './embedded_ec2.js';
import { shortKey } from './find_layer.js';
import { openHostContext } from './host_context.js';
import { plural } from './reports/lines.js';
import { printError } from './terminal/output.js';
import { unrecordedIn } from './unrecorded_layers.js';

/** What became of layers that were to be deleted. */
export interface Deletion {
  readonly deleted: LayerRecord[];
  readonly in_use: { readonly key: string; readonly run: string }[];
  readonly failed: { readonly key: string; readonly region: string; readonly snapshots: readonly string[]; readonly error: string }[];
}

/** Deletes layers, except those that a run uses. Reports on standard error those that stay. */
export async function deleteLayers(layers: readonly LayerRecord[], state: string): Promise<Deletion> {
  const records = new LayerRecords(state);
  const ec2In = clientsFor(state);
  const done: Deletion = { deleted: [], in_use: [], failed: [] };
  for (const layer of layers) {
    const { key, region } = layer;
    await whileNoneStarts(state, 'layers', async () => {
      const run = layersInUse(state).get(key);
      if (run !== undefined) {
        done.in_use.push({ key, run });
        return reportInUse(key, run);
      }
      const { left, error } = await deleteSnapshotsOf(layer, records.unshared(Object.values(layer.snapshots), key), ec2In);
      if (error !== undefined) {
        done.failed.push({ key, region, snapshots: left, error });
        return reportFailed(layer, left, error, state);
      }
      // Only now: without its record, nobody would find the snapshots that are left.
      records.remove(key);
      done.deleted.push(layer);
    });
  }
  return done;
}

/** Reports that a layer stays because a run uses it. */
export function reportInUse(key: string, run: string): void {
  printError(`warning: layer ${shortKey(key)} is not deleted: run ${run} uses it`, '  help: try again when it has ended');
}

/** Deletes as many as possible. @returns those that are left, and why. */
async function deleteSnapshotsOf(
  { cloud, region, account, made }: LayerRecord,
  ids: readonly string[],
  ec2In: Clients,
): Promise<{ left: string[]; error?: string }> {
  const left: string[] = [];
  let first: string | undefined;
  for (const id of ids) {
    try {
      const ec2 = await ec2In(cloud, region);
      await mustBeIn(account, ec2);
      await deleteSnapshots(ec2, [id], made, never);
    } catch (error) {
      left.push(id);
      first ??= (error as Error).message;
    }
  }
  return { left, ...(first === undefined ? {} : { error: first }) };
}

/** In another account, EC2 would report that the snapshots do not exist. */
async function mustBeIn(account: string | undefined, ec2: Ec2): Promise<void> {
  if (account === undefined || hasLocalDisks(ec2.cloud)) return;
  const own = await accountOf(ec2);
  if (own !== account) throw new Error(`the layer belongs to account ${account}, and the credentials to ${own}`);
}

function reportFailed({ key, cloud, region }: LayerRecord, ids: readonly string[], error: string, state: string): void {
  const again = commandToType(state, `layers rm ${shortKey(key)}`);
  // The AWS CLI does not reach the embedded EC2.
  const byHand = hasLocalDisks(cloud) ? [] : ids.map((id) => ec2ByHand({ cloud, again }, { region }, 'delete-snapshot', '--snapshot-id', id));
  printError(
    `error: layer ${shortKey(key)} (${[...ids, region].join(', ')}): its ${plural(ids.length, 'snapshot')} cannot be deleted: ${error}`,
    `  help: ${[...byHand, again].join(' && ')}`,
  );
}

type Clients = (cloud: Cloud, region: string) => Promise<Ec2>;

/** Clients in the regions of layers: the cloud of a recipe may have taken its region from the environment of that time. */
function clientsFor(state: string): Clients {
  const opened = new Map<string, Promise<Ec2>>();
  const warn = (message: string) => printError(`warning: ${message}`);
  return (cloud, region) => {
    const own = { ...cloud, region };
    const name = JSON.stringify(own);
    const client = opened.get(name) ?? openHostContext({ cloud: own, state, signal: never, warn }).disks();
    opened.set(name, client);
    return client;
  };
}

const never = new AbortController().signal;

/** A snapshot that belongs to no recorded layer. */
export type Unrecorded = Pick<Leftover, 'region' | 'id'>;

/**
 * Deletes snapshots without a record, in the embedded EC2 and wherever some layers are.
 * @param older their minimum age on AWS in milliseconds. @param dryRun whether they are only found.
 * @returns those that are deleted, or would be, and whether all are.
 */
export async function deleteUnrecorded(
  state: string,
  layers: readonly LayerRecord[],
  { older, dryRun }: { readonly older: number; readonly dryRun: boolean },
): Promise<{ deleted: Unrecorded[]; isDone: boolean }> {
  const ec2In = clientsFor(state);
  const deleted: Unrecorded[] = [];
  let isDone = true;
  for (const { cloud, region } of placesOf(state, layers)) {
    const look = async () => unrecordedIn(await ec2In(cloud, region), state);
    const found = await look().catch((error: Error) => {
      printError(`warning: cannot look for snapshots of layers without a record in ${region}: ${error.message}`);
      return [];
    });
    // Nobody but this state folder uses its embedded EC2.
    const old = found.filter(({ created }) => cloud.provider === 'local' || Date.parse(created) <= Date.now() - older);
    for (const { id } of old) {
      try {
        if (!dryRun) await deleteSnapshots(await ec2In(cloud, region), [id], new Date(0).toISOString(), never);
        deleted.push({ region, id });
      } catch (error) {
        isDone = false;
        printError(`error: ${id}, a snapshot of a layer without a record in ${region}, cannot be deleted: ${(error as Error).message}`);
      }
    }
  }
  return { deleted, isDone };
}

/** Where snapshots of layers may be: the regions of the embedded EC2, and those of some layers. */
function placesOf(state: string, layers: readonly LayerRecord[]): Pick<LayerRecord, 'cloud' | 'region'>[] {
  const local = regionsIn(localFolder(state)).map((region) => ({ cloud: { provider: 'local' } as const, region }));
  const remote = layers.filter(({ cloud }) => !hasLocalDisks(cloud)).map(({ cloud, region }) => ({ cloud, region }));
  return [...new Map([...local, ...remote].map((place) => [JSON.stringify(place), place])).values()];
}
