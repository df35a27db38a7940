import { addVerbs, type Verb, type Verbs } from '../verbs.js';

const verbs: Verbs = {
  images: async () => (await import('./local/list.js')).listing('images'),
  volumes: async () => (await import('./local/list.js')).listing('volumes'),
  snapshots: async () => (await import('./local/list.js')).listing('snapshots'),
  du: () => import('./local/du.js'),
  rm: () => import('./local/rm.js'),
  serve: () => import('./local/serve.js'),
  env: () => import('./local/env.js'),
  check: () => import('./local/check.js'),
  export: () => import('./local/export.js'),
  init: () => import('./local/init.js'),
  detach: () => import('./local/detach.js'),
  reset: () => import('./local/reset.js'),
};

/** Declares `chrootfile local` and its verbs. */
export const verb: Verb = async (program, line) => {
  const local = program
    .command('local')
    .description('manage the embedded EC2')
    .addHelpText(
      'after',
      `
Examples:
  sudo chrootfile local images                       list images
  sudo chrootfile local export IMAGE disk.qcow2      write the disk of an image to a file
  sudo chrootfile local serve                        serve it to other AWS clients
  sudo chrootfile local check                        find damage after a crash`,
    );
  await addVerbs(local, verbs, line);
};
