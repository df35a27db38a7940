import type { FromSchema } from 'json-schema-to-ts';

/** What `chrootfile layers --json` prints. */
export const layersSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'chrootfile layers --json',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'layers', 'copies', 'bytes'],
  properties: {
    version: { const: 1 },
    layers: {
      type: 'array',
      description: 'The layers of the state folder, newest first',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['key', 'format', 'made', 'used', 'run', 'recipe', 'region', 'snapshots'],
        properties: {
          key: { type: 'string', description: 'Hash of everything that determines what the layer contains' },
          format: { type: 'integer', description: 'Format of the record; runs use only layers of the current one' },
          made: { type: 'string', description: 'When it was made, as an ISO 8601 time in UTC' },
          used: { type: 'string', description: 'When a run last started from it, or made it' },
          run: { type: 'string', description: 'Id of the run that made it' },
          recipe: { type: 'string', description: 'Path of the recipe of that run' },
          region: { type: 'string', description: 'Region of its snapshots' },
          account: { type: 'string', description: 'Id of the account that has its snapshots; absent for older formats' },
          snapshots: { type: 'array', items: { type: 'string' }, description: 'Ids of its snapshots, one for each volume' },
          after: { type: 'string', description: 'The last task in it; like "tasks" and "seconds" absent for another format' },
          tasks: { type: 'integer', description: 'Number of its tasks' },
          seconds: { type: 'number', description: 'How long its tasks took' },
          bytes: { type: 'integer', description: 'How much space it takes, with blocks that it shares; absent where that is not known, as on AWS' },
        },
      },
    },
    copies: {
      type: 'array',
      description: 'The copies of snapshots from which direct volumes are made, newest first',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['snapshot', 'region', 'of', 'made', 'used'],
        properties: {
          snapshot: { type: 'string', description: 'Id of the copy in the embedded EC2' },
          region: { type: 'string', description: 'Its region' },
          of: { type: 'string', description: 'Region and id of the original' },
          made: { type: 'string', description: 'When it was made, as an ISO 8601 time in UTC' },
          used: { type: 'string', description: 'When a run last used it' },
          bytes: { type: 'integer', description: 'How much space it takes, with blocks that it shares' },
        },
      },
    },
    bytes: { type: 'integer', description: 'How much space all layers and copies of the embedded EC2 take, where blocks that they share count once' },
  },
} as const;

/** The type of {@link layersSchema}. */
export type LayersJson = FromSchema<typeof layersSchema>;
