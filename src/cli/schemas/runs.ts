import type { FromSchema } from 'json-schema-to-ts';
import { runStates } from '../../runtime/runs/run_folder.js';

/** What `chrootfile runs --json` prints. */
export const runsSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'chrootfile runs --json',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'runs'],
  properties: {
    version: { const: 1 },
    runs: {
      type: 'array',
      description: 'The runs of the state folder, oldest first',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['run', 'recipe', 'started', 'state', 'open', 'failed_tasks'],
        properties: {
          run: { type: 'string', description: 'Id of the run' },
          recipe: { type: 'string', description: 'The recipe as it was named; "?" where the journal cannot be read' },
          started: { type: 'string', description: 'When the run started, as an ISO 8601 time in UTC; "?" where the journal cannot be read' },
          finished: { type: 'string', description: 'When the run ended; absent while it is running, and where its process died' },
          seconds: { type: 'number', description: 'How long the run took; of a resumed run, its last part' },
          state: {
            enum: runStates,
            description:
              'succeeded; destroyed: succeeded, and "destroy" deleted its images; failed: everything was rolled back; left_behind: failed or interrupted, and something could not be undone; paused: failed, and kept for --resume; interrupted: a signal or --timeout ended it and everything was rolled back, or its process was killed: then "open" may be above 0 and "undo" rolls it back; unreadable: its journal is damaged',
          },
          open: { type: 'integer', description: 'Number of changes that still have to be undone' },
          failed_tasks: { type: 'array', items: { type: 'string' }, description: 'Tasks that failed, in the order in which they failed' },
          error: { type: 'string', description: 'Why the journal cannot be read' },
        },
      },
    },
  },
} as const;

/** The type of {@link runsSchema}. */
export type RunsJson = FromSchema<typeof runsSchema>;
