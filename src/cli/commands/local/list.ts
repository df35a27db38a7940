import { deviceOf } from '../../../local/loop_devices.js';
import type { Image, Resources, Snapshot, Volume } from '../../../local/resources.js';
import type { Store } from '../../../local/store.js';
import { openLocalEc2 } from '../../embedded_ec2.js';
import { stateFolder } from '../../state.js';
import { print, printJson, table } from '../../terminal/output.js';
import { jsonOption, stateOption, type Verb } from '../../verbs.js';

type Listed = 'images' | 'volumes' | 'snapshots';

/** Declares `chrootfile local images`, `volumes` or `snapshots`. */
export function listing(what: Listed): { readonly verb: Verb } {
  return {
    verb: (local) => {
      local
        .command(what)
        .description(`list ${what}`)
        .addOption(jsonOption())
        .addOption(stateOption())
        .addHelpText('after', `\nExamples:\n  sudo chrootfile local ${what} --json`)
        .action(async (options) => listLocal(what, options.state, options.json));
    },
  };
}

/** `chrootfile local images|volumes|snapshots`: lists the contents of the embedded EC2. */
async function listLocal(what: Listed, folder: string | undefined, json: boolean): Promise<void> {
  const state = stateFolder(folder, 'change');
  const ec2 = await openLocalEc2(state);
  const all = ec2.regions.flatMap((region) => {
    const store = ec2.storeOf(region);
    return store.list(what).map((resource) => ({ region, row: rowOf(what, resource, store), resource }));
  });
  await ec2.setUnreadableAside();
  all.sort((a, b) => (a.resource.created < b.resource.created ? -1 : 1));
  if (json) return printJson(all.map(({ region, resource }) => ({ region, ...resource })));
  if (all.length === 0) return print(`no ${what}`);
  print(...table([titles[what], ...all.map(({ region, resource, row }) => [resource.id, region, resource.created, ...row])]));
}

const titles: Readonly<Record<Listed, readonly string[]>> = {
  images: ['IMAGE', 'REGION', 'CREATED', 'SNAPSHOT', 'NAME'],
  volumes: ['VOLUME', 'REGION', 'CREATED', 'GIB', 'DEVICE'],
  snapshots: ['SNAPSHOT', 'REGION', 'CREATED', 'GIB', 'DESCRIPTION'],
};

function rowOf(what: Listed, resource: Resources[Listed], store: Store): string[] {
  switch (what) {
    case 'images':
      return [(resource as Image).mappings[0]?.snapshot ?? '', (resource as Image).name];
    case 'volumes':
      return [String((resource as Volume).size), deviceOf(store.diskOf(resource.id)) ?? '-'];
    case 'snapshots':
      return [String((resource as Snapshot).size), (resource as Snapshot).description];
  }
}
