import type { FromSchema } from 'json-schema-to-ts';

/** What `chrootfile why --json` prints. */
export const whySchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'chrootfile why --json',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'tasks'],
  properties: {
    version: { const: 1 },
    tasks: {
      type: 'array',
      description: 'The tasks that leave content on volumes, by volume and in the order in which they run',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['task', 'cached', 'reason'],
        properties: {
          task: { type: 'string', description: 'Name of the task' },
          cached: { type: 'boolean', description: 'Whether a run would take it from a layer' },
          reason: { type: 'string', description: 'Why a run would run it; of a cached task, a condition that is only known in a run, or empty' },
          seconds: { type: 'number', description: 'How long it took when it last ran; absent if it never succeeded' },
        },
      },
    },
  },
} as const;

/** The type of {@link whySchema}. */
export type WhyJson = FromSchema<typeof whySchema>;
