import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { eventsSchema } from '../src/cli/schemas/events.js';
import { layersSchema } from '../src/cli/schemas/layers.js';
import { manifestSchema } from '../src/cli/schemas/manifest.js';
import { planSchema } from '../src/cli/schemas/plan.js';
import { runsSchema } from '../src/cli/schemas/runs.js';
import { whySchema } from '../src/cli/schemas/why.js';
import { schema } from '../src/tasks/validators.js';
import { ebsModel } from './ebs_model.js';
import { ec2Model } from './ec2_model.js';
import { iam } from './iam.js';
import { messages } from './messages.js';
import { reference } from './reference.js';

const schemas = { runs: runsSchema, plan: planSchema, why: whySchema, layers: layersSchema, manifest: manifestSchema, events: eventsSchema };
const ebs = await ebsModel();

/** Files made from the kinds, the schema and the catalogue. With `--check`: fails when one is not as it would be made. */
const files = {
  'schemas/recipe.schema.json': `${JSON.stringify(schema, undefined, 2)}\n`,
  ...Object.fromEntries(Object.entries(schemas).map(([name, one]) => [`schemas/${name}.schema.json`, `${JSON.stringify(one, undefined, 2)}\n`])),
  'docs/reference.md': reference(),
  'docs/messages.md': messages(),
  'docs/iam.md': iam(),
  ...(await ec2Model(ebs.names)),
  ...ebs.files,
};

for (const [file, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  } else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${file} is not what the program says: npm run generate`);
    process.exitCode = 1;
  }
}
