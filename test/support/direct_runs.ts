import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type RunResult, runRecipe } from './recipe.js';
import { type Server, withServer } from './served.js';

/** A served EC2, and a folder of another machine, as it were, whose runs keep disks in their own state. */
export interface Direct {
  readonly server: Server;
  /** The folder of the runs; their state is in `state` in it. */
  readonly folder: string;
  /** The environment of the runs: this machine is no instance, and no metadata service answers. */
  readonly env: Readonly<Record<string, string>>;
  /** The options of `run`. */
  readonly options: readonly string[];
  /** Runs a recipe. */
  run(text: string, ...more: readonly string[]): Promise<RunResult>;
}

/** Does something with a served EC2 and runs with direct volumes. */
export function withDirect<T>(body: (direct: Direct) => Promise<T>): Promise<T> {
  return withServer((server) => {
    const folder = join(server.folder, 'here');
    mkdirSync(folder);
    const env = { ...server.env, AWS_EC2_METADATA_DISABLED: 'true', AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:9' };
    const options = ['--cloud', 'aws', '--endpoint', server.endpoint, '--volumes', 'direct'];
    return body({ server, folder, env, options, run: (text, ...more) => runRecipe(folder, text, [...options, ...more], env) });
  }, 'eu-west-1');
}
