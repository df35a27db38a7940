import { ec2ByHand } from '../aws/by_hand.js';
import type { Ec2 } from '../aws/client.js';
import { deleteSnapshots, layerTag } from '../aws/layer_snapshots.js';
import { stateTag } from '../aws/ownership_tags.js';
import { hasLocalDisks } from '../dsl/recipe/cloud.js';
import type { Cloud } from '../dsl/recipe/types.js';
import { type LayerRecord, LayerRecords } from '../runtime/layers/layer_records.js';
import { layersInUse, whileNoneStarts } from '../runtime/layers/making.js';
import { commandToType } from '../runtime/runs/command_to_type.js';
import { openLocalEc2 } from './embedded_ec2.js';
import { shortKey } from './find_layer.js';
import { openHostContext } from './host_context.js';
import { plural } from './reports/lines.js';
import { printError } from './terminal/output.js';

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
async function deleteSnapshotsOf({ cloud, region, made }: LayerRecord, ids: readonly string[], ec2In: Clients): Promise<{ left: string[]; error?: string }> {
  const left: string[] = [];
  let first: string | undefined;
  for (const id of ids) {
    try {
      await deleteSnapshots(await ec2In(cloud, region), [id], made, never);
    } catch (error) {
      left.push(id);
      first ??= (error as Error).message;
    }
  }
  return { left, ...(first === undefined ? {} : { error: first }) };
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

/** Deletes snapshots of layers without a record in the embedded EC2: nothing will ever use them. @returns whether none is left. */
export async function deleteOrphans(state: string): Promise<boolean> {
  const local = await openLocalEc2(state);
  const found = local.regions.flatMap((region) =>
    local
      .storeOf(region)
      .list('snapshots')
      .map((snapshot) => ({ region, ...snapshot })),
  );
  // Read after the snapshots: a layer that is made meanwhile has its record then.
  const known = new Set(new LayerRecords(state).listAll().flatMap(({ snapshots }) => Object.values(snapshots)));
  const ec2In = clientsFor(state);
  let isDone = true;
  for (const { id, region, tags } of found) {
    // A snapshot that is still `building` belongs to a run.
    const valueOf = (tag: string) => tags.find(({ Key }) => Key === tag)?.Value;
    if (valueOf(layerTag) === undefined || valueOf(stateTag) === 'building' || known.has(id)) continue;
    try {
      await deleteSnapshots(await ec2In({ provider: 'local' }, region), [id], new Date(0).toISOString(), never);
    } catch (error) {
      isDone = false;
      printError(`error: ${id}, a snapshot of a layer without a record, cannot be deleted: ${(error as Error).message}`);
    }
  }
  return isDone;
}
