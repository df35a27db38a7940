import type { FromSchema } from 'json-schema-to-ts';

/** What `chrootfile run --manifest FILE` writes. */
export const manifestSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'chrootfile run --manifest',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'run', 'recipe', 'started', 'finished', 'outputs', 'artifacts'],
  properties: {
    version: { const: 1 },
    run: { type: 'string', description: 'Id of the run' },
    recipe: { type: 'string', description: 'The recipe as it was named' },
    started: { type: 'string', description: 'ISO 8601 time in UTC' },
    finished: { type: 'string', description: 'ISO 8601 time in UTC' },
    outputs: { type: 'object', description: 'The outputs of the recipe; secrets are masked' },
    artifacts: {
      type: 'array',
      description: 'Images and snapshots that the run created and keeps',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['type', 'region', 'id'],
        properties: { type: { enum: ['image', 'snapshot'] }, region: { type: 'string' }, id: { type: 'string' } },
      },
    },
  },
} as const;

/** The type of {@link manifestSchema}. */
export type ManifestJson = FromSchema<typeof manifestSchema>;
