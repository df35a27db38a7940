import type { FromSchema } from 'json-schema-to-ts';

const names = { type: 'array', items: { type: 'string' } } as const;

/** What `chrootfile plan --json` prints, and `plan.json` in the folder of a run holds. */
export const planSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'chrootfile plan --json',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'goals', 'nodes', 'creates', 'keeps', 'left_out'],
  properties: {
    version: { const: 1 },
    goals: { ...names, description: 'The requested tasks' },
    nodes: {
      type: 'array',
      description: 'Tasks and releases of resources, in an order that respects every edge',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id', 'type', 'lifetime', 'after', 'undo'],
        properties: {
          id: { type: 'string', description: 'Name of the task; of a release, NAME.released' },
          type: { enum: ['task', 'release'] },
          uses: { type: 'string', description: 'The kind; absent for scripts and groups' },
          in: { type: 'string', description: 'The chroot that the task runs in' },
          with: { type: 'object', description: 'Values of "with" that are known before the run and are not secret' },
          lifetime: { enum: ['step', 'resource'] },
          after: {
            type: 'array',
            description: 'What the node waits for, and why',
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['from', 'because'],
              properties: { from: { type: 'string' }, because: { type: 'string' } },
            },
          },
          because: { type: 'string', description: 'Why the task is in the plan' },
          undo: { type: 'string', description: 'What its undo does' },
        },
      },
    },
    creates: { ...names, description: 'Tasks that create something' },
    keeps: { ...names, description: 'Those of them whose work stays when the run succeeds' },
    left_out: { ...names, description: 'Tasks that are not run' },
  },
} as const;

/** The type of {@link planSchema}. */
export type PlanJson = FromSchema<typeof planSchema>;
